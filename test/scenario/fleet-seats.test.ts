/** Limits of calls hold for all softswitch processes together, whatever begins in the same moment. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';

const OUTSIDE = '+12125550100';

let operator: Operator;
let lines: Line[];
/** Phones of one line of home_1, at process 0 and 1; and one of home_2 at process 1. */
let here: Phone;
let there: Phone;
let bob: Phone;
let world: Carrier;

beforeEach(async () => {
  operator = await Operator.start(82, undefined, undefined, 2);
  if (operator.fleet !== undefined) operator.fleet.delay = 3;
  const homes = [await operator.home('home_1'), await operator.home('home_2')] as const;
  lines = [await operator.line(homes[0], 1), await operator.line(homes[1], 2)];
  here = await operator.ready(line(0), operator.at(0));
  there = await operator.ready(line(0), { ...operator.at(1), host: '10.1.0.99' });
  bob = await operator.ready(line(1), operator.at(1));
  world = await carrier(operator.world, '10.5.0.1');
});
afterEach(() => operator.stop());

const line = (n: number): Line => lines[n] as Line;
const dialled = (calls: readonly (readonly [Phone, string])[]): Promise<PhoneCall[]> =>
  Promise.all(calls.map(([phone, to]) => phone.dial(to)));
const settled = (calls: readonly PhoneCall[], ringing = false) =>
  operator.world.until(
    () =>
      calls.every(({ state, progress }) => state === 'up' || state === 'ended' || (ringing && progress.includes(180))),
    20_000,
    `outcomes: ${calls.map(({ state, status }) => `${state} ${status}`)}`,
  );
const ofState = (calls: readonly PhoneCall[], ...states: string[]) =>
  calls.filter(({ state }) => states.includes(state)).length;

describe('a trunk with one place', () => {
  let trunk: string;
  beforeEach(async () => {
    trunk = (await operator.ask('trunk.create', trunkTo(world, { maxCalls: 1 }))).id;
  });

  test('takes one of two calls that begin at two processes in one moment, time and again', async () => {
    for (let round = 0; round < 6; round++) {
      const calls = await dialled([
        [round % 2 === 0 ? here : there, OUTSIDE],
        [round % 3 === 0 ? bob : here, OUTSIDE],
        [there, OUTSIDE],
      ]);
      await settled(calls);
      expect([ofState(calls, 'up'), ofState(calls, 'ended')]).toEqual([1, 2]);
      for (const call of calls) if (call.state === 'up') call.hangup();
      await operator.world.run(500);
    }
    expect(world.requests.filter((text) => text.startsWith('INVITE '))).toHaveLength(6);
  });

  test('lets one in of two that come at two processes in one moment', async () => {
    const doors = [operator.at(0).server, operator.at(1).server];
    const hosts = ['10.5.0.8', '10.5.0.9'];
    const carriers = await Promise.all(hosts.map((host, i) => carrier(operator.world, host, {}, doors[i])));
    await operator.ask('trunk.set', { trunk, ...trunkTo(world, { maxCalls: 1, addresses: hosts }) });
    await operator.world.run(100);
    for (let round = 0; round < 3; round++) {
      const calls = await Promise.all(carriers.map(({ phone }) => phone.dial(line(1).number)));
      await settled(calls);
      expect([ofState(calls, 'up'), ofState(calls, 'ended')]).toEqual([1, 1]);
      for (const call of calls) if (call.state === 'up') call.hangup();
      await operator.world.run(500);
    }
  });

  test('gives the place of a process that is killed while its call rings to another one', async () => {
    world.phone.manner = 'ring';
    const [first] = await dialled([[there, OUTSIDE]]);
    await operator.world.until(() => first?.progress.includes(180) === true, 5_000, 'the ring');
    operator.fleet?.kill(1);
    await operator.world.run(50);
    world.phone.manner = 'answer';
    const calls = await dialled([[here, OUTSIDE]]);
    await settled(calls);
    expect(ofState(calls, 'up')).toBe(1);
  });

  test('has none for others while a call that was taken up from a killed process goes on', async () => {
    const calls = await dialled([[there, OUTSIDE]]);
    await settled(calls);
    await operator.world.run(500);
    operator.fleet?.kill(1);
    await operator.world.run(1_000);
    const more = await dialled([[here, OUTSIDE]]);
    await settled(more);
    expect([ofState(calls, 'up'), ofState(more, 'up')]).toEqual([1, 0]);
    calls[0]?.hangup();
    await operator.world.run(500);
    const last = await dialled([[here, OUTSIDE]]);
    await settled(last);
    expect(ofState(last, 'up')).toBe(1);
  });

  test('has as many as its settings say from then on', async () => {
    const set = (maxCalls: number) => operator.ask('trunk.set', { trunk, ...trunkTo(world, { maxCalls }) });
    await set(40);
    const calls = await dialled([
      [here, OUTSIDE],
      [bob, OUTSIDE],
    ]);
    await settled(calls);
    expect(ofState(calls, 'up')).toBe(2);
    // Both processes hold more places than they use.
    await set(2);
    await operator.world.run(100);
    const more = await dialled([
      [here, OUTSIDE],
      [bob, OUTSIDE],
    ]);
    await settled(more);
    expect(ofState(more, 'up')).toBe(0);
    await set(3);
    await operator.world.run(100);
    const last = await dialled([
      [here, OUTSIDE],
      [bob, OUTSIDE],
    ]);
    await settled(last);
    expect(ofState(last, 'up')).toBe(1);
  });
});

describe('four calls of a line', () => {
  test('that calls from two processes at once', async () => {
    bob.manner = 'ring';
    const third = await operator.line('home_2', 3);
    const quiet = await operator.ready(third, { ...operator.at(0), manner: 'ring' });
    // Two numbers, so that the limit of whom they call says nothing.
    const calls = await dialled(
      Array.from(
        { length: 8 },
        (_none, i) => [i % 2 === 0 ? here : there, (i % 4 < 2 ? line(1) : third).number] as const,
      ),
    );
    await settled(calls, true);
    expect(ofState(calls, 'ended')).toBe(4);
    expect(calls.filter(({ state }) => state === 'ended').map(({ status }) => status)).toEqual([403, 403, 403, 403]);
    expect(bob.calls.length + quiet.calls.length).toBe(4);
  });

  test('that is called by way of two processes at once', async () => {
    here.manner = 'ring';
    there.manner = 'ring';
    const more = [await operator.line('home_2', 3), await operator.line('home_2', 4)];
    const phones = [bob];
    for (const [i, one] of more.entries()) phones.push(await operator.ready(one, operator.at(i)));
    const calls = await dialled(
      Array.from({ length: 9 }, (_none, i) => [phones[i % 3] as Phone, line(0).number] as const),
    );
    await settled(calls, true);
    expect(calls.filter(({ state }) => state === 'ended').map(({ status }) => status)).toEqual([
      486, 486, 486, 486, 486,
    ]);
    calls.find(({ state }) => state !== 'ended')?.hangup();
    await operator.world.run(500);
    const [next] = await dialled([[bob, line(0).number]]);
    await operator.world.until(() => next?.progress.includes(180) === true, 5_000, 'the ring');
  });
});
