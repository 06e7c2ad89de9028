import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';
import { last, number, wordsOf } from './words.ts';

const C = 881;

describe('the features of a line', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;
  let c: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 31 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
    c = await oak.phone({ manner: 'answer', answerAfter: 200, voice: tone(C, 1) });
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until, setFeatures: set, dial } = wordsOf(() => stage);
  const get = (home: StageHome, line = 0) =>
    stage.api('line.features.get', { home: home.id, line: home.lines[line]?.id ?? '' });
  const records = async () => {
    await world.run(1500);
    const { items } = await stage.api('cdr.list', {});
    return items.map(({ reason, to }) => [reason, to]).toSorted();
  };

  it('forwards always: the line’s own phone stays quiet', async () => {
    await set(oak, { forward: { always: number(oak, 1) } });
    const call = await dial(a, number(oak));
    await world.run(1500);
    expectHears(call.heard(), C, TONES.a);
    expect(b.calls.length).toBe(0);
    a.hangup(call);
    expect(await records()).toEqual([
      ['hangup', number(oak, 1)],
      ['hangup', number(oak, 1)],
    ]);
  });

  it('forwards when busy, when nobody answers, and when no phone is there; a record per leg', async () => {
    await set(oak, {
      forward: { busy: number(oak, 1), noAnswer: number(oak, 1), offline: number(oak, 1) },
      noAnswerAfter: 5,
    });
    for (const manner of ['busy', 'ring'] as const) {
      b.manner = manner;
      const call = await dial(a, number(oak));
      await world.run(1500);
      expect([call.state, last(c).state]).toEqual(['up', 'up']);
      expectHears(call.heard(), C, TONES.a);
      if (manner === 'ring') expect(last(b).state).toBe('ended');
      a.hangup(call);
      await until(() => last(c).state === 'ended', 'the end');
    }
    await world.settle(b.register(0));
    await world.run(1000);
    const call = await dial(a, number(oak));
    expect([call.state, c.calls.length]).toEqual(['up', 3]);
    a.hangup(call);
    const reasons = (await records()).map(([reason]) => reason);
    expect(reasons).toEqual(['callee_busy', 'callee_offline', ...Array(6).fill('hangup'), 'no_answer'].toSorted());
  });

  it('ends as the last line left it, and the caller may give up on the way', async () => {
    b.manner = 'busy';
    c.manner = 'busy';
    await set(oak, { forward: { busy: number(oak, 1) } });
    expect((await dial(a, number(oak))).status).toBe(486);
    await set(oak, { hunt: [number(oak, 1)], noAnswerAfter: 5 });
    c.manner = 'ring';
    const call = await world.settle(a.dial(number(oak)));
    await until(() => c.calls.length === 1, 'the second to ring');
    a.hangup(call);
    await until(() => last(c).state === 'ended', 'the end');
    await until(async () => (await stage.api('session.list', { live: true })).items.length === 0, 'the session');
  });

  it('a circle of forwards ends the call', async () => {
    await set(oak, { forward: { always: number(oak, 1) } });
    await set(oak, { forward: { always: number(oak) } }, 1);
    expect((await dial(a, number(oak))).status).toBe(404);
    await set(oak, { forward: { busy: number(oak, 1) } });
    await set(oak, { forward: { busy: number(oak) } }, 1);
    b.manner = 'busy';
    c.manner = 'busy';
    expect((await dial(a, number(oak))).status).toBe(486);
    await expect(set(oak, { forward: { always: number(oak) } })).rejects.toThrow(/400.*itself/s);
    await expect(set(oak, { forward: { always: '+15559999999' } })).rejects.toThrow(/404.*callee_unknown/s);
  });

  it('turns callers away: blocked, without a number, by do not disturb, while talking', async () => {
    await set(oak, { block: [number(elm)] });
    expect((await dial(a, number(oak))).status).toBe(603);
    await set(oak, { rejectAnonymous: true });
    expect((await dial(a, `#31#${number(oak)}`)).status).toBe(433);
    const shown = await dial(a, number(oak));
    expect(shown.state).toBe('up');
    a.hangup(shown);
    await set(oak, { doNotDisturb: true });
    expect((await dial(a, number(oak))).status).toBe(486);
    await set(oak, { noWaiting: true });
    const call = await dial(a, number(oak));
    expect(call.state).toBe('up');
    const d = await elm.phone();
    expect((await dial(d, number(oak))).status).toBe(486);
    a.hangup(call);
    await world.run(1000);
    expect((await dial(d, number(oak))).state).toBe('up');
  });

  it('withholds the number, for one call and for good, and shows it once', async () => {
    a.hangup(await dial(a, number(oak)));
    expect(last(b).from).toContain(number(elm));
    a.hangup(await dial(a, `#31#${number(oak)}`));
    expect(last(b).from).toContain('sip:anonymous@anonymous.invalid');
    await set(elm, { hideNumber: true });
    a.hangup(await dial(a, number(oak)));
    expect(last(b).from).not.toContain(number(elm));
    a.hangup(await dial(a, `*31#${number(oak)}`));
    expect(last(b).from).toContain(number(elm));
    expect(b.calls.length).toBe(4);
  });

  it('star codes set what the API shows, and a tone says so', async () => {
    const call = await dial(b, `*21*${number(oak, 1)}#`);
    expect(call.state).toBe('up');
    await world.run(1000);
    expect(levelOf(call.heard().subarray(-4000), 350)).toBeGreaterThan(-40);
    await until(() => call.state === 'ended', 'the tone to end');
    expect(await get(oak)).toEqual({ forward: { always: number(oak, 1) } });
    await dial(b, '*26#');
    expect(await get(oak)).toEqual({ forward: { always: number(oak, 1) }, doNotDisturb: true });
    await world.run(4000);
    await dial(b, '#21#');
    await world.run(4000);
    await dial(b, '#26#');
    expect(await get(oak)).toEqual({});
    await world.run(4000);
    const wrong = await dial(b, '*21*+15559999999#');
    await until(() => wrong.state === 'ended', 'the tone to end');
    expect(await get(oak)).toEqual({});
  });

  it('abbreviations dial what they stand for, and survive a restart', async () => {
    await set(elm, { short: [{ code: '7', to: number(oak) }] });
    await stage.restartCloud();
    await world.run(8000);
    const call = await dial(a, '7');
    expect([call.state, b.calls.length]).toEqual(['up', 1]);
    a.hangup(call);
    expect(await get(elm)).toEqual({ short: [{ code: '7', to: number(oak) }] });
  });
});
