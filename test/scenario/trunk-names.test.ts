/** Trunks that are named: their servers are found by DNS, one after the other (RFC 3263), and large requests go over TCP (RFC 3261 18.1.1). */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { latin1 } from '#shared/kernel/bytes.ts';
import type { Stream } from '#shared/kernel/world.ts';
import type { Phone, PhoneCall } from '#simulator/phone.ts';
import { type Carrier, carrier, headerIn, requestOf, trunkTo } from '#test/support/carrier.ts';
import { answerFrom, type ZoneRecord } from '#test/support/dns-zone.ts';
import { type Agent, agent, callOver } from '#test/support/sip-agent.ts';
import { DOMAIN, Operator } from './operator.ts';

const DNS = { host: '10.0.0.53', port: 53 };
const NAME = 'trunk.carrier.test';
const far = '+442071838750';
const OFFER = 'v=0\r\no=- 1 1 IN IP4 10.5.0.3\r\ns=-\r\nc=IN IP4 10.5.0.3\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';

let operator: Operator;
let alice: Phone;
let number = '';
const zone: Record<string, ZoneRecord[]> = {};

beforeEach(async () => {
  operator = await Operator.start(67, []);
  Object.assign(operator.config, { sipDns: DNS });
  const { net } = operator.world.host('dns', [DNS.host]);
  const socket = await operator.world.settle(
    net.udp(DNS, (question, from) => socket.send(answerFrom(zone, question), from)),
  );
  const parts = ['billing', 'qos', 'media', 'conference', 'softswitch', 'session-manager'] as const;
  for (const part of parts) await operator.startPart(part);
  const a = await operator.line(await operator.home('home_1'), 1, {
    name: 'A. Very Long Name Of Somebody Who Has Several',
  });
  number = a.number;
  alice = await operator.ready(a);
});
afterEach(() => operator.stop());

const up = (call: PhoneCall) => operator.world.until(() => call.state === 'up', 20_000, 'the answer');

/** Two servers of one name, the first before the second. */
async function servers(first: Parameters<typeof carrier>[2] = {}): Promise<readonly [Carrier, Carrier]> {
  const both = [await carrier(operator.world, '10.5.0.1', first), await carrier(operator.world, '10.5.0.2')] as const;
  zone[NAME] = [{ type: 'NAPTR', data: `10 1 s SIP+D2U _sip._udp.${NAME}` }];
  zone[`_sip._udp.${NAME}`] = both.map(({ phone }, i) => ({
    ...{ type: 'SRV', data: `${i} 0 ${phone.address.port} s${i}.${NAME}` },
  }));
  for (const [i, { host }] of both.entries()) zone[`s${i}.${NAME}`] = [{ type: 'A', data: host }];
  return both;
}

const add = (more = {}) => operator.ask('trunk.create', { name: 'Carrier', host: NAME, mode: 'address', ...more });
const invites = ({ requests }: Carrier) => requests.filter((text) => text.startsWith('INVITE')).length;
const stateOf = async (id: string) => (await operator.ask('trunk.get', { trunk: id })).state;

test('a call goes to the first server that DNS names, and one from any of them is the trunk’s', async () => {
  const [one, two] = await servers();
  const { id } = await add();
  await up(await alice.dial(far));
  expect([invites(one), invites(two)]).toEqual([1, 0]);
  expect(requestOf(one, 'INVITE')).toMatch(new RegExp(`^INVITE sip:\\${far}@${NAME} SIP`));
  const back = await operator.world.settle(two.phone.dial(number));
  await up(back);
  expect(alice.calls.length).toBe(2);
  expect((await operator.ask('trunk.get', { trunk: id })).calls).toBe(2);
});

test.each([
  ['refuses with 503', { refuses: 503 }],
  ['is silent', undefined],
])('where the first server %s the second is called, next time at once, and the trunk stands', async (_name, first) => {
  const [one, two] = await servers(first);
  const { id } = await add({ probeEvery: 0 });
  if (first === undefined) await operator.world.settle(one.phone.close());
  const call = await alice.dial(far);
  await up(call);
  expect([invites(two), await stateOf(id)]).toEqual([1, 'up']);
  call.hangup();
  const before = invites(one);
  await up(await alice.dial(far));
  expect([invites(one) - before, invites(two)]).toEqual([0, 2]);
});

test('a registration goes to the next server where one says nothing', async () => {
  const [one, two] = await servers();
  await operator.world.settle(one.phone.close());
  await add({ mode: 'register', username: 'hearth', password: 'secret' });
  await operator.world.run(60_000);
  expect(two.requests.some((text) => text.startsWith('REGISTER'))).toBe(true);
});

test('a name that leads nowhere is no way, and harms nothing', async () => {
  delete zone[NAME];
  const { id } = await add({ host: 'nobody.test' });
  const call = await alice.dial(far);
  await operator.world.until(() => call.state === 'ended', 40_000);
  expect([call.status, await stateOf(id)]).toEqual([500, 'down']);
});

/** A carrier that listens for TLS under these names, and answers every call. */
async function secure(names: readonly string[]) {
  const { world, config } = operator;
  const host = world.host('secure', ['10.5.0.3']);
  const { publicKey, privateKey } = await host.crypto.createKey();
  const times = { notBefore: host.clock.wall() - 1_000, notAfter: host.clock.wall() + 1e9 };
  const { certificate: ca, key: signer } = config.authority;
  const signed = { issuer: ca, signer, publicKey, use: 'domain', names } as const;
  const certificate = await host.crypto.issue({ subject: 'carrier', ...signed, ...times });
  const own = { certificate, key: privateKey };
  const made: Agent = agent(host, {
    onOutput(output) {
      made.seen.push(output);
      if (output.do !== 'incoming') return;
      const answer = { sdp: OFFER, contact: 'sip:carrier@10.5.0.3' };
      made.transport.act((now, out) => made.endpoint.answer(output.call, answer, now, out));
    },
  });
  const at = { host: '10.5.0.3', port: 5061 };
  await world.settle(made.transport.bind({ tls: { ...at, tls: { ...own, clientCa: ca } } }));
  zone[`_sips._tcp.${NAME}`] = [{ type: 'SRV', data: `0 0 5061 secure.${NAME}` }];
  zone[`secure.${NAME}`] = [{ type: 'A', data: at.host }];
  return { ...made, own, ca };
}

test('over TLS the carrier has to speak for its name (RFC 5922), and calls back over the same connection (RFC 5923)', async () => {
  const one = await secure([`sip:${NAME}`]);
  await add({ transport: 'tls', tls: { ca: one.ca, mutual: true }, probeEvery: 0 });
  await up(await alice.dial(far));
  expect(one.transport.counts().connections).toBe(1);
  const { host, port } = operator.config.bound.sips ?? { host: '', port: 0 };
  const tls = { ca: one.ca, serverName: DOMAIN, sipDomain: true };
  const flow = await operator.world.settle(one.transport.flowTo({ protocol: 'tls', host, port, tls }));
  expect(one.transport.counts().connections).toBe(1);
  callOver(one, flow, { uri: `sip:${number}@${DOMAIN}`, contact: 'sip:carrier@10.5.0.3', sdp: OFFER });
  await operator.world.until(() => one.seen.some(({ do: what }) => what === 'answered'), 10_000, 'the answer');
});

test('over TLS a carrier whose certificate is another’s gets no call', async () => {
  const one = await secure(['sip:other.test', NAME]);
  const { id } = await add({ transport: 'tls', tls: { ca: one.ca }, probeEvery: 0 });
  const call = await alice.dial(far);
  await operator.world.until(() => call.state === 'ended', 40_000);
  const { state, cause } = await operator.ask('trunk.get', { trunk: id });
  expect([call.status, state, one.seen]).toEqual([500, 'down', []]);
  expect(cause).toBe('its certificate speaks for another name');
});

test.each([true, false])('a large INVITE goes over TCP: %s', async (largeByTcp) => {
  const one = await carrier(operator.world, '10.5.0.1');
  let heard = '';
  await operator.world.settle(
    operator.world.host('carrier-10.5.0.1', []).net.listen(one.phone.address, (stream: Stream) => {
      stream.handle({
        data: (octets) => {
          heard += latin1(octets);
        },
        close() {},
      });
    }),
  );
  await operator.ask('trunk.create', trunkTo(one, { domain: `${'long.'.repeat(24)}test`, largeByTcp }));
  await alice.dial(far);
  await operator.world.run(2_000);
  const text = largeByTcp ? heard : requestOf(one, 'INVITE');
  expect(text.length).toBeGreaterThan(1_300);
  expect(headerIn(text, 'Via')).toMatch(largeByTcp ? /^SIP\/2\.0\/TCP / : /^SIP\/2\.0\/UDP /);
  expect(invites(one)).toBe(largeByTcp ? 0 : 1);
});
