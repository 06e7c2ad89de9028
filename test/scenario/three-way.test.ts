import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { tone } from '#simulator/voice.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, TONES, twoHomes } from './two-homes.ts';
import { last, level, number, wordsOf } from './words.ts';

const C = 881;

describe('three parties by a code from the phone', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let oak: StageHome;
  let elm: StageHome;
  let a: Phone;
  let b: Phone;
  let c: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 47 }));
    ({ elm, oak, a, b } = await twoHomes(stage));
    c = await oak.phone({ manner: 'answer', answerAfter: 200, voice: tone(C, 1) });
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  const { until, dial, legsUp, records } = wordsOf(() => stage);
  const live = async () => (await stage.api('session.list', { live: true })).items;
  /** Two calls of `a`, both on hold: one that it made and one that it made or took. */
  async function two({ taken = false } = {}) {
    const first = await dial(a, number(oak));
    await world.run(500);
    first.hold(true);
    await world.run(500);
    if (taken) await dial(c, number(elm));
    const second = taken ? last(a) : await dial(a, number(oak, 1));
    await world.run(500);
    second.hold(true);
    await world.run(500);
    return [first, second] as const;
  }

  it.each([false, true])('all hear each other, and the two calls are over (one of them taken: %s)', async (taken) => {
    const [first, second] = await two({ taken });
    const calls = await live();
    const room = await dial(a, '*7');
    await until(() => first.state === 'ended' && second.state === 'ended', 'the two calls to end');
    const [session] = await live();
    await legsUp(session?.id ?? '', 3);
    const before = [room, last(b), last(c)].map((call) => call.heard().length);
    await world.run(2500);
    const growth = [room, last(b), last(c)].map((call, i) => call.heard().length - (before[i] ?? 0));
    for (const samples of growth) expect(samples).toBeGreaterThan(12_000);
    expect([session?.kind, (await live()).length]).toEqual(['call', 1]);
    const hears = [
      [room, [TONES.b, C], TONES.a],
      [last(b), [TONES.a, C], TONES.b],
      [last(c), [TONES.a, TONES.b], C],
    ] as const;
    for (const [call, others, own] of hears) {
      for (const hertz of others) expect(level(call, hertz)).toBeGreaterThan(-30);
      expect(level(call, own)).toBeLessThan(-45);
    }
    a.hangup(room);
    await world.run(1000);
    const alone = last(b).heard().length;
    await world.run(2000);
    expect([last(b).state, last(c).state]).toEqual(['up', 'up']);
    expectHears(last(b).heard().subarray(alone), C, TONES.a);
    b.hangup(last(b));
    await until(async () => (await live()).length === 0, 'the end', 90_000);
    await world.run(1500);
    for (const { id } of calls) expect((await records(id)).length).toBe(2);
    expect((await records(session?.id ?? '')).length).toBe(3);
  });

  it('wants two answered calls: with one, or none, the phone hears no, and its call goes on', async () => {
    expect((await dial(a, '*7')).state).toBe('ended');
    const call = await dial(a, number(oak));
    await world.run(500);
    call.hold(true);
    await world.run(500);
    expect((await dial(a, '*7')).state).toBe('ended');
    const before = call.heard().length;
    call.hold(false);
    await world.run(2500);
    expect([call.state, (await live()).length]).toEqual(['up', 1]);
    expectHears(call.heard().subarray(before), TONES.b, TONES.a);
  });

  it('leaves everything as it was where the conference server is stopped', async () => {
    const [first, second] = await two();
    await stage.api('farm.stop', { server: 'conference' });
    expect((await dial(a, '*7')).state).toBe('ended');
    const before = second.heard().length;
    second.hold(false);
    await world.run(2500);
    expect([first.state, second.state, (await live()).length]).toEqual(['up', 'up', 2]);
    expectHears(second.heard().subarray(before), C, TONES.a);
  });
});
