/** A router that gives the gateway another address while calls are up: their sound comes back, in both directions. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { READDRESS_GAP } from '#device/sip-edge/readdress.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, expectNothingLeft, phoneWith, TONES } from './two-homes.ts';
import { level, likeness, number, wordsOf } from './words.ts';

describe('the WAN address changes in a call', () => {
  let stage: Stage;
  let world: VirtualWorld;
  let elm: StageHome;
  let oak: StageHome;
  let a: Phone;
  let b: Phone;
  const { until, legsUp } = wordsOf(() => stage);

  beforeEach(async () => {
    ({ stage, world } = await virtualStage({ seed: 71 }));
    world.network.wan('elm', '203.0.113.1');
    world.network.wan('oak', '203.0.113.101');
    elm = await stage.home('elm');
    oak = await stage.home('oak');
    a = await phoneWith(elm, TONES.a);
    b = await phoneWith(oak, TONES.b);
  });
  afterEach(() => stage[Symbol.asyncDispose]());

  async function talk(from: Phone, to: StageHome): Promise<readonly [PhoneCall, PhoneCall]> {
    const call = await world.settle(from.dial(number(to)));
    await until(() => call.state === 'up', 'the answer');
    await world.run(1_500);
    const other = (from === a ? b : a).calls[0];
    if (other === undefined) throw new Error('no call');
    hear(call, other, from);
    return [call, other];
  }

  const hear = (call: PhoneCall, other: PhoneCall, from: Phone) => {
    const [own, far] = from === a ? [TONES.a, TONES.b] : [TONES.b, TONES.a];
    expectHears(call.heard(), far, own);
    expectHears(other.heard(), own, far);
  };
  const hearsAnew = async (call: PhoneCall, other: PhoneCall, from: Phone) => {
    for (const one of [call, other]) one.rtp.clear();
    await world.run(2_000);
    hear(call, other, from);
  };
  const end = async (call: PhoneCall) => {
    call.hangup();
    await world.run(12_000);
    await expectNothingLeft(stage);
  };

  test.each([
    ['the caller’s', 'elm', () => a, () => oak],
    ['the called one’s', 'oak', () => a, () => oak],
  ] as const)('%s: within ten seconds both hear each other again', async (_whose, moved, from, to) => {
    const [call, other] = await talk(from(), to());
    world.network.wan(moved, '203.0.113.7');
    await world.run(10_000);
    await hearsAnew(call, other, from());
    await end(call);
  });

  test('both at once', async () => {
    const [call, other] = await talk(a, oak);
    world.network.wan('elm', '203.0.113.7');
    world.network.wan('oak', '203.0.113.107');
    await world.run(20_000);
    await hearsAnew(call, other, a);
    await end(call);
  });

  test('both at once, where the cloud has no media server', async () => {
    await stage.api('farm.stop', { server: 'media' });
    const [call, other] = await talk(a, oak);
    world.network.wan('elm', '203.0.113.7');
    world.network.wan('oak', '203.0.113.107');
    await world.run(20_000);
    await hearsAnew(call, other, a);
    await end(call);
  });

  test.each([500, 5_500, 6_020, 7_000, 12_000])('twice, %i ms apart', async (apart) => {
    const [call, other] = await talk(a, oak);
    world.network.wan('elm', '203.0.113.7');
    await world.run(apart);
    world.network.wan('elm', '203.0.113.8');
    await world.run(20_000);
    await hearsAnew(call, other, a);
    await end(call);
  });

  test('several: told one after the other, the oldest first, and each has its sound', async () => {
    const calls: (readonly [PhoneCall, PhoneCall])[] = [];
    for (let i = 0; i < 4; i++) {
      const call = await world.settle(b.dial(number(elm)));
      await until(() => call.state === 'up', 'the answer');
      await world.run(1_000);
      calls.push([call, a.calls.at(-1) as PhoneCall]);
    }
    const before = stage.ground.clock.wall();
    world.network.wan('elm', '203.0.113.7');
    await world.run(10_000);
    const told: number[] = [];
    // The newest session comes first.
    for (const { id } of (await stage.api('session.list', {})).items.reverse()) {
      const { items } = await stage.api('session.trace', { session: id });
      const anew = items.filter(
        ({ at, kind, summary }) => at > before && kind === 'in' && summary.startsWith('INVITE'),
      );
      expect(anew).toHaveLength(1);
      told.push(anew[0]?.at ?? 0);
    }
    const [first = 0, ...others] = told;
    expect(others.map((at) => Math.round((at - first) / READDRESS_GAP))).toEqual([1, 2, 3]);
    for (const [call, other] of calls) await hearsAnew(call, other, b);
    for (const [call] of calls) call.hangup();
    await world.run(12_000);
    await expectNothingLeft(stage);
  });

  test.each(['elm', 'oak'])('a NAT before %s keeps its address and changes its ports', async (moved) => {
    const [call, other] = await talk(a, oak);
    world.network.rebind(moved, 2_000);
    await world.run(60_000);
    await hearsAnew(call, other, a);
    await end(call);
  });

  test('a held call stays held, and has its sound when it is taken up again', async () => {
    const [call, other] = await talk(a, oak);
    call.hold(true);
    await until(() => other.held, 'the hold');
    world.network.wan('elm', '203.0.113.7');
    await world.run(12_000);
    expect(other.held).toBe(true);
    other.rtp.clear();
    await world.run(1_000);
    expect(level(other, TONES.a)).toBeLessThan(-35);
    call.hold(false);
    await until(() => !other.held, 'the end of the hold');
    await hearsAnew(call, other, a);
    await end(call);
  });

  test('a gateway that starts again tells nothing anew: a held call stays held', async () => {
    const [call, other] = await talk(a, oak);
    call.hold(true);
    await until(() => other.held, 'the hold');
    await elm.restart();
    await world.run(12_000);
    expect([call.state, other.held]).toEqual(['up', true]);
    call.hold(false);
    await until(() => !other.held, 'the end of the hold');
    await hearsAnew(call, other, a);
    await end(call);
  });

  test('a call that is held by the other side stays so', async () => {
    const [call, other] = await talk(a, oak);
    other.hold(true);
    await until(() => call.held, 'the hold');
    world.network.wan('elm', '203.0.113.7');
    await world.run(12_000);
    expect(call.held).toBe(true);
    other.hold(false);
    await until(() => !call.held, 'the end of the hold');
    await hearsAnew(call, other, a);
    await end(call);
  });

  test('after half a minute without any way out', async () => {
    const [call, other] = await talk(a, oak);
    world.partition(['cloud']);
    await world.run(30_000);
    world.network.wan('elm', '203.0.113.7');
    world.heal();
    await world.run(40_000);
    await hearsAnew(call, other, a);
    await end(call);
  });

  test.each(['elm', 'oak'])('a conference with media: voices and music come back at %s’s change', async (moved) => {
    const participants = [number(elm), number(oak)];
    const { id } = await stage.api('conference.create', { participants, media: 'rain' });
    await legsUp(id, 4);
    await world.run(1_500);
    world.network.wan(moved, '203.0.113.7');
    await world.run(12_000);
    const calls = [a, b].map((phone) => phone.calls.at(-1) as PhoneCall);
    for (const call of calls) call.rtp.clear();
    await world.run(2_000);
    for (const [i, call] of calls.entries()) {
      expect(likeness(call.heard(), 'rain')).toBeGreaterThan(0.4);
      expect(level(call, i === 0 ? TONES.b : TONES.a)).toBeGreaterThan(-30);
    }
    await stage.api('session.end', { session: id });
    await world.run(12_000);
    await expectNothingLeft(stage);
  });
});
