/** A carrier's connection that closes while its call rings: what there is to say goes over another (RFC 3261 section 18.2.2). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { octetsToText, textToOctets } from '#shared/host/sip-connection.ts';
import type { Address, Stream, TlsClientOptions, TlsServerOptions, World } from '#shared/kernel/world.ts';
import { makeOffer } from '#shared/sip/offer-answer.ts';
import type { Phone } from '#simulator/phone.ts';
import { type Authority, authority } from '#test/support/signer.ts';
import { DOMAIN, type Line, Operator } from './operator.ts';

const HOST = '10.5.0.1';
const AT = { host: HOST, port: 5060 };
const ELSEWHERE = '10.5.0.66';
const OFFER = makeOffer({ address: { host: HOST, port: 4000 }, sessionId: 1 });

let operator: Operator;
let line: Line;
let alice: Phone;
let world: World;
let at: Address;
/** What came over connections that were opened to the carrier, by the address where it listens. */
let came: Map<string, string[]>;
let streams: Stream[];

beforeEach(async () => {
  operator = await Operator.start(5924);
  line = await operator.line(await operator.home('home_1'), 1);
  alice = await operator.ready(line, { manner: 'ring' });
  world = operator.world.host('carrier', [HOST, ELSEWHERE]);
  at = operator.config.bound.sipTcp ?? AT;
  [came, streams] = [new Map(), []];
});
afterEach(() => operator.stop());

const trunk = (more = {}) =>
  operator.ask('trunk.create', {
    ...{ name: 'Carrier', host: HOST, addresses: [HOST], mode: 'address', transport: 'tcp', probeEvery: 0, ...more },
  } as never);

async function listens({ host, port }: Address, tls?: TlsServerOptions): Promise<string[]> {
  const texts: string[] = [];
  came.set(`${host}:${port}`, texts);
  const accept = (stream: Stream) => {
    streams.push(stream);
    stream.handle({ data: (data) => void texts.push(octetsToText(data)), close() {} });
  };
  await operator.world.settle(world.net.listen({ host, port, ...(tls && { tls }) }, accept));
  return texts;
}

const invite = (protocol: string, sentBy: string, to: string) =>
  [
    `INVITE sip:${to}@${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/${protocol} ${sentBy};branch=z9hG4bKback`,
    'Max-Forwards: 70',
    'From: <sip:+442071838750@carrier.test>;tag=far',
    `To: <sip:${to}@${DOMAIN}>`,
    'Call-ID: back@carrier',
    'CSeq: 1 INVITE',
    `Contact: <sip:carrier@${HOST}:5060;transport=tcp>`,
    'Content-Type: application/sdp',
    `Content-Length: ${OFFER.length}`,
    '',
    OFFER,
  ].join('\r\n');

const later = (method: 'ACK' | 'CANCEL', toTag: string) =>
  [
    `${method} sip:${method === 'ACK' ? 'hl' : line.number}@${method === 'ACK' ? at.host : DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/TCP ${HOST}:5060;branch=z9hG4bKback${method === 'ACK' ? 'ack' : ''}`,
    'Max-Forwards: 70',
    'From: <sip:+442071838750@carrier.test>;tag=far',
    `To: <sip:${line.number}@${DOMAIN}>${toTag}`,
    'Call-ID: back@carrier',
    `CSeq: 1 ${method}`,
    'Content-Length: 0',
    '\r\n',
  ].join('\r\n');

/** It calls over a connection of its own, the phone rings, and the connection is gone. */
async function ringsAndCloses(sentBy = `${HOST}:5060`, tls?: TlsClientOptions): Promise<void> {
  const to = tls === undefined ? at : { ...(operator.config.bound.sips ?? at), tls };
  const stream = await operator.world.settle(world.net.connect(to));
  stream.handle({ data() {}, close() {} });
  stream.write(textToOctets(invite(tls === undefined ? 'TCP' : 'TLS', sentBy, line.number)));
  await operator.world.run(1_000);
  expect(states()).toEqual(['ringing']);
  stream.destroy();
  await operator.world.run(100);
}

const states = () => alice.calls.map(({ state }) => state);
const answer = () => alice.answer(alice.calls[0] as never);
/** The final answers to its INVITE. */
const finals = (texts: readonly string[]) =>
  texts
    .join('')
    .split(/(?=SIP\/2\.0 \d)/)
    .filter((one) => /^SIP\/2\.0 [2-6].*CSeq: 1 INVITE/s.test(one))
    .map((one) => Number(one.slice(8, 11)));

describe('over TCP', () => {
  it('rings on, and its 2xx arrives where sent-by says', async () => {
    const texts = await listens({ host: HOST, port: 5070 });
    const main = await listens(AT);
    await trunk();
    await ringsAndCloses(`${HOST}:5070`);
    expect(states()).toEqual(['ringing']);
    answer();
    await operator.world.run(3_000);
    expect([finals(texts)[0], finals(main)]).toEqual([200, []]);
    const tag = /^To: .*(;tag=\S+)/m.exec(texts.join(''))?.[1] ?? '';
    streams[0]?.write(textToOctets(later('ACK', tag)));
    await operator.world.run(40_000);
    expect(states()).toEqual(['up']);
    alice.calls[0]?.hangup();
    await operator.world.run(2_000);
    expect(texts.join('')).toContain('BYE sip:carrier@');
  });

  it('its refusal arrives, also where it was made before there was a connection', async () => {
    await trunk();
    await ringsAndCloses();
    alice.calls[0]?.hangup();
    await operator.world.run(500);
    const texts = await listens(AT);
    await operator.world.run(30_000);
    expect(finals(texts)).toEqual([603]);
    expect(states()).toEqual(['ended']);
  });

  it('gone altogether, it stops ringing after ten seconds', async () => {
    await trunk();
    await ringsAndCloses();
    await operator.world.run(8_000);
    expect(states()).toEqual(['ringing']);
    await operator.world.run(4_000);
    expect(states()).toEqual(['ended']);
  });

  it('may cancel by a connection of its own, and hears there that it did', async () => {
    await trunk();
    await ringsAndCloses();
    const stream = await operator.world.settle(world.net.connect(at));
    const texts: string[] = [];
    stream.handle({ data: (data) => void texts.push(octetsToText(data)), close() {} });
    stream.write(textToOctets(later('CANCEL', '')));
    await operator.world.run(1_000);
    expect(finals(texts)).toEqual([487]);
    expect(states()).toEqual(['ended']);
  });

  it('nobody is connected to because a Via names them', async () => {
    const there = await listens({ host: ELSEWHERE, port: 5060 });
    const texts = await listens(AT);
    await trunk();
    await ringsAndCloses(`${ELSEWHERE}:5060`);
    answer();
    await operator.world.run(3_000);
    expect([finals(texts)[0], there]).toEqual([200, []]);
  });
});

describe('over TLS', () => {
  let theirs: Authority;

  beforeEach(async () => {
    theirs = await authority(operator.cloud, 'Carrier CA');
  });

  async function certificate(by: Authority, name: string): Promise<{ certificate: string; key: string }> {
    const { publicKey, privateKey: key } = await world.crypto.createKey();
    const times = { notBefore: world.clock.wall() - 1_000, notAfter: world.clock.wall() + 1e9 };
    const signed = { issuer: by.certificate, signer: by.key.privateKey, publicKey, use: 'domain' } as const;
    const facts = { subject: 'carrier', names: [`sip:${name}`] };
    return { certificate: await world.crypto.issue({ ...facts, ...signed, ...times }), key };
  }
  /** A listener that shows a certificate of that authority, for that name. */
  const proves = async (by: Authority, name = HOST, host = HOST) =>
    listens({ host, port: 5061 }, await certificate(by, name));
  const calls = (own = {}) =>
    ringsAndCloses(HOST, { ca: operator.config.authority.certificate, serverName: DOMAIN, sipDomain: true, ...own });
  const tls = () => ({ transport: 'tls', tls: { ca: theirs.certificate } });

  it('whoever proves to be the carrier gets the 2xx, at the port that is TLS’s own where sent-by names none', async () => {
    const texts = await proves(theirs);
    await trunk(tls());
    await calls();
    answer();
    await operator.world.run(3_000);
    expect(finals(texts)[0]).toBe(200);
  });

  it.each([
    ['of another authority', () => authority(operator.cloud, 'Another CA'), HOST],
    ['for another name', async () => theirs, 'other.test'],
  ] as const)(
    'whoever shows a certificate %s is told nothing, and the phone stops ringing',
    async (_what, by, name) => {
      const texts = await proves(await by(), name);
      await trunk(tls());
      await calls();
      await operator.world.run(12_000);
      expect([texts, states()]).toEqual([[], ['ended']]);
    },
  );

  it('another address of the carrier proves to be the trunk by its name', async () => {
    const texts = await proves(theirs, ELSEWHERE);
    await trunk({ ...tls(), host: ELSEWHERE });
    await calls();
    answer();
    await operator.world.run(3_000);
    expect(finals(texts)[0]).toBe(200);
  });

  it('an address that the settings do not name is not connected to: the carrier’s server hears it', async () => {
    const texts = await proves(theirs, ELSEWHERE, ELSEWHERE);
    const unnamed = await proves(theirs, ELSEWHERE);
    await trunk({ ...tls(), host: ELSEWHERE, addresses: undefined });
    await calls(await certificate(theirs, ELSEWHERE));
    answer();
    await operator.world.run(3_000);
    expect([finals(texts)[0], unnamed]).toEqual([200, []]);
  });
});
