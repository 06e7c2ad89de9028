import { describe, expect, it } from 'vitest';
import { plan, Run, reserved } from '#test/support/session-run.ts';
import { type Input, newLive, type Output } from './live.ts';
import { sessionMachine } from './machine.ts';
import { fold, type SessionState } from './session.ts';

describe('deadlines', () => {
  const answered = (leg: string): Input => ({ on: 'report', leg, event: 'answered', at: 0 });
  const ended = (run: Run) => [run.live.state.state, run.live.state.reason];

  it('a leg that nobody answers or reports ends 5 s after its ringing time', () => {
    const run = new Run('media');
    run.step(reserved(run.live.state));
    run.wait(34_999);
    expect(run.live.state.legs[0]?.state).toBe('starting');
    run.wait(1);
    expect(ended(run)).toEqual(['ending', 'no_answer']);
  });

  it('a missing leg is lost at its last lease, not before, and not when it is seen again', () => {
    const run = new Run('media');
    run.step(reserved(run.live.state));
    run.step(answered('a'));
    run.wait(20_000);
    run.step({ on: 'missing', leg: 'a' });
    run.wait(9_000);
    run.step({ on: 'seen', leg: 'a' });
    run.wait(25_000);
    run.step({ on: 'missing', leg: 'a' });
    expect(run.live.state.state).toBe('active');
    run.wait(4_999);
    expect(run.live.state.state).toBe('active');
    run.wait(1);
    expect(ended(run)).toEqual(['ending', 'lost']);
  });

  it('after a restart a missing leg has its whole lease', () => {
    const run = new Run('phone call');
    run.step(answered('b'));
    const again = newLive(fold(run.rows) as SessionState);
    const out: Output[] = [];
    sessionMachine.step(again, { on: 'recovered' }, 500_000, out);
    sessionMachine.step(again, { on: 'missing', leg: 'a' }, 500_500, out);
    expect([out, sessionMachine.due(again)]).toEqual([[], 530_500]);
  });

  it('prepaid talk asks for more in time and ends when none is given', () => {
    const run = new Run('media');
    run.step(reserved(run.live.state, true));
    run.step(answered('a'));
    run.wait(40_001);
    const asked = run.out.filter((one) => one.do === 'send' && one.purpose === 'credit');
    expect(asked).toHaveLength(1);
    run.step({ on: 'credit', leg: 'a', until: 90_000 });
    run.wait(30_000);
    expect(run.out.filter((one) => one.do === 'send' && one.purpose === 'credit')).toHaveLength(2);
    run.step({ on: 'credit', leg: 'a', until: 90_000 });
    run.wait(19_990);
    expect(run.live.state.state).not.toBe('ending');
    run.wait(100);
    expect(ended(run)).toEqual(['ending', 'insufficient_credit']);
    expect(run.out.filter((one) => one.do === 'send' && one.purpose === 'credit')).toHaveLength(2);
  });

  it('what was being added when the process died ends alone', () => {
    const run = new Run('conference');
    run.step(reserved(run.live.state));
    run.step(answered('a'));
    run.step({ on: 'added', plan: plan('x'), homes: ['h3'] });
    const again = newLive(fold(run.rows) as SessionState);
    const out: Output[] = [];
    sessionMachine.step(again, { on: 'recovered' }, 0, out);
    expect(again.state.legs.map((leg) => [leg.id, leg.state, leg.reason])).toEqual([
      ['a', 'up', undefined],
      ['b', 'starting', undefined],
      ['c', 'starting', undefined],
      ['x', 'ended', 'lost'],
    ]);
    expect(out.flatMap((one) => (one.do === 'send' ? [one.command.verb] : []))).toEqual([
      'media.endpoint.release',
      'qos.release',
      'billing.release',
    ]);
  });

  it('a conference without a home leg for a minute ends; one that comes in time keeps it', () => {
    const run = new Run('conference');
    run.step(reserved(run.live.state));
    run.step(answered('a'));
    run.wait(34_000);
    for (const leg of ['b', 'c']) run.step({ on: 'failed', leg, fault: { code: 'callee_declined' } });
    run.wait(200_000);
    expect(run.live.state.state).toBe('active');
    run.step({ on: 'report', leg: 'a', event: 'ended', at: 0, reason: 'hangup' });
    expect(ended(run)).toEqual(['ending', 'hangup']);
  });

  it('an ending session ends after 30 s, whatever is still held', () => {
    const run = new Run('conference');
    run.step(reserved(run.live.state));
    run.step({ on: 'end', reason: 'api' });
    run.wait(29_999);
    expect(run.live.state.state).toBe('ending');
    run.wait(1);
    expect(ended(run)).toEqual(['ended', 'api']);
  });
});

describe('who hears whom', () => {
  const verbs = (out: readonly Output[]) => out.flatMap((one) => (one.do === 'send' ? [one.command.verb] : []));

  it('music into the room starts with the first voice in it', () => {
    const run = new Run('conference with media in the room');
    expect(verbs(run.step(reserved(run.live.state)))).toEqual(['channel.open', 'channel.open']);
    expect(verbs(run.step({ on: 'report', leg: 'b', event: 'answered', at: 0 }))).toEqual([
      'conference.party.add',
      'conference.party.add',
      'media.start',
    ]);
  });

  it('a home’s media channel opens once its conference channel is up, and goes with it', () => {
    const run = new Run('conference with media in homes');
    run.step(reserved(run.live.state));
    const opened = run.step({ on: 'report', leg: 'a', event: 'answered', at: 0 });
    expect(opened.flatMap((one) => (one.do === 'send' ? [[one.command.verb, one.leg]] : []))).toEqual([
      ['conference.party.add', 'a'],
      ['channel.open', 'c'],
    ]);
    run.step({ on: 'report', leg: 'b', event: 'answered', at: 0 });
    run.step({ on: 'report', leg: 'a', event: 'ended', at: 0, reason: 'hangup' });
    expect(run.live.state.legs.map((leg) => [leg.id, leg.state])).toEqual([
      ['a', 'ended'],
      ['b', 'up'],
      ['c', 'ended'],
      ['d', 'starting'],
    ]);
  });
});
