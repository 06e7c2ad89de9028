/** Calls that leave the operator's numbers by trunks, and come in by them. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { type Line, Operator } from './operator.ts';

let operator: Operator;
let a: Line;
let alice: Phone;

beforeEach(async () => {
  operator = await Operator.start(61);
  a = await operator.line(await operator.home('home_1'), 1);
  alice = await operator.ready(a);
});
afterEach(() => operator.stop());

const ended = (call: PhoneCall) => operator.world.until(() => call.state === 'ended', 40_000, 'the end');
const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 20_000, 'the answer');
const far = '+442071838750';

async function trunk(to: Carrier, more: Parameters<typeof trunkTo>[1] = {}) {
  return operator.ask('trunk.create', trunkTo(to, more));
}
const inDown = async (id: string) => (await operator.ask('trunk.get', { trunk: id })).state;

describe('out', () => {
  test('a number that is nobody’s here goes to the carrier, named, translated, and billed to its home', async () => {
    const one = await carrier(operator.world, '10.5.0.1');
    await trunk(one, { outRules: [{ prefix: '+44', replace: '0044' }] });
    const call = await alice.dial(far);
    await up(call);
    const invite = requestOf(one, 'INVITE');
    expect(invite).toMatch(/^INVITE sip:00442071838750@10\.5\.0\.1 SIP/);
    expect(headerIn(invite, 'From')).toContain(`<sip:${a.number}@10.5.0.1>`);
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(a.number);
    expect(Number(headerIn(invite, 'Max-Forwards'))).toBeLessThan(70);
    expect((await operator.ask('trunk.list', {})).items.map(({ calls }) => calls)).toEqual([1]);
    call.hangup();
    await operator.world.run(2_000);
    const cdrs = (await operator.ask('cdr.list', {})).items;
    expect(cdrs.map(({ from, to, home }) => ({ from, to, home }))).toContainEqual({
      ...{ from: a.number, to: far, home: undefined },
    });
    expect(cdrs.some(({ price }) => price > 0)).toBe(true);
    expect((await operator.ask('trunk.list', {})).items.map(({ calls }) => calls)).toEqual([0]);
  });

  test('nothing of either side’s addresses is seen at the other', async () => {
    const phoneWire: string[] = [];
    const own = await operator.ready(a, { host: '10.1.9.9', trace: (_direction, text) => phoneWire.push(text) });
    const one = await carrier(operator.world, '10.5.0.1');
    await trunk(one);
    const call = await own.dial(far);
    await up(call);
    call.hold(true);
    await operator.world.run(1_000);
    call.hangup();
    await operator.world.run(1_000);
    expect(one.wire.length).toBeGreaterThan(5);
    expect(one.wire.filter((text) => /10\.1\.9\.9|u1\b/.test(text))).toEqual([]);
    expect(phoneWire.filter((text) => text.includes('10.5.0.1'))).toEqual([]);
  });

  test('without a trunk, and for a prefix that none takes, nobody has the number', async () => {
    const none = await alice.dial(far);
    await ended(none);
    await trunk(await carrier(operator.world, '10.5.0.1'), { prefixes: ['+49'] });
    const other = await alice.dial(far);
    await ended(other);
    expect([none.status, other.status]).toEqual([404, 404]);
  });

  test('a withheld number is said to the carrier alone', async () => {
    const one = await carrier(operator.world, '10.5.0.1');
    await trunk(one);
    const call = await alice.dial(far, [['Privacy', 'id']]);
    await up(call);
    const invite = requestOf(one, 'INVITE');
    expect(headerIn(invite, 'From')).toContain('anonymous.invalid');
    expect(headerIn(invite, 'Privacy')).toBe('id');
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(a.number);
  });

  test.each([
    ['refuses with 503', 503],
    ['says busy', 486],
  ])('the first %s', async (_name, status) => {
    const [one, two] = [
      await carrier(operator.world, '10.5.0.1', { refuses: status }),
      await carrier(operator.world, '10.5.0.2'),
    ];
    const first = await trunk(one, { priority: 1 });
    await trunk(two, { priority: 2 });
    const call = await alice.dial(far);
    await operator.world.until(() => call.state === 'up' || call.state === 'ended', 20_000);
    expect(call.state).toBe(status === 503 ? 'up' : 'ended');
    expect(two.requests.filter((text) => text.startsWith('INVITE'))).toHaveLength(status === 503 ? 1 : 0);
    expect(await inDown(first.id)).toBe(status === 503 ? 'down' : 'up');
  });

  test('one that says nothing is left after five seconds, and tried last from then on', async () => {
    const two = await carrier(operator.world, '10.5.0.2');
    const gone = await carrier(operator.world, '10.5.0.1');
    const first = await trunk(gone, { priority: 1, probeEvery: 0 });
    await trunk(two, { priority: 2 });
    await operator.world.settle(gone.phone.close());
    const call = await alice.dial(far);
    await operator.world.run(4_000);
    expect(call.state).toBe('calling');
    await up(call);
    expect(await inDown(first.id)).toBe('down');
    call.hangup();
    const again = await alice.dial(far);
    await operator.world.run(1_000);
    expect(again.state).toBe('up');
  });

  test('a full trunk is passed over', async () => {
    const [one, two] = [await carrier(operator.world, '10.5.0.1'), await carrier(operator.world, '10.5.0.2')];
    await trunk(one, { priority: 1, maxCalls: 1 });
    await trunk(two, { priority: 2 });
    await up(await alice.dial(far));
    await up(await alice.dial(far));
    expect([one, two].map(({ phone }) => phone.calls.length)).toEqual([1, 1]);
  });

  test('OPTIONS find out who lives, with an alarm for who does not', async () => {
    const one = await carrier(operator.world, '10.5.0.1');
    const { id } = await trunk(one, { probeEvery: 30 });
    await operator.world.run(1_000);
    expect(await inDown(id)).toBe('up');
    await operator.world.settle(one.phone.close());
    await operator.world.run(70_000);
    expect(await inDown(id)).toBe('down');
  });

  test('only the codecs of the trunk are offered there', async () => {
    const one = await carrier(operator.world, '10.5.0.1');
    await trunk(one, { codecs: ['PCMA'] });
    await up(await alice.dial(far));
    expect(requestOf(one, 'INVITE')).toMatch(/m=audio \d+ RTP\/AVP 8(?: 101)?\r\n/);
  });

  test('without the session manager calls go out all the same', async () => {
    await trunk(await carrier(operator.world, '10.5.0.1'));
    await operator.stopPart('session-manager');
    const call = await alice.dial(far);
    await up(call);
    call.hangup();
    await operator.world.run(1_000);
    await operator.startPart('session-manager');
    await operator.world.run(10_000);
    expect((await operator.ask('cdr.list', {})).items.map(({ to }) => to)).toContain(far);
  });
});

describe('in', () => {
  test('a number of ours rings its phones, and shows who calls', async () => {
    const one = await carrier(operator.world, '10.5.0.1');
    await trunk(one);
    const call = await operator.world.settle(
      one.phone.dial(a.number.slice(1), [['P-Asserted-Identity', `"Bob" <sip:${far}@x>`]]),
    );
    await up(call);
    expect(alice.calls[0]?.from).toMatch(new RegExp(`^"Bob" <sip:\\${far}@`));
    call.hangup();
    await operator.world.run(1_000);
    expect((await operator.ask('cdr.list', {})).items.map(({ from, to }) => `${from} ${to}`)).toContain(
      `${far} ${a.number}`,
    );
  });

  test('any other number is refused, so that nothing goes round; an address that is no trunk has to sign', async () => {
    const one = await carrier(operator.world, '10.5.0.1');
    await trunk(one);
    const round = await operator.world.settle(one.phone.dial(far));
    await ended(round);
    const stranger = await carrier(operator.world, '10.5.0.7');
    const other = await operator.world.settle(stranger.phone.dial(a.number));
    await ended(other);
    expect([round.status, other.status]).toEqual([404, 401]);
  });

  test('a call of ours that comes back is a loop', async () => {
    const one = await carrier(operator.world, '10.5.0.1', { manner: 'ring' });
    await trunk(one);
    await alice.dial(far);
    await operator.world.run(500);
    const callId = headerIn(requestOf(one, 'INVITE'), 'Call-ID') ?? '';
    const back = await operator.world.settle(one.phone.dial(a.number, [['Call-ID', callId]]));
    await ended(back);
    expect(back.status).toBe(482);
  });

  test('a line that forwards to the outside answers for that call', async () => {
    const one = await carrier(operator.world, '10.5.0.1');
    await trunk(one);
    const b = await operator.line('home_1', 2);
    await operator.ask('line.features.set', { home: 'home_1', line: b.id, features: { forward: { always: far } } });
    const call = await alice.dial(b.number);
    await up(call);
    const invite = requestOf(one, 'INVITE');
    expect(headerIn(invite, 'From')).toContain(a.number);
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(b.number);
    expect(headerIn(invite, 'Diversion')).toContain(b.number);
    call.hangup();
    await operator.world.run(1_000);
  });
});

test('a softswitch that starts again goes on with calls by trunks, both ways', async () => {
  const one = await carrier(operator.world, '10.5.0.1');
  const { id } = await trunk(one);
  const b = await operator.line('home_1', 2);
  const bob = await operator.ready(b);
  const out = await alice.dial(far);
  await up(out);
  const into = await operator.world.settle(one.phone.dial(b.number));
  await up(into);
  await operator.stopPart('softswitch');
  await operator.startPart('softswitch');
  expect((await operator.ask('trunk.get', { trunk: id })).calls).toBe(2);
  out.hangup();
  bob.calls[0]?.hangup();
  await operator.world.until(() => one.phone.calls.every(({ state }) => state === 'ended'), 5_000, 'both ends there');
  await operator.world.run(2_000);
  const cdrs = (await operator.ask('cdr.list', {})).items.filter(({ to }) => to === far);
  expect(cdrs.map(({ reason }) => reason)).toEqual(['hangup', 'hangup']);
});

describe('what the operator may say', () => {
  const settings = { name: 'x', host: '10.5.0.1', mode: 'address' } as const;
  test.each([
    ['ourselves', { ...settings, host: '10.0.0.2', port: 5060 }],
    ['a name over UDP', { ...settings, host: 'carrier.test' }],
    ['a registration without a password', { ...settings, mode: 'register' as const, username: 'u' }],
  ])('%s is no trunk', async (_name, request) => {
    await expect(operator.ask('trunk.create', request)).rejects.toThrow('bad_request');
  });

  test('a password is never shown, and stands sealed in the store', async () => {
    const made = await operator.ask('trunk.create', {
      ...{ ...settings, mode: 'register', username: 'u', password: 'correct horse' },
    });
    expect(JSON.stringify(made)).not.toContain('horse');
    expect(made.hasPassword).toBe(true);
    const rows = await operator.store.all<{ body: string; secret: string }>('SELECT * FROM trunk');
    expect(JSON.stringify(rows)).not.toContain('horse');
    const set = await operator.ask('trunk.set', { trunk: made.id, ...settings, mode: 'register', username: 'v' });
    expect([set.hasPassword, set.username]).toEqual([true, 'v']);
    await operator.ask('trunk.delete', { trunk: made.id });
    await expect(operator.ask('trunk.get', { trunk: made.id })).rejects.toThrow('not_found');
  });
});
