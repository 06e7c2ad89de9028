/** Live commands as the session machine takes them. */
import { describe, expect, it } from 'vitest';
import { plan, Run, reserved } from '#test/support/session-run.ts';
import { type CommandPlan, DIGITS_PER_SESSION, type GatherPlan } from './command-state.ts';
import type { Input } from './live.ts';
import { soundPlan } from './sound.ts';

const GATHER: GatherPlan = { min: 1, max: 3, finish: '#', first: 5000, between: 1000, interrupt: true };
const command = (id: string, more: Partial<CommandPlan> = {}): Input => ({
  on: 'command',
  plan: { id, verb: 'call.play', legs: ['a'], room: false, queue: false, item: 'rain', ...more },
});
const gather = (more: Partial<GatherPlan> = {}, prompt?: string): Input => {
  const { item: _, ...rest } = (command('cmd_1') as Extract<Input, { on: 'command' }>).plan;
  const item = prompt === undefined ? {} : { item: prompt };
  return { on: 'command', plan: { ...rest, ...item, verb: 'call.gather', gather: { ...GATHER, ...more } } };
};
const digit = (key: string, leg = 'a'): Input => ({ on: 'digit', leg, digit: key, duration: 100 });
const answered = (leg: string): Input => ({ on: 'report', leg, event: 'answered', at: 0 });

/** A call of the API, both parties talking. */
function talking(): Run {
  const run = new Run('API call');
  run.step(reserved(run.live.state));
  run.step(answered('a'));
  run.step(answered('b'));
  run.out.length = 0;
  return run;
}
const sent = (run: Run) => run.out.flatMap((one) => (one.do === 'send' ? [one.command.verb] : []));
const states = (run: Run) => run.live.state.commands?.map(({ state, result }) => [state, result]);

describe('gathering digits', () => {
  it.each<[string, Input, readonly (Input | number)[], string, string]>([
    ['all of them', gather(), [digit('1'), digit('2'), digit('3')], '123', 'completed'],
    ['by the finish key', gather(), [digit('1'), digit('#')], '1', 'finished'],
    ['the finish key alone', gather(), [digit('#')], '', 'finished'],
    ['nothing', gather(), [5000], '', 'timeout'],
    ['some, then a pause', gather(), [4999, digit('1'), 999, digit('2'), 1000], '12', 'completed'],
    ['too few, then a pause', gather({ min: 2 }), [digit('1'), 1000], '1', 'timeout'],
    ['of another leg', gather(), [digit('1', 'b'), 5000], '', 'timeout'],
    ['while the prompt plays', gather({}, 'welcome'), [60_000, digit('7'), 1000], '7', 'completed'],
    ['after the prompt', gather({}, 'welcome'), [{ on: 'sound', sound: 'cmd_1', failed: false }, 5000], '', 'timeout'],
    [
      'a prompt that cannot be heard',
      gather({}, 'x'),
      [{ on: 'sound', sound: 'cmd_1', failed: true }, 5000],
      '',
      'timeout',
    ],
    [
      'only once the prompt has ended',
      gather({ interrupt: false }, 'welcome'),
      [digit('1'), { on: 'sound', sound: 'cmd_1', failed: false }, digit('2'), 1000],
      '2',
      'completed',
    ],
    ['until the leg ends', gather(), [digit('1'), { on: 'end', reason: 'api' }], '1', 'hangup'],
  ])('%s', (_name, begin, events, digits, result) => {
    const run = talking();
    run.step(begin);
    for (const event of events) {
      if (typeof event === 'number') run.wait(event);
      else run.step(event);
    }
    expect(run.live.state.commands?.[0]).toMatchObject({ state: 'done', digits, result });
  });

  it('stops the prompt at the first digit, once', () => {
    const run = talking();
    run.step(gather({}, 'welcome'));
    run.step(digit('1'));
    run.step(digit('2'));
    expect(sent(run)).toEqual(['media.sound.start', 'media.sound.stop']);
  });

  it('digits of a call between phones are nobody’s business, and no session takes endless ones', () => {
    const phones = new Run('phone call');
    phones.step(answered('b'));
    const rows = phones.rows.length;
    phones.step(digit('1'));
    expect(phones.rows.length).toBe(rows);
    const run = talking();
    for (let i = 0; i <= DIGITS_PER_SESSION; i++) run.step(digit('1'));
    expect(run.rows.filter((row) => row.type === 'digit')).toHaveLength(DIGITS_PER_SESSION);
  });
});

describe('what plays', () => {
  it('now takes the place of what plays and waits; queued waits its turn, in order', () => {
    const run = talking();
    run.step(command('cmd_1'));
    run.step(command('cmd_2', { queue: true }));
    run.step(command('cmd_3', { queue: true }));
    run.step({ on: 'sound', sound: 'cmd_1', failed: false });
    expect(states(run)).toEqual([
      ['done', 'completed'],
      ['running', undefined],
      ['queued', undefined],
    ]);
    run.step(command('cmd_4'));
    expect(states(run)).toEqual([
      ['done', 'completed'],
      ['done', 'interrupted'],
      ['done', 'interrupted'],
      ['running', undefined],
    ]);
    expect(sent(run).filter((verb) => verb === 'media.sound.start')).toHaveLength(3);
  });

  it('of other legs goes on, and a recording is in nobody’s way', () => {
    const run = talking();
    run.step(command('cmd_1'));
    run.step(command('cmd_2', { legs: ['b'] }));
    run.step(command('cmd_3', { verb: 'call.record', recording: 'rec_1', legs: ['a', 'b'] }));
    expect(states(run)?.map(([state]) => state)).toEqual(['running', 'running', 'running']);
    run.step({ on: 'end', reason: 'api' });
    expect(sent(run).filter((verb) => /stop$/.test(verb))).toEqual([
      'media.sound.stop',
      'media.sound.stop',
      'media.record.stop',
    ]);
  });
});

describe('who hears whom', () => {
  const links = (run: Run) => [...soundPlan(run.live.state).links].toSorted();
  const flag = (leg: string, what: { held?: boolean; muted?: boolean }): Input => ({ on: 'flag', leg, ...what });

  it('follows hold and mute, and says so once', () => {
    const run = talking();
    expect(links(run)).toEqual(['a b', 'b a']);
    run.step(flag('a', { muted: true }));
    expect(links(run)).toEqual(['b a']);
    run.step(flag('b', { held: true }));
    expect(links(run)).toEqual([]);
    run.step(flag('b', { held: true }));
    run.step(flag('b', { held: false }));
    run.step(flag('a', { muted: false }));
    expect(links(run)).toEqual(['a b', 'b a']);
    expect(sent(run)).toEqual([
      'media.endpoint.connect',
      'media.sound.start',
      'media.endpoint.connect',
      'media.sound.stop',
      'media.endpoint.connect',
      'media.endpoint.connect',
    ]);
  });

  it('a transfer parts the old party, rings, and joins the new one, or gives the old one back', () => {
    for (const taken of [true, false]) {
      const run = talking();
      run.step({ on: 'added', plan: plan('c', { replaces: 'b', referred: true }), homes: [] });
      expect(links(run)).toEqual([]);
      expect([...soundPlan(run.live.state).ringing]).toEqual(['a']);
      run.step({ on: 'reserved', legs: { c: { endpoint: 'ep_c' } } });
      if (taken) run.step(answered('c'));
      else run.step({ on: 'report', leg: 'c', event: 'ended', at: 0, reason: 'callee_busy' });
      expect(links(run)).toEqual(taken ? ['a c', 'c a'] : ['a b', 'b a']);
      const told = run.out.flatMap((one) =>
        one.do === 'send' && one.command.verb === 'channel.notify' ? [one.command.request.status] : [],
      );
      expect(told).toEqual([taken ? 200 : 486]);
      expect(run.live.state.legs.map((leg) => leg.reason)).toEqual(
        taken ? [undefined, 'transferred', undefined] : [undefined, undefined, 'callee_busy'],
      );
      run.step({ on: 'report', leg: 'a', event: 'ended', at: 0, reason: 'hangup' });
      expect(run.live.state.state).toBe('ending');
    }
  });

  it('the old party may hang up while the new one rings', () => {
    const run = talking();
    run.step({ on: 'added', plan: plan('c', { replaces: 'b' }), homes: [] });
    run.step({ on: 'reserved', legs: { c: { endpoint: 'ep_c' } } });
    run.step({ on: 'report', leg: 'b', event: 'ended', at: 0, reason: 'hangup' });
    expect(run.live.state.state).toBe('active');
    run.step({ on: 'report', leg: 'c', event: 'ended', at: 0, reason: 'no_answer' });
    expect([run.live.state.state, run.live.state.reason]).toEqual(['ending', 'no_answer']);
  });
});
