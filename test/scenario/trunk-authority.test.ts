/** Carriers with an authority of their own, over TLS: they come in by its certificates, and who shows another one's does not. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ok } from '#shared/kernel/result.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { Phone } from '#simulator/phone.ts';
import { answerFrom, type ZoneRecord } from '#test/support/dns-zone.ts';
import { type Authority, authority } from '#test/support/signer.ts';
import { type Agent, agent, callOver } from '#test/support/sip-agent.ts';
import { DOMAIN, Operator } from './operator.ts';

const DNS = { host: '10.0.0.53', port: 53 };
const NAME = 'carrier.test';
const CARRIER = { host: '10.5.0.3', port: 5061 };
const FAR = '+442071838750';
const CONTACT = 'sip:carrier@10.5.0.3';
const OFFER = 'v=0\r\no=- 1 1 IN IP4 10.5.0.3\r\ns=-\r\nc=IN IP4 10.5.0.3\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';
const ZONE: Record<string, ZoneRecord[]> = {
  [`_sips._tcp.${NAME}`]: [{ type: 'SRV', data: `0 0 5061 sbc.${NAME}` }],
  [`sbc.${NAME}`]: [{ type: 'A', data: CARRIER.host }],
};

let operator: Operator;
let number: string;
let alice: Phone;
let theirs: Authority;
let another: Authority;
let alarms: Map<string, string>;

beforeEach(async () => {
  operator = await Operator.start(70, []);
  Object.assign(operator.config, { sipDns: DNS });
  const { net } = operator.world.host('dns', [DNS.host]);
  const socket = await operator.world.settle(
    net.udp(DNS, (question, from) => socket.send(answerFrom(ZONE, question), from)),
  );
  alarms = new Map();
  operator.bus.serve('oamp', {
    'alarm.raise': async ({ cause, text }: { cause: string; text: string }) => {
      alarms.set(cause, text);
      return ok({});
    },
    'alarm.clear': async ({ cause }: { cause: string }) => {
      alarms.delete(cause);
      return ok({});
    },
  } as never);
  const parts = ['billing', 'qos', 'media', 'conference', 'softswitch', 'session-manager'] as const;
  for (const part of parts) await operator.startPart(part);
  const line = await operator.line(await operator.home('home_1'), 1);
  number = line.number;
  alice = await operator.ready(line);
  [theirs, another] = [await authority(operator.cloud, 'Carrier CA'), await authority(operator.cloud, 'Another CA')];
});
afterEach(() => operator.stop());

/** A carrier at that address that listens for TLS and answers every call, with a certificate of that authority. */
async function carrier(by: Authority, names = [`sip:${NAME}`], subject = 'carrier'): Promise<Agent & { tls: object }> {
  const host = operator.world.host('carrier', [CARRIER.host]);
  const { publicKey, privateKey } = await host.crypto.createKey();
  const times = { notBefore: host.clock.wall() - 1_000, notAfter: host.clock.wall() + 1e9 };
  const signed = { issuer: by.certificate, signer: by.key.privateKey, publicKey, use: 'domain', names } as const;
  const certificate = await host.crypto.issue({ subject, ...signed, ...times });
  const own = { certificate, key: privateKey };
  const made: Agent = agent(host, {
    onOutput(output) {
      made.seen.push(output);
      if (output.do !== 'incoming') return;
      const answer = { sdp: OFFER, contact: CONTACT };
      made.transport.act((now, out) => made.endpoint.answer(output.call, answer, now, out));
    },
  });
  const bound = made.transport.bind({
    tls: { ...CARRIER, tls: { ...own, clientCa: operator.config.authority.certificate } },
  });
  await operator.world.settle(bound);
  return { ...made, tls: { ...own, ca: operator.config.authority.certificate, serverName: DOMAIN, sipDomain: true } };
}

const trunk = (ca: string, more = {}) =>
  operator.ask('trunk.create', {
    ...{ name: 'Carrier', host: NAME, transport: 'tls', mode: 'address', probeEvery: 0 },
    ...{ tls: { ca, mutual: true }, ...more },
  });

/** A connection of the carrier's to us, and a call by it. */
async function callsIn(one: Agent & { tls: object }): Promise<'answered' | 'refused' | 'closed'> {
  const { host, port } = operator.config.bound.sips ?? CARRIER;
  const opening = one.transport.flowTo({ protocol: 'tls', host, port, tls: one.tls, fresh: true });
  const flow = await operator.world.settle(opening);
  const before = one.seen.length;
  callOver(one, flow, { uri: `sip:${number}@${DOMAIN}`, contact: CONTACT, sdp: OFFER });
  await operator.world.run(3_000);
  const news = one.seen.slice(before).map((output) => output.do as string);
  if (news.includes('answered')) return 'answered';
  return one.closed.length > 0 ? 'closed' : 'refused';
}

test('a carrier calls in and is called with certificates of its own authority', async () => {
  const one = await carrier(theirs);
  const { id } = await trunk(theirs.certificate);
  expect(await callsIn(one)).toBe('answered');
  expect((await operator.ask('trunk.get', { trunk: id })).calls).toBe(1);
  const call = await alice.dial(FAR);
  await operator.world.until(() => call.state === 'up', 10_000, 'the answer');
  expect(alarms.size).toBe(0);
});

test('one of another authority is not let in, and the operator hears why', async () => {
  const one = await carrier(another);
  const { id } = await trunk(theirs.certificate);
  await trunk(another.certificate, { host: 'other.test', name: 'Other' });
  expect(await callsIn(one)).toBe('closed');
  expect(alarms.get(`trunk-certificate-${id}`)).toContain('an authority that is not believed');
  expect((await operator.ask('trunk.get', { trunk: id })).cause).toContain('an authority that is not believed');
  // Nor is it called.
  const call = await alice.dial(FAR);
  await operator.world.until(() => call.state === 'ended', 40_000);
  expect(alarms.get(`trunk-down-${id}`)).toContain('its certificate is of an authority that is not believed');
  const { name, host, transport, mode, probeEvery } = await operator.ask('trunk.get', { trunk: id });
  const mended = { name, host, mode, tls: { ca: another.certificate }, ...(transport && { transport }) };
  await operator.ask('trunk.set', { trunk: id, ...mended, ...(probeEvery === undefined ? {} : { probeEvery }) });
  expect(await callsIn(one)).toBe('answered');
  const again = await alice.dial(FAR);
  await operator.world.until(() => again.state === 'up', 10_000, 'the answer');
});

test('nor is one whose trunk is gone, or who speaks for another name', async () => {
  const one = await carrier(theirs, ['sip:somebody.test']);
  const { id } = await trunk(theirs.certificate);
  expect(await callsIn(one)).toBe('closed');
  expect([...alarms.keys()]).toEqual([]);
  await operator.ask('trunk.delete', { trunk: id });
  expect(await callsIn(one)).toBe('closed');
});

test('its authority makes no gateways of ours', async () => {
  const { id } = await operator.gateway('home_1', 1);
  const one = await carrier(theirs, [`sip:${NAME}`], id);
  const made = await trunk(theirs.certificate);
  const { host, port } = operator.config.bound.sips ?? CARRIER;
  const opening = one.transport.flowTo({ protocol: 'tls', host, port, tls: one.tls, fresh: true });
  const flow = await operator.world.settle(opening);
  // As a trunk it may come in; what only a gateway may say closes the connection.
  const own = `<sip:${number}@${DOMAIN}>`;
  const register = newRequest('REGISTER', `sip:${DOMAIN}`, [
    ['From', own],
    ['To', own],
    ['P-Asserted-Identity', own],
    ['Contact', `<${CONTACT}>`],
  ]);
  one.transport.act((now, out) => one.endpoint.request(register, flow, now, out));
  await operator.world.run(2_000);
  expect(one.closed).toHaveLength(1);
  await operator.ask('trunk.delete', { trunk: made.id });
  expect(await callsIn(one)).toBe('closed');
});
