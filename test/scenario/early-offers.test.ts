/** What phones say of their sound before the answer, and when one that knows nothing of the call asks: straight, and through media of ours. */
import { afterEach, describe, expect, test } from 'vitest';
import { levelOf, sine } from '#shared/rtp/measure.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
let heard: string[] = [];
afterEach(() => operator.stop());

/** Two lines, and a phone at each that knows reliable provisional responses; the second does not answer by itself. */
async function pair(
  seed: number,
  ways: readonly [relay: boolean, early: boolean],
): Promise<{ alice: Phone; bob: Phone; b: Line }> {
  const [relay, early] = ways;
  heard = [];
  operator = await Operator.start(seed);
  const a = await operator.line(await operator.home('home_1'), 1);
  const b = await operator.line(await operator.home('home_2'), 2);
  const more = { early, ...(relay ? { believes: '192.168.7.7' } : {}) };
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && heard.push(text));
  const alice = await operator.ready(a, { ...more, voice: sine(600, -10, 8000), trace });
  const bob = await operator.ready(b, { ...more, manner: 'ring', voice: sine(900, -10, 8000) });
  return { alice, bob, b };
}

async function ringing(alice: Phone, bob: Phone, b: Line): Promise<[PhoneCall, PhoneCall]> {
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'ringing', 6_000, 'ringing');
  await operator.world.run(1_000);
  const [coming] = bob.calls;
  if (coming === undefined) throw new Error('no call came');
  return [call, coming];
}

/** What each of the two hears in the next second, by its tone. */
async function sound(call: PhoneCall, coming: PhoneCall): Promise<[boolean, boolean]> {
  const before = [call.heard().length, coming.heard().length] as const;
  await operator.world.run(1_500);
  const tail = (one: PhoneCall, from: number) => one.heard().subarray(from).subarray(-4000);
  const [at, to] = [tail(call, before[0]), tail(coming, before[1])];
  return [at.length > 2000 && levelOf(at, 900) > -16, to.length > 2000 && levelOf(to, 600) > -16];
}

describe.each([
  ['straight', false],
  ['through media of ours', true],
] as const)('sound %s before the answer', (_how, relay) => {
  test.each(['caller', 'callee'] as const)(
    'is changed by the %s, and the call is answered with what holds then',
    async (who) => {
      const { alice, bob, b } = await pair(relay ? 71 : 72, [relay, true]);
      const [call, coming] = await ringing(alice, bob, b);
      expect(await sound(call, coming)).toEqual([true, true]);
      const [holder, held] = who === 'caller' ? [call, coming] : [coming, call];
      holder.hold(true);
      await operator.world.run(500);
      // By relay the other side hears of it once the call is up.
      expect(held.held).toBe(!relay);
      holder.hold(false);
      await operator.world.run(500);
      expect(await sound(call, coming)).toEqual([true, true]);
      coming.answer();
      await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
      expect(await sound(call, coming)).toEqual([true, true]);
      const answered = heard.findLast((text) => text.startsWith('SIP/2.0 200') && text.includes(' INVITE\r\n')) ?? '';
      // What was answered by UPDATE is not said again (RFC 6337 section 3.1.1).
      expect(answered.includes('m=audio')).toBe(relay && who === 'callee');
      call.hold(true);
      await operator.world.until(() => coming.held, 5_000, 'hold');
      call.hangup();
      await operator.world.run(1_000);
      expect([coming.state, (await operator.ask('channel.list', {})).items]).toEqual(['ended', []]);
    },
  );
});

test('a hold from before the answer by relay is told on once the call is up', async () => {
  const { alice, bob, b } = await pair(73, [true, true]);
  const [call, coming] = await ringing(alice, bob, b);
  call.hold(true);
  await operator.world.run(500);
  coming.answer();
  await operator.world.until(() => coming.held, 6_000, 'hold');
  call.hold(false);
  await operator.world.until(() => !coming.held, 6_000, 'the end of hold');
  expect(await sound(call, coming)).toEqual([true, true]);
});

test.each(['caller', 'callee'] as const)(
  'after a restart of the softswitch the %s asks for an offer, and both talk on',
  async (who) => {
    const { alice, bob, b } = await pair(74, [false, false]);
    const [call, coming] = await ringing(alice, bob, b);
    coming.answer();
    await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
    await operator.stopPart('softswitch');
    await operator.startPart('softswitch');
    await operator.world.run(3_000);
    const asker = who === 'caller' ? call : coming;
    const invites = () => heard.filter((text) => text.startsWith('INVITE')).length;
    const before = invites();
    asker.ask();
    await operator.world.run(2_000);
    expect([asker.asked, call.state, coming.state]).toEqual([false, 'up', 'up']);
    expect(invites() - before).toBe(who === 'caller' ? 0 : 1);
    expect(await sound(call, coming)).toEqual([true, true]);
    coming.hold(true);
    await operator.world.until(() => call.held, 5_000, 'hold');
    call.hangup();
    await operator.world.until(() => coming.state === 'ended', 5_000, 'the end');
  },
);
