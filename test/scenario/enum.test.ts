/** Numbers that DNS knows a SIP address for (ENUM, RFC 6116): called there before any trunk, where the operator wants that. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ENUM_WAYS, ENUM_WITHIN } from '#cloud/farm/softswitch/trunk/enum.ts';
import { sql } from '#cloud/store/store.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { answerFrom, type ZoneRecord } from '#test/support/dns-zone.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';

const DNS = { host: '10.0.0.53', port: 53 };
const FAR = '+442071838750';
const NAME = '0.5.7.8.3.8.1.7.0.2.4.4.enum.test';

let operator: Operator;
let a: Line;
let alice: Phone;
let zone: Record<string, ZoneRecord[]>;
/** Names of ENUM that were asked for. */
let asked: string[];
let silent: boolean;
/** By DNS, and by a trunk. */
let peer: Carrier;
let trunk: Carrier;

beforeEach(async () => {
  operator = await Operator.start(68, []);
  Object.assign(operator.config, { sipDns: DNS });
  [zone, asked, silent] = [{}, [], false];
  const { net } = operator.world.host('dns', [DNS.host]);
  const socket = await operator.world.settle(
    net.udp(DNS, (question, from) => {
      const name = String.fromCharCode(...question).replaceAll(/[^a-z0-9]/g, '.');
      if (name.includes('.enum.test.')) asked.push(name);
      if (!silent) socket.send(answerFrom(zone, question), from);
    }),
  );
  const parts = ['billing', 'qos', 'media', 'conference', 'softswitch', 'session-manager'] as const;
  for (const part of parts) await operator.startPart(part);
  a = await operator.line(await operator.home('home_1'), 1);
  alice = await operator.ready(a);
  peer = await carrier(operator.world, '10.5.0.1');
  trunk = await carrier(operator.world, '10.5.0.2');
  zone['carrier.test'] = [{ type: 'A', data: '10.5.0.1' }];
  names(`!^\\+44(.*)$!sip:0\\1@carrier.test:${peer.phone.address.port}!`);
});
afterEach(() => operator.stop());

function names(rule: string): void {
  zone[NAME] = [{ type: 'NAPTR', data: `10 10 u E2U+sip ${rule} .` }];
}
const set = (more: VerbRequest<'enum.set'> = {}) =>
  operator.ask('enum.set', { suffixes: ['enum.test'], peers: ['carrier.test'], ...more });
const invites = ({ requests }: Carrier) => requests.filter((text) => text.startsWith('INVITE')).length;
const outcome = (call: PhoneCall) =>
  operator.world.until(() => call.state === 'up' || call.state === 'ended', 40_000, 'an outcome');

/** Calls, and says how often the two were called. */
async function dial(number = FAR): Promise<readonly [state: string, peer: number, trunk: number]> {
  const before = [invites(peer), invites(trunk)] as const;
  const call = await alice.dial(number);
  await outcome(call);
  const { state } = call;
  if (state === 'up') call.hangup();
  await operator.world.run(500);
  return [state, invites(peer) - before[0], invites(trunk) - before[1]];
}

test('is off until the operator wants it, and then goes before the trunks', async () => {
  await operator.ask('trunk.create', trunkTo(trunk, { probeEvery: 0 }));
  expect([await dial(), asked]).toEqual([['up', 0, 1], []]);
  await set();
  expect(await dial()).toEqual(['up', 1, 0]);
  const invite = requestOf(peer, 'INVITE');
  expect(invite).toMatch(new RegExp(`^INVITE sip:02071838750@carrier\\.test:${peer.phone.address.port} SIP`));
  expect(headerIn(invite, 'From')).toContain(`<sip:${a.number}@${DOMAIN}>`);
  expect(headerIn(invite, 'P-Asserted-Identity')).toContain(a.number);
  // What DNS said holds for its time.
  await dial();
  expect(asked).toHaveLength(1);
  await operator.world.run(61_000);
  await dial();
  expect(asked).toHaveLength(2);
  await set({ suffixes: [] });
  expect(await dial()).toEqual(['up', 0, 1]);
});

test('leads out of the trust domain: nobody there is told what is withheld (RFC 3325 section 7)', async () => {
  await set();
  const dialWith = async (headers: [string, string][]) => {
    peer.requests.length = 0;
    const call = await alice.dial(FAR, headers);
    await outcome(call);
    call.hangup();
    await operator.world.run(500);
    return requestOf(peer, 'INVITE');
  };
  const hidden = await dialWith([['Privacy', 'id']]);
  expect([hidden.includes(a.number), headerIn(hidden, 'Privacy')]).toEqual([false, 'id']);
  const b = await operator.line('home_1', 2);
  const features = { hideNumber: true, forward: { always: FAR } };
  await operator.ask('line.features.set', { home: b.home, line: b.id, features });
  peer.requests.length = 0;
  const call = await alice.dial(b.number);
  await outcome(call);
  const sentOn = requestOf(peer, 'INVITE');
  expect([call.state, sentOn.includes(b.number), headerIn(sentOn, 'From')?.includes(a.number)]).toEqual([
    ...['up', false, true],
  ]);
  expect(headerIn(sentOn, 'Diversion')).toBe('<sip:anonymous@anonymous.invalid>;reason=unconditional;privacy=full');
});

test('needs no trunk; a number that DNS does not know either is nobody’s', async () => {
  expect(await dial()).toEqual(['ended', 0, 0]);
  await set();
  expect(await dial()).toEqual(['up', 1, 0]);
  const call = await alice.dial('+442071838751');
  await outcome(call);
  expect([call.state, call.status]).toEqual(['ended', 404]);
});

test('the trunk has the call where nobody is named, nobody may be called, nobody answers, or DNS is silent', async () => {
  await operator.ask('trunk.create', trunkTo(trunk, { probeEvery: 0 }));
  await set();
  names('!^\\+49!sip:x@carrier.test!');
  expect(await dial()).toEqual(['up', 0, 1]);
  zone[NAME] = [];
  await operator.world.run(61_000);
  expect(await dial()).toEqual(['up', 0, 1]);
  for (const host of ['evil.test', '10.5.0.1', '127.0.0.1', DOMAIN]) {
    names(`!^.*$!sip:x@${host}:${peer.phone.address.port}!`);
    await operator.world.run(61_000);
    expect([host, await dial()]).toEqual([host, ['up', 0, 1]]);
  }
  names('!^.*$!sip:x@carrier.test:9!');
  await operator.world.run(61_000);
  expect(await dial()).toEqual(['up', 0, 1]);
  silent = true;
  await operator.world.run(61_000);
  const from = operator.cloud.clock.mono();
  expect(await dial()).toEqual(['up', 0, 1]);
  expect(operator.cloud.clock.mono() - from).toBeLessThan(ENUM_WITHIN + 3_000);
  // Whoever was silent is left in peace for a while, also once the last question is given up.
  await operator.world.run(6_000);
  const before = asked.length;
  expect(await dial()).toEqual(['up', 0, 1]);
  expect(asked).toHaveLength(before);
});

test('gives a call to so many servers before the trunks have it', async () => {
  await operator.ask('trunk.create', trunkTo(trunk, { probeEvery: 0 }));
  await set();
  const full = await carrier(operator.world, '10.5.0.4', { refuses: 503 });
  zone['full.carrier.test'] = [{ type: 'A', data: '10.5.0.4' }];
  await set({ peers: ['.carrier.test'] });
  const rule = (n: number) => `!^.*$!sip:u${n}@full.carrier.test:${full.phone.address.port}!`;
  zone[NAME] = Array.from({ length: ENUM_WAYS + 1 }, (_, n) => ({
    ...{ type: 'NAPTR', data: `10 ${n} u E2U+sip ${rule(n)} .` },
  }));
  expect(await dial()).toEqual(['up', 0, 1]);
  expect(invites(full)).toBe(ENUM_WAYS);
});

test('is never asked for help, for a number of ours, or for what the operator excepts', async () => {
  const { id } = await operator.ask('trunk.create', trunkTo(trunk, { probeEvery: 0 }));
  await set({ except: ['+4420'], prefixes: ['+44', '+49', a.number.slice(0, 4)] });
  const put = "INSERT INTO outside_setting (name, body, changed_at) VALUES ('policy', ?, 0)";
  await operator.store.commit([sql(put, JSON.stringify({ country: 'DE', routes: [{ trunk: id }] }))]);
  operator.bus.publish('trunks.changed', {});
  await operator.world.run(50);
  const b = await operator.line('home_1', 2);
  await operator.ready(b);
  for (const number of ['112', b.number, FAR, '+33142685300']) await dial(number);
  expect(asked).toEqual([]);
  await dial('+441632960083');
  expect(asked).toHaveLength(1);
});

test('has a limit of its own, and tells the operator what it would do', async () => {
  await set({ maxCalls: 1 });
  const first = await alice.dial(FAR);
  await outcome(first);
  expect([first.state, await dial()]).toEqual(['up', ['ended', 0, 0]]);
  first.hangup();
  await operator.world.run(500);
  expect(await dial()).toEqual(['up', 1, 0]);
  expect(await operator.ask('enum.find', { number: FAR })).toEqual({
    found: [{ uri: `sip:02071838750@carrier.test:${peer.phone.address.port}`, called: true }],
  });
  await set({ peers: [] });
  expect((await operator.ask('enum.find', { number: FAR })).found).toMatchObject([{ called: false }]);
  // A number whose address is the switch itself would go round.
  names(`!^.*$!sip:x@${operator.config.publicHost}!`);
  await operator.world.run(61_000);
  await set({ peers: [operator.config.publicHost] });
  expect((await operator.ask('enum.find', { number: FAR })).found).toMatchObject([{ called: false }]);
  await set({ peers: [] });
  expect(await operator.ask('enum.get', {})).toEqual({ suffixes: ['enum.test'], peers: [] });
  await set({ suffixes: [] });
  expect(await operator.ask('enum.find', { number: FAR })).toEqual({
    ...{ found: [], why: 'Nobody is asked for this number.' },
  });
});
