/** Limits that hold for all softswitch processes together: calls of a line and a trunk, what a home spends, guessed passwords. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
let lines: Line[];
let world: Carrier;
/** Phones of one line of home_1, at process 0 and 1; and one of home_2 at process 1. */
let here: Phone;
let there: Phone;
let bob: Phone;

beforeEach(async () => {
  operator = await Operator.start(81, undefined, undefined, 2);
  const homes = [await operator.home('home_1'), await operator.home('home_2')] as const;
  lines = [await operator.line(homes[0], 1), await operator.line(homes[1], 2)];
  here = await operator.ready(line(0), operator.at(0));
  there = await operator.ready(line(0), { ...operator.at(1), host: '10.1.0.99' });
  bob = await operator.ready(line(1), operator.at(1));
  world = await carrier(operator.world, '10.5.0.1');
});
afterEach(() => operator.stop());

/** What begins in one moment at two processes has not heard of the other. */
function slowLinks(): void {
  if (operator.fleet !== undefined) operator.fleet.delay = 3;
}
const line = (n: number): Line => lines[n] as Line;
const abroad = '+442071838750';
const premium = '+19005550123';
const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 8_000, `the answer: ${call.status}`);
const trunk = () => operator.ask('trunk.create', trunkTo(world));
const barred = async () =>
  (await operator.ask('barring.list', {})).items.map(({ home, reason }) => `${home} ${reason}`);

async function outcome(phone: Phone, to: string): Promise<number> {
  const call = await phone.dial(to);
  await operator.world.until(() => call.state === 'up' || call.state === 'ended', 8_000, 'an outcome');
  return call.state === 'up' ? 200 : call.status;
}

describe('calls of one line', () => {
  test('are counted at all processes, and no longer once they have ended or their process has', async () => {
    bob.manner = 'ring';
    // Each of these counts for the caller's line; bob's rings for every one of them.
    const calls = [
      await here.dial(line(1).number),
      await there.dial(line(1).number),
      await here.dial(line(1).number),
      await there.dial(line(1).number),
    ];
    await operator.world.run(500);
    expect([await outcome(here, line(1).number), await outcome(there, line(1).number)]).toEqual([403, 403]);
    calls[0]?.hangup();
    await operator.world.run(500);
    const next = await there.dial(line(1).number);
    await operator.world.until(() => next.state === 'ringing' || next.progress.includes(180), 5_000, 'the next call');
    expect(await outcome(here, line(1).number)).toBe(403);
    operator.fleet?.kill(1);
    await operator.world.run(100);
    const again = await here.dial(line(1).number);
    await operator.world.run(300);
    expect(again.state).not.toBe('ended');
  });

  test('count a call that is handed on once', async () => {
    slowLinks();
    const third = await operator.line('home_1', 3);
    const ringing = await operator.ready(third, { ...operator.at(0), manner: 'ring' });
    for (const one of [there, there, there]) await up(await one.dial(line(1).number));
    // At process 0, where the three are not.
    const dave = await operator.ready(await operator.line('home_2', 4), operator.at(0));
    await dave.dial(third.number);
    await operator.world.until(() => ringing.calls.at(-1)?.state === 'ringing', 5_000, 'the ring');
    expect(await outcome(there, '*8')).toBe(200);
    expect(await outcome(here, line(1).number)).toBe(403);
  });

  test('a called line is busy with the fifth', async () => {
    bob.manner = 'ring';
    const third = await operator.line('home_2', 3);
    const phone = await operator.ready(third, operator.at(0));
    for (const one of [here, there, here, there]) void one.dial(line(1).number);
    await operator.world.run(500);
    expect(await outcome(phone, line(1).number)).toBe(486);
  });
});

test('a trunk takes so many calls in all', async () => {
  await operator.ask('trunk.create', trunkTo(world, { maxCalls: 2 }));
  const calls = [await here.dial('+12125550100'), await there.dial('+12125550100')];
  for (const call of calls) await up(call);
  for (const phone of [here, bob]) expect(await outcome(phone, '+12125550100')).toBeGreaterThanOrEqual(500);
  expect(world.requests.filter((text) => text.startsWith('INVITE '))).toHaveLength(2);
});

describe('what a home spends', () => {
  test('calls at once are one account, also for two that begin in the same moment', async () => {
    slowLinks();
    await trunk();
    await operator.ask('outside.limits.set', { costlyAtOnce: 1 });
    const calls = await Promise.all([here.dial(abroad), there.dial(abroad)]);
    await operator.world.run(1_000);
    expect(calls.map(({ state }) => state).sort()).toEqual(['ended', 'up']);
    expect(await barred()).toEqual([]);
    calls.find(({ state }) => state === 'up')?.hangup();
    await operator.world.run(1_000);
    expect(await outcome(there, abroad)).toBe(200);
    expect(await outcome(bob, abroad)).toBe(200);
  });

  test('one too many within the hour bars the home at all processes, until that is lifted', async () => {
    await trunk();
    await operator.ask('outside.limits.set', { premiumPerHour: 2 });
    for (const phone of [here, there]) {
      const call = await phone.dial(premium);
      await up(call);
      call.hangup();
      await operator.world.run(500);
    }
    expect(await outcome(there, premium)).toBe(403);
    await operator.world.run(500);
    expect(await barred()).toEqual(['home_1 premium']);
    expect(await outcome(here, '+12125550100')).toBe(403);
    await operator.ask('barring.lift', { home: 'home_1' });
    await operator.world.run(100);
    expect([await outcome(here, premium), await outcome(there, premium)]).toEqual([200, 200]);
  });

  test('money: calls of both processes that are too dear together are ended, also after one was started again', async () => {
    await trunk();
    await operator.ask('outside.limits.set', { spendPerHour: 100_000 });
    const calls = [await here.dial(abroad), await there.dial(abroad)];
    for (const call of calls) await up(call);
    operator.fleet?.kill(1);
    await operator.world.run(20_000);
    expect(calls.map(({ state }) => state)).toEqual(['up', 'up']);
    // One alone would have lasted twice as long.
    await operator.world.run(20_000);
    expect(calls.map(({ state }) => state)).toEqual(['ended', 'ended']);
    expect(await barred()).toEqual(['home_1 spend']);
    const rows = await operator.store.all('SELECT 1 FROM outside_call WHERE ended_at IS NULL');
    expect(rows).toEqual([]);
  });
});

test('who guesses passwords has one budget of guesses', async () => {
  const guess = async (process: number) => {
    const more = { ...operator.at(process), host: '10.1.0.66', password: 'wrong' };
    const phone = await operator.phone(line(0), more);
    return operator.world.settle(phone.register());
  };
  const statuses: number[] = [];
  for (let i = 0; i < 12; i++) statuses.push(await guess(i % 2));
  expect(statuses.slice(0, 9).every((status) => status === 401)).toBe(true);
  expect(statuses.slice(10)).toEqual([403, 403]);
});
