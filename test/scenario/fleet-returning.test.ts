/** Phones whose connection was at one softswitch process come back at another one in the middle of a call (RFC 5626 section 5.3). */
import { afterEach, describe, expect, test } from 'vitest';
import type { Address } from '#shared/kernel/world.ts';
import type { Phone, PhoneCall, PhoneOptions } from '#simulator/phone.ts';
import { Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator.stop());

const named = { instance: 'urn:uuid:00000000-0000-1000-8000-00000000aaaa' };

/** Where a process listens for connections. */
function connections(process: number): Address {
  const at = operator.config.bound.softswitches?.[process]?.sipTcp;
  if (at === undefined) throw new Error(`no softswitch process ${process}`);
  return at;
}

interface Talk {
  readonly call: PhoneCall;
  readonly coming: PhoneCall;
  readonly bob: Phone;
}

/** Alice calls bob; her connection and the call are with process 0, his is with process `at`. */
async function talk(seed: number, at: number, more: Partial<PhoneOptions> = named): Promise<Talk> {
  operator = await Operator.start(seed, undefined, undefined, 2);
  const a = await operator.line(await operator.home('home_1'), 1);
  const b = await operator.line(await operator.home('home_2'), 2);
  const alice = await operator.ready(a, operator.at(0));
  const bob = await operator.ready(b, { protocol: 'tcp', server: connections(at), ...more });
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
  await operator.world.run(1_000);
  const [coming] = bob.calls;
  if (coming === undefined) throw new Error('no call came');
  return { call, coming, bob };
}

async function back(bob: Phone, at: number): Promise<void> {
  expect(await operator.world.settle(bob.reconnect(connections(at)))).toBe(200);
  await operator.world.run(500);
}

/** What is for him reaches him before he says a word in the call, and what he says counts. */
async function heard({ call, coming }: Talk): Promise<void> {
  for (const on of [true, false]) {
    call.hold(on);
    await operator.world.until(() => coming.held === on, 3_000, 'hold');
  }
  call.hangup();
  await operator.world.until(() => coming.state === 'ended', 3_000, 'the end');
  expect(coming.why).toBe('bye');
  await operator.world.run(1_000);
  expect((await operator.ask('channel.list', {})).items).toEqual([]);
}

describe.each<[string, Partial<PhoneOptions>]>([
  ['by its Contact', { keepsContact: true }],
  ['by its instance', named],
])('a phone that is known again %s', (_how, more) => {
  test.each([
    ['from the process of its call to another one', 0, [1]],
    ['from another process to that of its call', 1, [0]],
    ['away and home again', 0, [1, 0, 1]],
  ])('comes back %s', async (_way, first, then) => {
    const all = await talk(91, first, more);
    for (const at of then) await back(all.bob, at);
    await heard(all);
  });
});

test('its own end is heard wherever it is', async () => {
  const { call, coming, bob } = await talk(92, 0);
  await back(bob, 1);
  coming.hangup();
  await operator.world.until(() => call.state === 'ended', 3_000, 'the end');
  expect((await operator.ask('channel.list', {})).items).toEqual([]);
});

describe('whose process has died', () => {
  test('is found where it came back before the call was taken up', async () => {
    const { call, coming, bob } = await talk(93, 0);
    operator.fleet?.bar(0, true);
    operator.fleet?.kill(0);
    await back(bob, 1);
    await operator.world.run(12_000);
    const [{ owner } = { owner: '' }] = await operator.store.all<{ owner: string }>('SELECT owner FROM channel');
    expect(owner).toMatch(/^1-/);
    const session = (await operator.ask('session.list', {})).items[0]?.id ?? '';
    await operator.ask('session.end', { session });
    // An ACK that went to the dead process is waited for: BYE may not come before it.
    await operator.world.until(() => coming.state === 'ended' && call.state === 'ended', 5_000, 'the end');
    expect(coming.why).toBe('bye');
  });

  test('is found where it comes back after that', async () => {
    const { call, coming, bob } = await talk(94, 0);
    operator.fleet?.bar(0, true);
    operator.fleet?.kill(0);
    await operator.world.run(15_000);
    await back(bob, 1);
    const session = (await operator.ask('session.list', {})).items[0]?.id ?? '';
    await operator.ask('session.end', { session });
    await operator.world.until(() => coming.state === 'ended' && call.state === 'ended', 3_000, 'the end');
    expect(coming.why).toBe('bye');
  });

  test('is told of the end at the process that came again in its place', async () => {
    const all = await talk(95, 0);
    operator.fleet?.kill(0);
    await operator.world.until(() => operator.fleet?.lives(0) === true, 5_000, 'it to be back');
    await operator.world.run(1_000);
    await back(all.bob, 1);
    await heard(all);
  });

  test('and that does not come back at all loses the call, for both', async () => {
    const { call } = await talk(96, 0);
    operator.fleet?.bar(0, true);
    operator.fleet?.kill(0);
    await operator.world.run(60_000);
    expect((await operator.ask('session.list', {})).items[0]?.state).toBe('active');
    await operator.world.until(() => call.state === 'ended', 60_000, 'the end');
    await operator.world.run(2_000);
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });

  test.each(['before', 'after'])(
    'and that is behind a gateway is found where that came back %s the call was taken up',
    async (when) => {
      operator = await Operator.start(97, undefined, undefined, 2);
      const homes = [await operator.home('home_1'), await operator.home('home_2')] as const;
      const [a, b] = [await operator.line(homes[0], 1), await operator.line(homes[1], 2)];
      const gateway = operator.behind(await operator.gateway(homes[1], 1));
      const secure = (n: number) => operator.config.bound.softswitches?.[n]?.sips ?? connections(n);
      const alice = await operator.ready(a, operator.at(1));
      const bob = await operator.ready(b, { ...gateway, server: secure(0) });
      const call = await alice.dial(b.number);
      await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
      // The calling side is the dead process's own too.
      await operator.world.run(25_000);
      const owners = async () =>
        (await operator.store.all<{ owner: string }>('SELECT owner FROM channel')).map(({ owner }) => owner);
      operator.fleet?.bar(0, true);
      operator.fleet?.kill(0);
      if (when === 'after') await operator.world.run(15_000);
      expect(await operator.world.settle(bob.reconnect(secure(1)))).toBe(200);
      await operator.world.run(15_000);
      expect(await owners()).toEqual([expect.stringMatching(/^1-/)]);
      call.hangup();
      await operator.world.until(() => bob.calls[0]?.state === 'ended', 3_000, 'the end');
      expect(bob.calls[0]?.why).toBe('bye');
    },
  );
});
