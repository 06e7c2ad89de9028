/** Calls that are parked in a house, with the cloud and without it: fetched from any phone, rung back, let go. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PARKED_FOR } from '#shared/call/features/parking.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import type { Stage, StageHome } from '#simulator/stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import type { VirtualWorld } from '#simulator/world.ts';
import { expectHears, expectNothingLeft, phoneWith, threePhones } from './two-homes.ts';
import { last, number, wordsOf } from './words.ts';

const [DESK, HALL, ATTIC, AFAR] = [443, 617, 881, 1_203];

let stage: Stage;
let world: VirtualWorld;
let elm: StageHome;
let oak: StageHome;
let desk: Phone;
let hall: Phone;
let attic: Phone;
let afar: Phone;

beforeEach(async () => {
  ({ stage, world } = await virtualStage({ seed: 59 }));
  [elm, oak] = [await stage.home('elm'), await stage.home('oak')];
  [desk, hall, attic] = await threePhones(elm, [DESK, HALL, ATTIC]);
  afar = await phoneWith(oak, AFAR);
});
afterEach(async ({ task }) => {
  try {
    if (task.result?.state !== 'fail') await expectNothingLeft(stage);
  } finally {
    await stage[Symbol.asyncDispose]();
  }
});

const { until, dial, cutOff } = wordsOf(() => stage);
/** The phone parks the other side of its call, and is out. */
async function park(phone: Phone, call: PhoneCall, place: string): Promise<void> {
  expect(await world.settle(phone.refer(call, place))).toBe(202);
  await until(() => call.state === 'ended', 'the phone to be out');
  expect(call.notified.map((body) => body.trim())).toEqual(['SIP/2.0 200 OK']);
}
async function hears(call: PhoneCall, other: number, own: number): Promise<void> {
  await world.run(2_000);
  expectHears(call.heard(), other, own);
}

describe.each([
  ['with the cloud', false],
  ['with the WAN cut', true],
])('parking, %s', (_how, cut) => {
  beforeEach(async () => {
    if (!cut) return;
    world.partition(['cloud']);
    await cutOff(elm);
  });

  it.each(['caller', 'callee'])('who parked was the %s; another phone fetches the call', async (role) => {
    const call = await dial(role === 'caller' ? desk : hall, number(elm, role === 'caller' ? 1 : 0));
    const [own, other] = role === 'caller' ? [call, last(hall)] : [last(desk), call];
    own.hold(true);
    await until(() => other.held, 'hold');
    await park(desk, own, '*5');
    await world.run(1_500);
    expect(levelOf(other.heard().subarray(-4_000), 440)).toBeGreaterThan(-40);
    const fetching = await dial(attic, '*5');
    expect([fetching.state, other.held]).toEqual(['up', false]);
    await hears(fetching, HALL, ATTIC);
    await hears(other, ATTIC, HALL);
    expect(levelOf(other.heard().subarray(-4_000), 440)).toBeLessThan(-40);
    fetching.hangup();
    await until(() => other.state === 'ended', 'the end');
  });

  it('nobody fetches it: the phones of who parked it ring, and talk to the one that waited', async () => {
    await park(desk, await dial(desk, number(elm, 1)), '*5');
    const waiting = last(hall);
    await world.run(PARKED_FOR + 3_000);
    expect([last(desk).outgoing, last(desk).state, waiting.state]).toEqual([false, 'up', 'up']);
    await hears(waiting, DESK, HALL);
    await hears(last(desk), HALL, DESK);
    waiting.hangup();
    await until(() => last(desk).state === 'ended', 'the end');
  });

  it.each(['fetches the call elsewhere', 'gives up'])(
    'while it rings back somebody %s: it rings no more',
    async (what) => {
      await park(desk, await dial(desk, number(elm, 1)), '*5');
      desk.manner = 'ring';
      await world.run(PARKED_FOR + 3_000);
      expect(last(desk).state).toBe('ringing');
      if (what === 'gives up') last(hall).hangup();
      const fetching = await dial(attic, '*5');
      await until(() => last(desk).state === 'ended', 'the phone to be quiet');
      if (what === 'gives up') return expect(fetching.state).toBe('ended');
      await hears(fetching, HALL, ATTIC);
      fetching.hangup();
      await until(() => last(hall).state === 'ended', 'the end');
    },
  );
});

it('by its place, once, and nowhere else; a place holds one call', async () => {
  await park(desk, await dial(desk, number(elm, 1)), '*52');
  const waiting = last(hall);
  const second = await dial(desk, number(elm, 2));
  expect(await world.settle(desk.refer(second, '*52'))).toBe(486);
  second.hangup();
  await world.run(500);
  expect((await dial(desk, '*51')).state).toBe('ended');
  const fetching = await dial(desk, '*52');
  expect(fetching.state).toBe('up');
  expect((await dial(attic, '*52')).state).toBe('ended');
  // Nobody rings back for what was fetched.
  const rung = desk.calls.length;
  await world.run(PARKED_FOR + 3_000);
  expect([desk.calls.length, fetching.state]).toEqual([rung, 'up']);
  waiting.hangup();
  await until(() => fetching.state === 'ended', 'the end');
});

it('who hangs up meanwhile is gone, and the place is free', async () => {
  await park(desk, await dial(desk, number(elm, 1)), '*51');
  last(hall).hangup();
  await world.run(500);
  expect((await dial(attic, '*51')).state).toBe('ended');
});

it('nor do they answer: the call ends', async () => {
  await park(desk, await dial(desk, number(elm, 1)), '*5');
  desk.manner = 'ring';
  await world.run(2 * PARKED_FOR + 5_000);
  expect([last(desk).state, last(hall).state]).toEqual(['ended', 'ended']);
});

it('a caller from another home is parked and fetched like any; its record is one call', async () => {
  const call = await dial(afar, number(elm, 0));
  await park(desk, last(desk), '*5');
  const fetching = await dial(attic, '*5');
  await hears(call, ATTIC, AFAR);
  await hears(fetching, AFAR, ATTIC);
  call.hangup();
  await until(() => fetching.state === 'ended', 'the end');
  await world.run(2_000);
  const { items } = await stage.api('cdr.list', {});
  expect(items.map(({ reason }) => reason)).toEqual(['hangup', 'hangup']);
});

it.each([
  ['of the house', number, 1],
  ['from another home', number, 0],
] as const)('a call %s stays parked while the gateway starts again, twice', async (_who, numberOf, at) => {
  const call = at === 1 ? await dial(desk, numberOf(elm, 1)) : await dial(afar, numberOf(elm, 0));
  const [own, other, tone] = at === 1 ? [call, last(hall), HALL] : [last(desk), call, AFAR];
  await park(desk, own, '*53');
  await elm.restart();
  await world.run(3_000);
  expect(other.state).toBe('up');
  await elm.restart();
  // Ringing has its pauses.
  await world.run(6_000);
  expect(levelOf(other.heard().subarray(-48_000), 440)).toBeGreaterThan(-40);
  const fetching = await dial(attic, '*53');
  expect(fetching.state).toBe('up');
  await hears(fetching, tone, ATTIC);
  await hears(other, ATTIC, tone);
  await elm.restart();
  await world.run(5_000);
  expect([fetching.state, other.state]).toEqual(['up', 'up']);
  fetching.hangup();
  await until(() => other.state === 'ended', 'the end');
});

it('rings back in time after the gateway has started again', async () => {
  await park(desk, await dial(desk, number(elm, 1)), '*5');
  await world.run(PARKED_FOR / 2);
  await elm.restart();
  const rung = desk.calls.length;
  await world.run(PARKED_FOR / 2 - 5_000);
  expect(desk.calls).toHaveLength(rung);
  await world.run(8_000);
  expect([last(desk).outgoing, last(desk).state, last(hall).state]).toEqual([false, 'up', 'up']);
  last(hall).hangup();
  await until(() => last(desk).state === 'ended', 'the end');
});

it('rings back with a caller from another home', async () => {
  const call = await dial(afar, number(elm, 0));
  await park(desk, last(desk), '*5');
  await world.run(PARKED_FOR + 3_000);
  expect(last(desk).from).toContain(number(oak, 0));
  await hears(call, DESK, AFAR);
  await hears(last(desk), AFAR, DESK);
  last(desk).hangup();
  await until(() => call.state === 'ended', 'the end');
});
