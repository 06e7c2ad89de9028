/** A gateway's program is killed at any instant of a call that is being made: both go on with it or both hear its end, and it has its records once. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { KEPT_WITHIN } from '#device/sip-edge/continuity.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { isLong } from '#test/peers.ts';
import { seed } from '#test/support/seed.ts';
import { expectHears, expectNothingLeft, phoneWith, TONES } from './two-homes.ts';
import { last, number, wordsOf } from './words.ts';

const INNER = 800;
/** Milliseconds of ringing, of ringing before a call is kept, and of an instant at which a program may be killed. */
const RINGS = 200;
const UNKEPT = 160;
const STEP = isLong ? 1 : 2;

describe('a gateway that is killed', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let a: Phone;
  let a2: Phone;

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed }));
    elm = await stage.home('elm');
    a = await phoneWith(elm, TONES.a);
    a2 = await phoneWith(elm, INNER);
  });
  afterEach(() => stage?.[Symbol.asyncDispose]());

  const { until, cutOff } = wordsOf(() => stage);
  const records = async () => (await stage.api('cdr.list', {})).items;
  const kept = () => world.settle(elm.world.disk.list(`${stage.ground.folder('elm')}/sip/calls`));
  const settled = (call: PhoneCall, other: Phone) => call.state === last(other)?.state && call.state !== 'ringing';

  /** The program dies at the n-th write of a call's file from now on: before it, or when it is on the disk and nobody knows. */
  function diesAtFile(nth: number, when: 'before' | 'after'): () => boolean {
    let writes = 0;
    elm.beforeWrite = (path) => {
      if (!path.includes('/sip/calls/') || ++writes !== nth) return;
      if (when === 'before') elm.kill();
      else queueMicrotask(() => elm.kill());
    };
    return () => writes >= nth;
  }

  /** The program comes back; both phones are in the call and hear each other, or neither is. The one that is named ends it. */
  async function agreed(call: PhoneCall, by: 'caller' | 'callee'): Promise<string> {
    elm.beforeWrite = undefined;
    await world.run(300);
    await elm.again();
    await until(() => settled(call, a2), 'both to know', 9_000).catch(() => undefined);
    await world.run(1_500);
    const states = [call.state, last(a2)?.state];
    if (states.join() !== 'up,up') return `${states}`;
    expectHears(call.heard(), INNER, TONES.a);
    expectHears(last(a2).heard(), TONES.a, INNER);
    if (by === 'caller') call.hangup();
    else last(a2).hangup();
    await world.run(1_500);
    return `up, ${[call.state, last(a2).state]}`;
  }

  it.each([
    ['before the file of the answer', 2, 'before', 'caller'],
    ['when the file of the answer is there', 2, 'after', 'callee'],
    ['when it rings and its file is there', 1, 'after', 'caller'],
  ] as const)('goes on with a call in the house: killed %s', async (_name, nth, when, by) => {
    const dead = diesAtFile(nth, when);
    const call = await world.settle(a.dial(number(elm, 1)));
    await until(dead, 'the kill', 5_000);
    await world.run(50);
    // Nobody was told of an answer that the next process would not know.
    expect(call.state).toBe('ringing');
    expect(await agreed(call, by)).toBe('up, ended,ended');
    await until(async () => (await records()).length === 2, 'the records', 90_000);
    await world.run(30_000);
    expect((await records()).map(({ reason, seconds }) => [reason, seconds >= 1 && seconds <= 4])).toEqual([
      ['hangup', true],
      ['hangup', true],
    ]);
    expect(await kept()).toEqual([]);
    await expectNothingLeft(stage);
  });

  it('at any instant of ringing and answer: whoever rings or answers goes on with it', async () => {
    elm.trouble.diskSlow = 6;
    const outcomes: string[] = [];
    for (let ms = UNKEPT; ms < RINGS + 40; ms += ms > RINGS - 6 ? STEP : 20) {
      const call = await world.settle(a.dial(number(elm, 1)));
      await world.run(ms);
      elm.kill();
      outcomes.push(await agreed(call, ms % 4 === 0 ? 'caller' : 'callee'));
    }
    expect(new Set(outcomes)).toEqual(new Set(['up, ended,ended']));
    await until(async () => (await records()).length === 2 * outcomes.length, 'the records', 90_000);
    expect(await kept()).toEqual([]);
    await expectNothingLeft(stage);
  });

  describe('in a call to another home', () => {
    let oak: StageHome;
    let b: Phone;
    beforeEach(async () => {
      oak = await stage.home('oak');
      b = await phoneWith(oak, TONES.b);
    });

    it('goes on with it from the answer on', async () => {
      const dead = diesAtFile(2, 'after');
      const call = await world.settle(a.dial(number(oak)));
      await until(dead, 'the kill', 5_000);
      expect([call.state, b.calls.length]).toEqual(['ringing', 1]);
      elm.beforeWrite = undefined;
      await world.run(300);
      await elm.again();
      await until(() => settled(call, b), 'both to know', 30_000);
      await world.run(2_000);
      expectHears(call.heard(), TONES.b, TONES.a);
      last(b).hangup();
      await until(() => call.state === 'ended', 'BYE to arrive', 5_000);
      await until(async () => (await records()).length === 2, 'the records', 10_000);
      await expectNothingLeft(stage);
    });

    it('tells who rings and who is rung over UDP that it is over, where the other side was the softswitch', async () => {
      const outcomes: unknown[] = [];
      for (const [from, to, limit] of [
        [a, oak, 9_000],
        [b, elm, 60_000],
      ] as const) {
        const call = await world.settle(from.dial(number(to)));
        await world.run(UNKEPT + 20);
        elm.kill();
        await world.run(300);
        await elm.again();
        await until(() => call.state === 'ended', 'the caller to hear of it', limit);
        await world.run(5_000);
        outcomes.push([call.status, last(to === oak ? b : a)?.state]);
      }
      expect(outcomes).toEqual([
        [480, 'ended'],
        [500, 'ended'],
      ]);
      expect(await kept()).toEqual([]);
      await expectNothingLeft(stage);
    });
  });

  it('ends what a phone answers of which nobody knows: it rang too short', async () => {
    const call = await world.settle(a.dial(number(elm, 1)));
    await world.run(UNKEPT - 40);
    elm.kill();
    await world.run(300);
    await elm.again();
    await until(() => last(a2).state === 'ended', 'BYE to who answered', 5_000);
    expect([call.state, await kept()]).toEqual(['ringing', []]);
    call.hangup();
    await until(() => call.state === 'ended', 'the caller to be gone', 60_000);
    await expectNothingLeft(stage);
  });

  it('writes a call as it rings, as it is answered and as it ends, once each', async () => {
    const writes: string[] = [];
    elm.beforeWrite = (path) => void (path.includes('/sip/calls/') && writes.push(path));
    const call = await world.settle(a.dial(number(elm, 1)));
    await until(() => call.state === 'up', 'the answer', 3_000);
    await world.run(5_000);
    expect(writes.length).toBe(2);
    call.hangup();
    await until(async () => (await records()).length === 2, 'the records', 90_000);
    expect(writes.length).toBe(3);
  });

  it('with a disk that takes its time a caller waits for a second at the most', async () => {
    elm.trouble.diskSlow = KEPT_WITHIN + 500;
    const call = await world.settle(a.dial(number(elm, 1)));
    await until(() => last(a2)?.state === 'up', 'the answer', 1_000);
    await world.run(KEPT_WITHIN - 100);
    expect(call.state).toBe('ringing');
    await world.run(150);
    expect(call.state).toBe('up');
    call.hangup();
    await until(async () => (await records()).length === 2, 'the records', 90_000);
    await expectNothingLeft(stage);
  });

  it.each([
    ['while the disk is full', 1_000, true, ['lost', 'lost']],
    ['soon after it has room again', 6_000, false, ['hangup', 'hangup']],
    ['later, when the outbox has it too', 40_000, false, ['hangup', 'hangup']],
  ] as const)(
    'a call that ended with a full disk and no cloud is told once by whoever comes after a kill %s',
    async (_name, after, full, reasons) => {
      world.partition(['cloud']);
      await cutOff(elm);
      await until(() => elm.gateway.agent()?.status.at !== 'ready', 'the link to be given up', 200_000);
      const call = await world.settle(a.dial(number(elm, 1)));
      await until(() => call.state === 'up', 'the answer', 3_000);
      elm.trouble.diskFull = true;
      await world.run(3_000);
      call.hangup();
      await until(() => last(a2).state === 'ended', 'BYE to arrive', 5_000);
      elm.trouble.diskFull = full;
      await world.run(after);
      elm.kill();
      await world.run(300);
      elm.trouble.diskFull = false;
      await elm.again();
      world.heal();
      await until(async () => (await records()).length === 2, 'the records', 90_000);
      await world.run(60_000);
      expect((await records()).map(({ reason }) => reason)).toEqual(reasons);
      expect(await kept()).toEqual([]);
      await expectNothingLeft(stage);
    },
  );

  it('with a disk that is full, calls are made as ever, and the technician is told', async () => {
    elm.trouble.diskFull = true;
    const call = await world.settle(a.dial(number(elm, 1)));
    await until(() => call.state === 'up', 'the answer', 3_000);
    const why = await world.settle(elm.gateway.diagnostics.answer('gateway.why.local', { about: 'gateway' }));
    expect(JSON.stringify(why)).toContain('"check":"storage.write"');
    call.hangup();
    await until(() => last(a2).state === 'ended', 'BYE to arrive', 5_000);
    elm.trouble.diskFull = false;
    await until(async () => (await records()).length === 2, 'the records', 90_000);
    await expectNothingLeft(stage);
  });
});
