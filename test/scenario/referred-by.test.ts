/** Whoever is called by a transfer is told who transferred (RFC 3892): by the line that proved itself, never by what a phone says of itself. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { fourPhones, operatorWords } from './four-phones.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';
import { last } from './words.ts';

const FAR = '+12125550100';
const FORGED = [
  ['Referred-By', '<sip:+15550109999@operator.test>;cid="a@b"'],
  ['P-Asserted-Identity', '<sip:+15550109999@operator.test>'],
] as const;

let operator: Operator;
let line: (n: number) => Line;
let alice: Phone;
let bob: Phone;
let carol: Phone;
let dave: Phone;

beforeEach(async () => {
  operator = await Operator.start(92);
  ({ alice, bob, carol, dave, line } = await fourPhones(operator));
});
afterEach(() => operator.stop());

const { until, talk } = operatorWords(() => operator);

const named = (n: number) => `<sip:${line(n).number}@${DOMAIN}>`;
const hide = (n: number) =>
  operator.ask('line.features.set', { home: line(n).home, line: line(n).id, features: { hideNumber: true } });

/** Asks for a transfer, with these headers beside. */
async function refer(
  phone: Phone,
  call: PhoneCall,
  to: string,
  more: readonly (readonly [string, string])[] = [],
): Promise<void> {
  const asked = phone.askIn(call, 'REFER', [['Refer-To', `<sip:${to}@${DOMAIN}>`], ...more]);
  expect(await operator.world.settle(asked)).toBe(202);
}

describe('a line that is called by a transfer', () => {
  test('sees whose line transfers, whatever its phone claims', async () => {
    await talk(alice, line(1));
    await refer(bob, last(bob), line(3).number, FORGED);
    await until(() => last(dave)?.state === 'up', 'the new party');
    expect(last(dave).referredBy).toBe(named(1));
    expect(last(dave).from).toContain(line(0).number);
  });

  test('sees it too where another phone sends the call on to it (302)', async () => {
    const away = await operator.ready(await operator.line('home_2', 5), {
      refuses: 302,
      refusalHeaders: [['Contact', `<sip:${line(3).number}@${DOMAIN}>`]],
    });
    await talk(bob, line(0));
    await refer(alice, last(alice), '+15550101005');
    await until(() => last(dave)?.state === 'up', 'the new party');
    expect(away.calls).toEqual([]);
    expect(last(dave).referredBy).toBe(named(0));
  });

  test.each([
    ['its line withholds its number', async () => void (await hide(1)), []],
    ['the REFER asks for privacy', async () => {}, [['Privacy', 'id'] as const]],
  ])('does not see it where %s', async (_why, before, more) => {
    await before();
    await talk(alice, line(1));
    await refer(bob, last(bob), line(3).number, [...FORGED, ...more]);
    await until(() => last(dave)?.state === 'up', 'the new party');
    expect(last(dave).referredBy).toBeUndefined();
  });

  test('does not see it where the call that is transferred was one of a withheld number', async () => {
    const call = await bob.dial(line(0).number, [['Privacy', 'id']]);
    await until(() => call.state === 'up', 'the answer');
    await operator.world.run(500);
    await refer(bob, call, line(3).number);
    await until(() => last(dave)?.state === 'up', 'the new party');
    expect(last(dave).referredBy).toBeUndefined();
    expect(last(dave).from).toContain(line(0).number);
  });

  test('does not see who is transferred where that one withholds its number (RFC 3892 section 2.2)', async () => {
    const call = await alice.dial(line(1).number, [['Privacy', 'id']]);
    await until(() => call.state === 'up', 'the answer');
    await operator.world.run(500);
    await refer(bob, last(bob), line(3).number);
    await until(() => last(dave)?.state === 'up', 'the new party');
    expect(last(dave).from).toContain('anonymous.invalid');
    expect(last(dave).referredBy).toBe(named(1));
  });

  test('is told nothing by a transfer that an application makes, nor by a phone that calls', async () => {
    const call = await talk(alice, line(1));
    const [session] = (await operator.ask('session.list', { live: true })).items;
    const leg = session?.legs[1]?.id ?? '';
    await operator.ask('call.transfer', { session: session?.id ?? '', leg, to: line(3).number });
    await until(() => last(dave)?.state === 'up', 'the new party');
    expect(last(dave).referredBy).toBeUndefined();
    call.hangup();
    await operator.world.run(1_000);
    await carol.dial(line(0).number, FORGED);
    await until(() => last(alice)?.state === 'up', 'the answer');
    expect(last(alice).referredBy).toBeUndefined();
  });
});

describe('outside', () => {
  let outside: Carrier;
  const trunk = async (more: Parameters<typeof trunkTo>[1] = {}) => {
    outside = await carrier(operator.world, '10.5.0.1');
    await operator.ask('trunk.create', trunkTo(outside, more));
  };
  const sentOut = async () => {
    await talk(alice, line(1));
    await refer(bob, last(bob), FAR, FORGED);
    await until(() => last(outside.phone)?.state === 'up', 'the answer');
    return requestOf(outside, 'INVITE');
  };

  test('a carrier hears it as it hears who calls', async () => {
    await trunk();
    const invite = await sentOut();
    expect(headerIn(invite, 'Referred-By')).toBe(`<sip:${line(1).number}@10.5.0.1>`);
  });

  test('a carrier to which one number stands for everybody hears that one', async () => {
    await trunk({ identity: { number: '+15550100000' } });
    expect(headerIn(await sentOut(), 'Referred-By')).toBe('<sip:+15550100000@10.5.0.1>');
  });

  test('a carrier does not hear of a line that withholds its number, and keeps what it has to know', async () => {
    await trunk();
    await hide(1);
    const invite = await sentOut();
    expect(headerIn(invite, 'Referred-By')).toBeUndefined();
    expect(headerIn(invite, 'From')).toContain(line(0).number);
    expect(headerIn(invite, 'P-Asserted-Identity')).toContain(line(1).number);
    expect(headerIn(invite, 'Privacy')).toBe('id');
  });

  test('who is transferred stays withheld', async () => {
    await trunk();
    const call = await alice.dial(line(1).number, [['Privacy', 'id']]);
    await until(() => call.state === 'up', 'the answer');
    await operator.world.run(500);
    await refer(bob, last(bob), FAR);
    await until(() => last(outside.phone)?.state === 'up', 'the answer');
    const invite = requestOf(outside, 'INVITE');
    expect(headerIn(invite, 'From')).toContain('anonymous.invalid');
    expect(headerIn(invite, 'Privacy')).toBe('id');
  });

  test.each([
    ['whose word is taken for who calls', {}, [], `<sip:+12125550123@${DOMAIN}>`],
    ['whose callers have to prove themselves', { identity: { in: 'verify' as const } }, [], undefined],
    ['whose caller wants to be withheld', {}, [['Privacy', 'id'] as const], undefined],
  ])('of a carrier %s', async (_who, more, headers, told) => {
    await trunk(more);
    outside.phone.dial(line(1).number, [['Referred-By', '"Eve" <sip:12125550123@x>;cid="a@b"'], ...headers]);
    await until(() => last(bob)?.state === 'up', 'the answer');
    expect(last(bob).referredBy).toBe(told);
  });
});

describe('a gateway', () => {
  test.each([
    ['its own home', 2, true],
    ['another home', 3, false],
  ])('speaks for a line of %s', async (_whose, n, believed) => {
    const gateway = await operator.gateway('home_2', 1);
    const edge = await operator.ready(line(1), operator.behind(gateway));
    const headers = [
      ['P-Asserted-Identity', `<sip:${line(1).number}@${DOMAIN}>`],
      ['Referred-By', `<sip:${line(n).number}@${DOMAIN}>`],
    ] as const;
    await edge.dial(line(0).number, headers);
    await until(() => last(alice)?.state === 'up', 'the answer');
    expect(last(alice).referredBy).toBe(believed ? named(n) : undefined);
  });
});
