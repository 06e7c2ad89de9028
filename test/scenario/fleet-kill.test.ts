/** One of two softswitch processes is killed, at any moment: what becomes of its calls. One seed is one story. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { Seeded, streamOf } from '#simulator/random.ts';
import { tone } from '#simulator/voice.ts';
import { isLong } from '#test/peers.ts';
import { seed } from '#test/support/seed.ts';
import { nothingLeft } from './nothing-left.ts';
import { type Line, Operator } from './operator.ts';
import { expectHears, TONES } from './two-homes.ts';

let operator: Operator;
let lines: Line[];
/** Alice and carol at process 0, bob and dave at process 1; alice and bob of one home, carol and dave of another. */
let alice: Phone;
let bob: Phone;
let carol: Phone;
let dave: Phone;

async function open(of: number): Promise<void> {
  operator = await Operator.start(of, undefined, undefined, 2);
  lines = [];
  const homes = [await operator.home('home_1'), await operator.home('home_2')] as const;
  for (let i = 0; i < 4; i++) lines.push(await operator.line(homes[i < 2 ? 0 : 1], i + 1));
  const ready = (n: number, process: number, hz: number) =>
    operator.ready(lines[n] as Line, { ...operator.at(process), voice: tone(hz, 1), answerAfter: 200 });
  alice = await ready(0, 0, TONES.a);
  bob = await ready(1, 1, TONES.b);
  carol = await ready(2, 0, 881);
  dave = await ready(3, 1, 1_203);
}
afterEach(() => operator.stop());

const number = (n: number): string => (lines[n] as Line).number;
const last = (phone: Phone) => phone.calls.at(-1) as PhoneCall;
const until = (condition: () => boolean, what: string) => operator.world.until(condition, 30_000, what);
const ownersOf = async () =>
  (await operator.store.all<{ owner: string }>('SELECT DISTINCT owner FROM channel')).map(({ owner }) => owner);

async function talk(from: Phone, to: number): Promise<PhoneCall> {
  const call = await from.dial(number(to));
  await until(() => call.state === 'up', `the answer: ${call.status}`);
  await operator.world.run(500);
  return call;
}

async function killed(index: number): Promise<void> {
  operator.fleet?.kill(index);
  await operator.world.run(50);
}

describe.each([
  ['it comes again', false],
  ['it does not come again: the other one takes its calls up', true],
])('an established call of a process that is killed; %s', (_how, away) => {
  let call: PhoneCall;
  let other: PhoneCall;

  beforeEach(async () => {
    await open(seed);
    call = await talk(alice, 1);
    other = last(bob);
    expect(await ownersOf()).toEqual([expect.stringMatching(/^0-/)]);
    if (away) operator.fleet?.bar(0, true);
    await killed(0);
    await operator.world.run(away ? 12_000 : 1_000);
    expect(await ownersOf()).toEqual([expect.stringMatching(away ? /^1-/ : /^0-/)]);
  });

  test('goes on with sound, hold from both sides and a BYE of either, and is charged once', async () => {
    const before = [call.heard().length, other.heard().length];
    await operator.world.run(2_000);
    expect(call.heard().length).toBeGreaterThan((before[0] ?? 0) + 8_000);
    expectHears(call.heard(), TONES.b, TONES.a);
    expectHears(other.heard(), TONES.a, TONES.b);
    // Alice's own server may be away; who is between her and the other one is Kamailio's test.
    const sides = [
      [other, call],
      [call, other],
    ] as const;
    for (const [from, to] of sides.slice(0, away ? 1 : 2)) {
      from.hold(true);
      await until(() => to.held, 'the hold');
      from.hold(false);
      await until(() => !to.held, 'the end of the hold');
    }
    (away ? other : call).hangup();
    await until(() => call.state === 'ended' && other.state === 'ended', 'the end');
    await operator.world.run(15_000);
    expect(await nothingLeft(operator)).toEqual([]);
    expect((await operator.ask('cdr.list', {})).items.map(({ reason }) => reason)).toEqual(['hangup', 'hangup']);
  });

  test('is transferred by REFER', async () => {
    expect(await operator.world.settle(bob.refer(other, number(3)))).toBe(202);
    await until(() => last(dave)?.state === 'up' && other.state === 'ended', 'the transfer');
    await operator.world.run(500);
    last(dave).hangup();
    await operator.world.run(15_000);
    expect(call.state).toBe('ended');
    expect(await nothingLeft(operator)).toEqual([]);
  });

  // Half an hour of sound takes its time; where it comes again nothing else happens.
  test.skipIf(!away && !isLong)('is refreshed by its session timer, and outlives it', async () => {
    await operator.world.run(1_900_000);
    expect([call.state, other.state]).toEqual(['up', 'up']);
    other.hangup();
    await until(() => call.state === 'ended', 'the end');
    await operator.world.run(15_000);
    expect(await nothingLeft(operator)).toEqual([]);
  });
});

/** Calls, transfers and pickups at both processes; one of them is killed at some instant, sometimes for good. */
async function story(of: number): Promise<string[]> {
  await open(of);
  const dice = new Seeded(of, streamOf('kills'));
  const { world, fleet } = operator;
  const phones = [alice, bob, carol, dave];
  const pick = <T>(from: readonly T[]): T => from[dice.below(from.length)] as T;
  for (let kill = 0; kill < 3; kill++) {
    for (let step = 0; step < 6; step++) {
      const phone = pick(phones);
      const up = phone.calls.filter(({ state }) => state === 'up');
      const act = pick(['dial', 'dial', 'dial', 'hold', 'hangup', 'refer', 'attended', 'pickup', 'manner'] as const);
      if (act === 'dial') await world.settle(phone.dial(number(dice.below(4))));
      else if (act === 'hold') for (const one of up) one.hold(dice.fraction() < 0.5);
      else if (act === 'hangup') pick(up)?.hangup();
      else if (act === 'pickup') await world.settle(phone.dial('*8'));
      else if (act === 'manner') phone.manner = pick(['answer', 'answer', 'ring', 'busy'] as const);
      else if (up[0] !== undefined)
        void phone.refer(up[0], act === 'attended' && up[1] ? up[1] : number(dice.below(4)));
      await world.run(dice.below(pick([30, 300, 1_500])));
    }
    fleet?.kill(dice.below(2));
    await world.run(dice.below(pick([400, 3_000])));
  }
  await world.run(5_000);
  for (const phone of phones) phone.manner = 'decline';
  for (const quiet of [40_000, 200_000]) {
    for (const phone of phones) for (const call of phone.calls) call.hangup();
    await world.run(quiet);
  }
  const open_ = phones.flatMap(({ calls }) => calls).filter(({ state }) => state !== 'ended').length;
  return [...(open_ > 0 ? [`${open_} calls of phones`] : []), ...(await nothingLeft(operator))];
}

test.each(Array.from({ length: isLong ? 300 : 6 }, (_none, i) => seed + i))(
  'whatever happens, all ends and every leg has one record (seed %i)',
  async (of) => {
    expect(await story(of)).toEqual([]);
  },
);
