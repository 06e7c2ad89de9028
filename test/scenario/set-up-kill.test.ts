/** A softswitch process is killed at any instant of a call that is being made: no phone is left ringing, none talks alone, and each leg has one record. */
import { afterEach, expect, test } from 'vitest';
import type { Phone, PhoneCall, PhoneOptions } from '#simulator/phone.ts';
import { isLong } from '#test/peers.ts';
import { seed } from '#test/support/seed.ts';
import { nothingLeft } from './nothing-left.ts';
import { type Line, Operator } from './operator.ts';

/** Milliseconds of ringing, and of an instant at which a process may be killed. */
const RINGS = 300;
const STEP = isLong ? 1 : 2;
/** Milliseconds of ringing before a call is kept, with its commit: a kill in that time leaves the caller to its own patience. */
const UNKEPT = 190;

let operator: Operator;
let alice: Phone;
let bob: Phone;
let b: Line;
afterEach(() => operator.stop());

async function open(of: number, more: Partial<PhoneOptions> = {}): Promise<void> {
  operator = await Operator.start(of, undefined, undefined, 2);
  const a = await operator.line(await operator.home('home_1'), 1);
  b = await operator.line(await operator.home('home_2'), 2);
  if (operator.fleet !== undefined) operator.fleet.delay = 2;
  alice = await operator.ready(a, operator.at(0));
  bob = await operator.ready(b, { ...operator.at(0), answerAfter: RINGS, ...more });
}

const last = (): PhoneCall | undefined => bob.calls.at(-1);
const states = (call: PhoneCall) => [call.state, last()?.state];
const run = (ms: number) => operator.world.run(ms);

/** Dials, and kills the process of the call so many ms later. */
async function killedAt(ms: number): Promise<PhoneCall> {
  const call = await alice.dial(b.number);
  await run(ms);
  operator.fleet?.kill(0);
  return call;
}

/** Both phones are in the call, or neither is; what is up can be ended by either. */
async function agreed(call: PhoneCall, by: 'caller' | 'callee'): Promise<string> {
  await operator.world.until(() => operator.fleet?.lives(0) === true, 9_000, 'it to be back');
  await run(200);
  const settled = () => call.state === last()?.state && call.state !== 'ringing';
  // It comes again ever later, up to 5 s.
  await operator.world.until(settled, 9_000, 'both to know').catch(() => undefined);
  await run(300);
  if (call.state === 'up' && last()?.state === 'up') {
    const heard = call.heard().length;
    await run(200);
    expect(call.heard().length).toBeGreaterThan(heard);
    if (by === 'caller') call.hangup();
    else last()?.hangup();
    await run(1_500);
    expect(states(call)).toEqual(['ended', 'ended']);
    return 'up';
  }
  expect([call.state, call.status]).toEqual(['ended', 503]);
  await run(3_000);
  expect([undefined, 'ended']).toContain(last()?.state);
  return 'ended';
}

test('whoever is being rung or answers goes on with it once the process is back', async () => {
  await open(seed);
  const outcomes: string[] = [];
  for (let ms = UNKEPT; ms < RINGS + 80; ms += ms > RINGS - 10 ? STEP : 40) {
    outcomes.push(
      await agreed(await killedAt(ms), ms % 4 === 0 ? 'caller' : 'callee').catch(
        (error: unknown) => `after ${ms} ms: ${String(error)}`,
      ),
    );
  }
  expect(new Set(outcomes)).toEqual(new Set(['up']));
  await run(40_000);
  expect(await nothingLeft(operator)).toEqual([]);
}, 60_000);

test('where the process does not come back another one ends what rang, for both', async () => {
  for (const ms of [UNKEPT, RINGS + 22]) {
    await open(seed);
    operator.fleet?.bar(0, true);
    const call = await killedAt(ms);
    // Who answered while nobody was there gives up without an ACK (RFC 3261 section 13.3.1.4).
    await run(40_000);
    expect([...states(call), call.status]).toEqual(ms === UNKEPT ? ['ended', 'ended', 503] : ['up', 'up', 0]);
    const [session] = (await operator.ask('session.list', {})).items;
    if (call.state === 'up') await operator.ask('session.end', { session: session?.id ?? '' });
    await run(40_000);
    expect([...states(call), await nothingLeft(operator)]).toEqual(['ended', 'ended', []]);
    if (ms === UNKEPT) await operator.stop();
  }
});
