/** What a home may do outside: caps, automatic barring, and what goes on all the same. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sql } from '#cloud/store/store.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
let a: Line;
let b: Line;
let alice: Phone;
let bob: Phone;
let world: Carrier;

beforeEach(async () => {
  operator = await Operator.start(81);
  [a, b] = [
    await operator.line(await operator.home('home_1'), 1),
    await operator.line(await operator.home('home_2'), 2),
  ];
  [alice, bob] = [await operator.ready(a), await operator.ready(b)];
  world = await carrier(operator.world, '10.5.0.1');
  await operator.ask('trunk.create', trunkTo(world));
});
afterEach(() => operator.stop());

const abroad = '+442071838750';
const premium = '+19005550123';
const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 8_000, 'the answer');
const ended = (call: PhoneCall) => operator.world.until(() => call.state === 'ended', 20_000, 'the end');
const barred = async () =>
  (await operator.ask('barring.list', {})).items.map(({ home, reason }) => `${home} ${reason}`);

async function refused(call: PhoneCall): Promise<number> {
  await ended(call);
  return call.status;
}

async function short(phone: Phone, to: string): Promise<void> {
  const call = await phone.dial(to);
  await up(call);
  call.hangup();
  await operator.world.run(200);
}

test('premium calls: one too many bars the home, and nothing else of its life', async () => {
  await operator.ask('outside.limits.set', { premiumPerHour: 2 });
  for (let i = 0; i < 2; i++) await short(alice, premium);
  expect(await barred()).toEqual([]);
  expect(await refused(await alice.dial(premium))).toBe(403);
  expect(await barred()).toEqual(['home_1 premium']);
  expect(await refused(await alice.dial('+12125550100'))).toBe(403);
  await short(alice, b.number);
  await short(bob, premium);
  await operator.ask('barring.lift', { home: 'home_1' });
  await short(alice, premium);
});

test('money: running calls that grow too dear are ended, and the bar outlives a restart', async () => {
  await operator.ask('outside.limits.set', { spendPerHour: 100_000 });
  const call = await alice.dial(abroad);
  await up(call);
  await operator.world.run(30_000);
  expect(call.state).toBe('up');
  await operator.world.until(() => call.state === 'ended', 60_000, 'the end');
  expect(await barred()).toEqual(['home_1 spend']);
  const events = await operator.store.all<{ type: string }>("SELECT type FROM event WHERE type LIKE 'home.barring%'");
  expect(events).toHaveLength(1);
  await operator.stopPart('softswitch');
  await operator.startPart('softswitch');
  expect(await refused(await alice.dial(abroad))).toBe(403);
});

test('calls at once', async () => {
  await operator.ask('outside.limits.set', { atOnce: 2, costlyAtOnce: 1 });
  await up(await alice.dial(abroad));
  expect(await refused(await alice.dial(premium))).toBe(403);
  await up(await alice.dial('+12125550100'));
  expect(await refused(await alice.dial('+12125550100'))).toBe(403);
  expect(await barred()).toEqual([]);
});

test('a line that forwards to a premium number answers for it, not its caller', async () => {
  await operator.ask('outside.limits.set', { premiumPerHour: 1 });
  const forward = { always: premium };
  await operator.ask('line.features.set', { home: 'home_2', line: b.id, features: { forward } });
  await short(alice, b.number);
  expect(await refused(await alice.dial(b.number))).toBe(403);
  expect(await barred()).toEqual(['home_2 premium']);
  await short(alice, premium);
});

test('the session manager away changes nothing of it', async () => {
  await operator.ask('barring.set', { home: 'home_1', reason: 'unpaid' });
  await operator.stopPart('session-manager');
  expect(await refused(await alice.dial(abroad))).toBe(403);
});

test('an unmetered line, for load tests, has no caps', async () => {
  await operator.ask('outside.limits.set', { atOnce: 0 });
  await operator.store.commit([sql("UPDATE line SET class = 'unmetered' WHERE id = 'line_1'")]);
  operator.bus.publish('lines.changed', { home: 'home_1' });
  await operator.world.run(50);
  await short(alice, abroad);
});
