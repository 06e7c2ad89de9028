/** Direct phones that lose their connection in a call and come back over another: what is for them reaches them there (RFC 5626 section 5.3). */
import { afterEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall, PhoneOptions } from '#simulator/phone.ts';
import { headerIn } from '#test/support/carrier.ts';
import { Operator } from './operator.ts';

let operator: Operator;
afterEach(() => operator.stop());

const named = { instance: 'urn:uuid:00000000-0000-1000-8000-00000000aaaa' };

async function talk(
  seed: number,
  more: Partial<PhoneOptions>,
): Promise<{ alice: Phone; call: PhoneCall; coming: PhoneCall; bob: Phone }> {
  operator = await Operator.start(seed);
  const a = await operator.line(await operator.home('home_1'), 1);
  const b = await operator.line(await operator.home('home_2'), 2);
  const alice = await operator.ready(a);
  const bob = await operator.ready(b, { protocol: 'tcp', ...more });
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
  await operator.world.run(1_000);
  const [coming] = bob.calls;
  if (coming === undefined) throw new Error('no call came');
  return { alice, call, coming, bob };
}

describe.each<[string, Partial<PhoneOptions>]>([
  ['by its Contact', { keepsContact: true }],
  ['by its instance', named],
  ['by its instance and flow', { ...named, flowNumber: 1 }],
])('a phone that is known again %s', (_how, more) => {
  test('hears of a hold and of the end, and its own end is heard', async () => {
    const { call, coming, bob } = await talk(81, more);
    for (const on of [true, false]) {
      expect(await operator.world.settle(bob.reconnect())).toBe(200);
      await operator.world.run(1_000);
      call.hold(on);
      await operator.world.until(() => coming.held === on, 3_000, 'hold');
    }
    call.hangup();
    await operator.world.until(() => coming.state === 'ended', 3_000, 'the end');
    expect(coming.why).toBe('bye');
    expect((await operator.ask('channel.list', {})).items).toEqual([]);
  });
});

test('the new flow of a phone that called is used before its old connection is seen to be gone', async () => {
  operator = await Operator.start(82);
  const a = await operator.line(await operator.home('home_1'), 1);
  const b = await operator.line(await operator.home('home_2'), 2);
  const alice = await operator.ready(a, { protocol: 'tcp', ...named, flowNumber: 1 });
  await operator.ready(b);
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
  // The same phone at another address; that it knows nothing of the call ends it.
  const heard: string[] = [];
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && heard.push(text));
  await operator.ready(a, { host: '10.1.0.99', protocol: 'tcp', ...named, flowNumber: 1, trace });
  await operator.world.until(() => call.state === 'ended' || heard.length > 3, 3_000, 'to be asked');
  const asked = heard.find((text) => !text.startsWith('SIP/2.0')) ?? '';
  expect(asked).toMatch(/^OPTIONS /);
  expect(asked).toContain(`Call-ID: ${call.callId}`);
});

test.each<[string, Partial<PhoneOptions>]>([
  ['the same Contact', { keepsContact: true }],
  ['another port', named],
])('after a restart of the softswitch it is found at %s', async (_how, more) => {
  const { call, coming, bob } = await talk(84, more);
  await operator.stopPart('softswitch');
  await operator.startPart('softswitch');
  expect(await operator.world.settle(bob.reconnect())).toBe(200);
  await operator.world.run(1_000);
  call.hold(true);
  await operator.world.until(() => coming.held, 3_000, 'hold');
});

test('another phone of the line is not taken for it', async () => {
  const { call, bob } = await talk(83, named);
  const heard: string[] = [];
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && heard.push(text));
  const line = { id: 'line_2', home: 'home_2', number: '', username: 'u2', password: 'secret-2' };
  await operator.world.settle(bob.close());
  await operator.ready(line, { host: '10.1.0.77', protocol: 'tcp', instance: 'urn:uuid:other', trace });
  await operator.world.run(1_000);
  call.hold(true);
  await operator.world.run(1_000);
  expect([call.state, heard.filter((text) => !text.startsWith('SIP/2.0'))]).toEqual(['up', []]);
});

test('a phone that keeps a second flow is asked over that one as soon as its first is gone', async () => {
  operator = await Operator.start(86);
  const a = await operator.line(await operator.home('home_1'), 1);
  const b = await operator.line(await operator.home('home_2'), 2);
  const alice = await operator.ready(a, { protocol: 'tcp', ...named, flowNumber: 1 });
  const heard: string[] = [];
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && heard.push(text));
  await operator.ready(a, { host: '10.1.0.98', protocol: 'tcp', ...named, flowNumber: 2, trace });
  await operator.ready(b);
  const call = await alice.dial(b.number);
  await operator.world.until(() => call.state === 'up', 6_000, 'the answer');
  await operator.world.run(1_000);
  const asked = () => heard.filter((text) => !text.startsWith('SIP/2.0')).map((text) => headerIn(text, 'Call-ID'));
  expect(asked()).toEqual([]);
  await operator.world.settle(alice.close());
  await operator.world.until(() => asked().includes(call.callId), 3_000, 'to be asked');
});
