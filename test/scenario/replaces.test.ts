/** Phones that take a call over or up by INVITE with Replaces (RFC 3891), straight at the softswitch. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone } from '#simulator/phone.ts';
import { carrier, trunkTo } from '#test/support/carrier.ts';
import { fourPhones, operatorWords, replacing, THIRD } from './four-phones.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';
import { expectHears, TONES } from './two-homes.ts';
import { last } from './words.ts';

let operator: Operator;
let line: (n: number) => Line;
let alice: Phone;
let bob: Phone;
let carol: Phone;
let dave: Phone;

beforeEach(async () => {
  operator = await Operator.start(93);
  ({ alice, bob, carol, dave, line } = await fourPhones(operator));
});
afterEach(() => operator.stop());

const { until, talk } = operatorWords(() => operator);

async function refused(phone: Phone, headers: readonly (readonly [string, string])[]): Promise<number> {
  const call = await phone.dial(line(1).number, headers);
  await until(() => call.state === 'ended', 'the refusal');
  return call.status;
}

const records = async () => {
  await operator.world.run(12_000);
  return (await operator.ask('cdr.list', {})).items.map(({ from, to, reason }) => `${from} ${to} ${reason}`).sort();
};

describe('a call that is up', () => {
  test.each([
    ['who was called', () => talk(alice, line(1)), () => alice, () => bob],
    ['who called', () => talk(bob, line(0)), () => alice, () => bob],
  ])('goes on with another phone of the home in the place of %s', async (_who, begin, stays, leaves) => {
    await begin();
    const gone = last(leaves());
    const call = last(stays());
    const taken = await carol.dial(line(0).number, replacing(leaves(), gone));
    await until(() => taken.state === 'up' && gone.state === 'ended', 'the take-over');
    expect(gone.why).toBe('bye');
    expect(call.state).toBe('up');
    await operator.world.run(1_500);
    expectHears(call.heard().subarray(-6_000), THIRD, TONES.a);
    expectHears(taken.heard(), TONES.a, THIRD);
    const [session] = (await operator.ask('session.list', {})).items;
    expect(session?.legs.map(({ state, reason }) => reason ?? state).sort()).toEqual(['transferred', 'up', 'up']);
    taken.hangup();
    await until(() => call.state === 'ended', 'the end');
    const [a, b, c] = [line(0).number, line(1).number, line(2).number];
    const first = leaves() === bob && call.outgoing ? `${a} ${b}` : `${b} ${a}`;
    expect(await records()).toEqual([`${a} ${c} hangup`, `${first} hangup`, `${first} transferred`].sort());
    expect((await operator.ask('session.list', {})).items).toHaveLength(1);
  });

  test('costs whom it cost before, also for the time with the other phone', async () => {
    const call = await talk(alice, line(1));
    await operator.world.run(60_000);
    const taken = await carol.dial(line(1).number, replacing(bob, last(bob)));
    await until(() => taken.state === 'up' && last(bob).state === 'ended', 'the take-over');
    await operator.world.run(60_000);
    call.hangup();
    await operator.world.run(12_000);
    const { items } = await operator.ask('cdr.list', {});
    const price = (to: Line) => items.find((one) => one.to === to.number && one.price > 0)?.price ?? 0;
    expect([price(line(1)) > 0, price(line(2)) > 0]).toEqual([true, true]);
    expect(items.filter((one) => one.price > 0)).toHaveLength(2);
  });

  test('is found by the tags as the other phone has them too (as a busy lamp tells them)', async () => {
    await talk(alice, line(1));
    const { callId, localTag, remoteTag } = bob.dialogOf(last(bob));
    const name = `${callId};to-tag=${localTag};from-tag=${remoteTag}`;
    const taken = await carol.dial(line(1).number, [['Replaces', name]]);
    await until(() => taken.state === 'up' && last(bob).state === 'ended', 'the take-over');
  });

  test('goes from one phone of a line to the next, and back', async () => {
    const call = await talk(alice, line(1));
    for (const [to, from] of [
      [carol, bob],
      [bob, carol],
    ] as const) {
      const gone = last(from);
      const taken = await to.dial(line(1).number, replacing(from, gone));
      await until(() => taken.state === 'up' && gone.state === 'ended', 'the take-over');
      await operator.world.run(500);
    }
    expect(call.state).toBe('up');
    last(bob).hangup();
    await until(() => call.state === 'ended', 'the end');
    expect(await records()).toHaveLength(4);
  });

  test('stays whose it is where the request is not right, or not for that home', async () => {
    const call = await talk(alice, line(1));
    const own = replacing(bob, last(bob));
    expect(await refused(dave, own)).toBe(403);
    expect(await refused(carol, replacing(bob, last(bob), ';early-only'))).toBe(486);
    expect(await refused(carol, [['Replaces', 'nobody;to-tag=a;from-tag=b']])).toBe(481);
    expect(await refused(carol, [['Replaces', 'nobody;to-tag=a']])).toBe(400);
    expect(await refused(carol, [...own, ...own])).toBe(400);
    expect(await refused(carol, [...own, ['Join', 'a;to-tag=b;from-tag=c']])).toBe(400);
    expect([call.state, last(bob).state]).toEqual(['up', 'up']);
    call.hangup();
    await until(() => last(bob).state === 'ended', 'the end');
    expect(await refused(carol, own)).toBe(603);
    await operator.world.run(40_000);
    expect(await refused(carol, own)).toBe(481);
  });

  test('stays as it was where the other side will not send its sound elsewhere', async () => {
    const stubborn = await operator.ready(line(3), { host: '10.1.0.77', fixed: true });
    await operator.world.settle(dave.register(0));
    const call = await talk(stubborn, line(1));
    expect(await refused(carol, replacing(bob, last(bob)))).toBe(480);
    expect([call.state, last(bob).state]).toEqual(['up', 'up']);
    call.hangup();
    await until(() => last(bob).state === 'ended', 'the end');
  });

  test('is not touched by a caller that gives up meanwhile', async () => {
    const call = await talk(alice, line(1));
    operator.world.partition(['phone-10.1.0.11']);
    const taken = await carol.dial(line(1).number, replacing(bob, last(bob)));
    await operator.world.run(1_000);
    taken.hangup();
    await operator.world.run(1_000);
    operator.world.heal();
    await operator.world.run(20_000);
    expect([call.state, last(bob).state, taken.state]).toEqual(['up', 'up', 'ended']);
    call.hangup();
    await until(() => last(bob).state === 'ended', 'the end');
    await operator.world.run(1_000);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });

  test('cannot be taken while the session manager is away; it goes on', async () => {
    const call = await talk(alice, line(1));
    await operator.stopPart('session-manager');
    expect(await refused(carol, replacing(bob, last(bob)))).toBe(503);
    expect(call.state).toBe('up');
  });

  test('is nothing for whoever calls from outside', async () => {
    const world = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(world));
    await talk(alice, line(1));
    const call = await operator.world.settle(world.phone.dial(line(1).number, replacing(bob, last(bob))));
    await until(() => call.state === 'ended', 'the refusal');
    expect(call.status).toBe(403);
  });
});

describe('a call that rings', () => {
  const rings = async () => {
    bob.manner = 'ring';
    const call = await alice.dial(line(1).number);
    await until(() => last(bob)?.state === 'ringing' && call.progress.includes(180), 'ringing');
    await operator.world.run(200);
    return call;
  };
  /** As the phone has it: with its own tag for the to-tag. */
  const early = (more = '') => {
    const { callId, localTag, remoteTag } = bob.dialogOf(last(bob));
    return [['Replaces', `${callId};to-tag=${localTag};from-tag=${remoteTag}${more}`]] as const;
  };

  test.each(['', ';early-only'])('is picked up by another phone of the home%s', async (more) => {
    const call = await rings();
    const taken = await carol.dial(line(1).number, early(more));
    await until(() => taken.state === 'up' && call.state === 'up' && last(bob).state === 'ended', 'the answer');
    expect(last(bob).why).toBe('cancel');
    await operator.world.run(1_500);
    expectHears(call.heard(), THIRD, TONES.a);
    expectHears(taken.heard(), TONES.a, THIRD);
    call.hangup();
    await until(() => taken.state === 'ended', 'the end');
    const [a, b, c] = [line(0).number, line(1).number, line(2).number];
    expect(await records()).toEqual([`${a} ${b} answered_elsewhere`, `${a} ${b} hangup`, `${a} ${c} hangup`].sort());
  });

  test('is nobody else’s, and cannot be taken from who calls', async () => {
    const call = await rings();
    expect(await refused(dave, early())).toBe(403);
    const { callId, localTag, remoteTag } = alice.dialogOf(call);
    const second = await operator.ready(line(0), { host: '10.1.0.66' });
    const name = `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
    expect(await refused(second, [['Replaces', name]])).toBe(481);
    expect([call.state, last(bob).state]).toEqual(['ringing', 'ringing']);
  });
});

describe('a transfer by REFER that names another call (RFC 5589 section 7)', () => {
  test('joins the far sides, of three homes', async () => {
    const first = await talk(alice, line(1));
    const second = await talk(alice, line(3));
    expect(await operator.world.settle(alice.refer(first, second))).toBe(202);
    await until(() => first.state === 'ended' && second.state === 'ended', 'the transfer');
    expect(first.notified.at(-1)).toMatch(/200/);
    await operator.world.run(1_000);
    expect([last(bob).state, last(dave).state]).toEqual(['up', 'up']);
    last(dave).hangup();
    await until(() => last(bob).state === 'ended', 'the end');
    expect(await records()).toHaveLength(5);
  });

  test('is refused for a call that is not the transferor’s own', async () => {
    const first = await talk(alice, line(1));
    const other = await talk(dave, line(2));
    const { callId, localTag, remoteTag } = dave.dialogOf(other);
    const name = encodeURIComponent(`${callId};to-tag=${remoteTag};from-tag=${localTag}`);
    expect(await operator.world.settle(alice.refer(first, `far@${DOMAIN}?Replaces=${name}&Subject=`))).toBe(403);
    expect([first.state, other.state, last(carol).state]).toEqual(['up', 'up', 'up']);
  });
});
