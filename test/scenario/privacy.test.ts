/** Privacy that a caller asks for (RFC 3323), and who a carrier says that calls (RFC 3325, RFC 5876), through the switch. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';

const FAR = '+442071838750';

let operator: Operator;
let b: Line;
let a: Line;
let alice: Phone;
let bob: Phone;
let outside: Carrier;
/** What came to Bob's phone. */
let wire: string[];

beforeEach(async () => {
  operator = await Operator.start(71);
  const home = await operator.home('home_1');
  a = await operator.line(home, 1);
  alice = await operator.ready(a, { host: '10.1.0.1' });
  b = await operator.line(home, 2);
  wire = [];
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && wire.push(text));
  bob = await operator.ready(b, { host: '10.1.0.2', trace });
  outside = await carrier(operator.world, '10.5.0.1');
  await operator.ask('trunk.create', trunkTo(outside, { probeEvery: 0 }));
});
afterEach(() => operator.stop());

async function dial(to: string, headers: [string, string][], from = alice): Promise<PhoneCall> {
  const call = await operator.world.settle(from.dial(to, headers));
  await operator.world.until(() => call.state === 'up' || call.state === 'ended', 20_000, 'an outcome');
  return call;
}
const invite = () => wire.find((text) => text.startsWith('INVITE')) ?? '';
const mediaAt = () => /^c=IN IP4 (.*)\r$/m.exec(invite())?.[1];

test('a phone may demand that its wish is kept, in a word that we know', async () => {
  const known = await dial(b.number, [
    ['Privacy', 'user;id;critical'],
    ['Proxy-Require', 'privacy'],
  ]);
  expect([known.state, headerIn(invite(), 'From')]).toEqual([
    'up',
    expect.stringContaining('anonymous@anonymous.invalid'),
  ]);
  known.hangup();
  expect((await dial(b.number, [['Privacy', 'x-more;critical']])).status).toBe(500);
  expect((await dial(b.number, [['Proxy-Require', 'x-more']])).status).toBe(420);
  expect((await dial(b.number, [['Privacy', 'x-more']])).state).toBe('up');
});

test('media that are withheld go by the media server, and not at all where there is none', async () => {
  (await dial(b.number, [])).hangup();
  expect(mediaAt()).toBe('10.1.0.1');
  await operator.world.run(1_000);
  wire.length = 0;
  (await dial(b.number, [['Privacy', 'session']])).hangup();
  expect(mediaAt()).not.toBe('10.1.0.1');
  expect(invite()).not.toContain('10.1.0.1');
  await operator.world.run(1_000);
  await operator.stopPart('media');
  expect((await dial(b.number, [['Privacy', 'session;critical']])).status).toBe(500);
  wire.length = 0;
  expect((await dial(b.number, [['Privacy', 'session']])).state).toBe('up');
});

test('what is critical is so for the carrier too, but never where help is asked for', async () => {
  (await dial(FAR, [['Privacy', 'id;critical']])).hangup();
  expect(headerIn(requestOf(outside, 'INVITE'), 'Privacy')).toBe('id;critical');
  outside.requests.length = 0;
  (await dial(FAR, [['Privacy', 'id']])).hangup();
  expect(headerIn(requestOf(outside, 'INVITE'), 'Privacy')).toBe('id');
});

test('none is what the carrier hears of it, but it is no way around a line that withholds its number always', async () => {
  (await dial(FAR, [['Privacy', 'none']])).hangup();
  const shown = requestOf(outside, 'INVITE');
  expect([headerIn(shown, 'Privacy'), headerIn(shown, 'From')?.includes('anonymous')]).toEqual(['none', false]);
  const { home, id: line, number } = a;
  await operator.ask('line.features.set', { home, line, features: { hideNumber: true } });
  for (const to of [FAR, b.number]) {
    outside.requests.length = 0;
    wire.length = 0;
    (await dial(to, [['Privacy', 'none']])).hangup();
    const hidden = to === FAR ? requestOf(outside, 'INVITE') : invite();
    expect([headerIn(hidden, 'Privacy'), headerIn(hidden, 'From')]).toEqual([
      'id',
      expect.stringContaining('anonymous@anonymous.invalid'),
    ]);
    await operator.world.run(1_000);
  }
  wire.length = 0;
  // Its code is, for a single call.
  (await dial(`*31#${b.number}`, [['Privacy', 'none']])).hangup();
  expect(headerIn(invite(), 'From')).toContain(number);
});

test.each([
  ['"Jean" <sip:+33142685300@x>, <tel:+33142685301>', '+33142685300', '"Jean"'],
  ['"Jean" <sip:jean@x>, <tel:+33-142-685301>', '+33142685301', '"Jean"'],
  ['<mailto:a@x>, <tel:+33142685301>', '+33142685301', ''],
  [
    '"\\"A\\\\\\" <sip:+1@x>, <tel:+2>" <sip:+33142685300;verstat=TN-Validation-Passed@x>',
    '+33142685300',
    '"\\"A\\\\\\" <sip:+1@x>, <tel:+2>" <',
  ],
])('a carrier says that %s calls', async (value, number, name) => {
  const call = await dial(b.number, [['P-Asserted-Identity', value]], outside.phone);
  expect(call.state).toBe('up');
  const from = headerIn(invite(), 'From') ?? '';
  expect(from).toContain(`<sip:${number}@`);
  expect(from.startsWith(name === '' ? '<' : name)).toBe(true);
  expect(bob.calls).toHaveLength(1);
});

test('a carrier’s wish is kept as a phone’s is', async () => {
  const value: [string, string] = ['P-Asserted-Identity', '<sip:+33142685300@x>'];
  expect((await dial(b.number, [value, ['Privacy', 'x-more;critical']], outside.phone)).status).toBe(500);
  (await dial(b.number, [value, ['Privacy', 'id;critical']], outside.phone)).hangup();
  expect(invite()).not.toContain('+33142685300');
});
