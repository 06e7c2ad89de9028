/**
 * The messages of RFC 5118 (SIP with IPv6), sent to the whole softswitch over IPv6: as to an endpoint, and for a line, whose phone then
 * gets the call. Their texts are the RFC's own.
 */
import { afterEach, describe, expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { Stream } from '#shared/kernel/world.ts';
import { Framer } from '#shared/sip/framer.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import { parse } from '#shared/sip/parse.ts';
import { parseSdp } from '#shared/sip/sdp.ts';
import { write } from '#shared/sip/write.ts';
import type { Phone } from '#simulator/phone.ts';
import { Operator } from '../scenario/operator.ts';
import { repaired, torture5118 } from './torture-archive.ts';

const SWITCH = { host: '2001:db8::10', port: 5060 };
/** Where most of the messages say that they come from. */
const SENDER = '2001:db8::9:1';
const texts = torture5118()?.messages;
const has = texts === undefined ? 'doc-rfc-informational is not installed' : 'the RFC’s text';

/** What the switch answers a stranger; the vias of the answer, the topmost first. */
const AS_ENDPOINT: readonly [section: string, name: string, status: number, vias: readonly string[]][] = [
  ['4.1', 'ipv6-good', 401, [SENDER]],
  ['4.2', 'ipv6-bad', 400, [SENDER]],
  ['4.3', 'port-ambiguous', 401, [SENDER]],
  ['4.4', 'port-unambiguous', 401, [SENDER]],
  ['4.5', 'via-received-param-with-delim', 481, [SENDER]],
  ['4.5', 'via-received-param-no-delim', 200, [SENDER]],
  ['4.6', 'ipv6-in-sdp', 401, ['2001:db8::20']],
  ['4.7', 'mult-ip-in-header', 481, [SENDER, '192.0.2.1', '2001:db8::9:255']],
  ['4.8', 'mult-ip-in-sdp', 401, [SENDER]],
  ['4.9', 'ipv4-mapped-ipv6', 401, ['::ffff:192.0.2.10', '::ffff:192.0.2.2']],
  ['4.10', 'ipv6-bug-abnf-3-colons', 200, ['lab1.east.example.com']],
  ['4.10', 'ipv6-correct-abnf-2-colons', 200, ['lab1.east.example.com']],
];

let operator: Operator | undefined;
afterEach(() => operator?.stop());

/** The switch on an IPv6 address; without a media server descriptions pass as they are. */
async function start(): Promise<Operator> {
  const made = await Operator.start(5118, []);
  operator = made;
  made.world.host('cloud', [SWITCH.host]);
  Object.assign(made.config, { sip: SWITCH, sips: { ...SWITCH, port: 5061 }, publicHost: SWITCH.host });
  for (const part of ['billing', 'qos', 'softswitch', 'session-manager'] as const) await made.startPart(part);
  return made;
}

/** Somebody at `SENDER` port 5060 who sends one message over that transport, and what comes back. */
async function sender(on: Operator, transport: 'UDP' | 'TCP') {
  const { net } = on.world.host('sender', [SENDER]);
  const heard: SipMessage[] = [];
  const take = (text: string) => {
    const read = parse(text);
    if (!read.ok) throw new Error(`${read.reason}: ${text}`);
    heard.push(read.message);
  };
  if (transport === 'UDP') {
    const socket = await on.world.settle(net.udp({ host: SENDER, port: 5060 }, (data) => take(latin1(data))));
    return { heard, send: (text: string) => socket.send(fromLatin1(text), SWITCH) };
  }
  const stream: Stream = await on.world.settle(net.connect(SWITCH));
  const framer = new Framer();
  stream.handle({
    close() {},
    data(data) {
      framer.push(latin1(data));
      for (let frame = framer.next(); frame !== undefined && 'message' in frame; frame = framer.next())
        take(frame.message);
    },
  });
  return { heard, send: (text: string) => stream.write(fromLatin1(text.replace('SIP/2.0/UDP', 'SIP/2.0/TCP'))) };
}

/** The responses go where the messages came from, not where sent-by points: they ask for that (RFC 3581). */
const wire = (name: string): string => {
  const text = repaired(texts?.get(name) ?? '');
  return text.replace(/^(Via: SIP\/2\.0\/UDP [^;\r\n]+)/m, '$1;rport');
};

describe.skipIf(texts === undefined).each(['UDP', 'TCP'] as const)(
  `RFC 5118 over %s and IPv6 (${has})`,
  (transport) => {
    it.each(AS_ENDPOINT)('section %s %s: %i', async (_section, name, status, vias) => {
      const on = await start();
      const { heard, send } = await sender(on, transport);
      send(wire(name));
      await on.world.run(1_000);
      const answer = heard.find((one) => one.status > 100);
      expect([answer?.status, answer?.vias.map(({ host }) => host)]).toEqual([status, vias]);
      const received = answer?.topVia?.params.get('received')?.replace(/^\[|\]$/g, '');
      expect([undefined, SENDER]).toContain(received);
      expect(answer?.callId).toBe(/^Call-ID: (.*)\r$/m.exec(wire(name))?.[1]);
    });

    it.each([
      ['4.6', 'ipv6-in-sdp', '2001:db8::20', 488],
      ['4.8', 'mult-ip-in-sdp', undefined, 200],
      ['4.9', 'ipv4-mapped-ipv6', '::ffff:192.0.2.2', 488],
    ])(
      'section %s %s for a line: its phone is called with what was sent, and its answer (488: it has no G.726) comes back',
      async (_section, name, connection, status) => {
        const on = await start();
        const phone = await phoneOf(on);
        await on.ask('trunk.create', {
          name: 'six',
          host: SENDER,
          addresses: [SENDER],
          mode: 'address',
          probeEvery: 0,
        });
        const { heard, send } = await sender(on, transport);
        send(wire(name).replace('INVITE sip:user@', `INVITE sip:${phone.number}@`));
        await on.world.until(() => heard.some((one) => one.status >= 200), 10_000);
        const ok = heard.find((one) => one.status >= 200);
        expect(ok?.status).toBe(status);
        const offered = phone.wire.find((text) => text.startsWith('INVITE')) ?? '';
        const invite = parse(offered);
        expect(invite.ok && invite.message.vias.map(({ host }) => host)).toEqual([SWITCH.host]);
        expect(offered).not.toContain(SENDER);
        const body = repaired(texts?.get(name) ?? '').split('\r\n\r\n')[1];
        expect(invite.message?.body).toBe(body);
        expect(parseSdp(invite.message?.body ?? '')?.connection).toBe(connection);
        if (ok?.status === 200) end(ok, send);
        await on.world.until(() => phone.phone.calls.every(({ state }) => state === 'ended'), 5_000, 'the end');
      },
    );

    it.each(['ipv6-in-sdp', 'mult-ip-in-sdp', 'ipv4-mapped-ipv6'])('%s for nobody: 404', async (name) => {
      const on = await start();
      await on.ask('trunk.create', { name: 'six', host: SENDER, addresses: [SENDER], mode: 'address', probeEvery: 0 });
      const { heard, send } = await sender(on, transport);
      send(wire(name));
      await on.world.run(2_000);
      expect(heard.find((one) => one.status > 100)?.status).toBe(404);
    });

    /** ACK, and the end of the call, by the dialog that the 2xx made. */
    function end(ok: SipMessage, send: (text: string) => void): void {
      for (const [method, n] of [
        ['ACK', ok.cseq.n],
        ['BYE', ok.cseq.n + 1],
      ] as const) {
        const lines: [string, string][] = [
          ['Via', `SIP/2.0/UDP [${SENDER}];branch=z9hG4bK${method};rport`],
          ['Max-Forwards', '70'],
          ['From', ok.header('From') ?? ''],
          ['To', ok.header('To') ?? ''],
          ['Call-ID', ok.callId],
          ['CSeq', `${n} ${method}`],
        ];
        send(write(newRequest(method, ok.contacts[0]?.uri ?? '', lines)));
      }
    }
  },
);

/** A registered phone on an address of its own, its line's number, and what came to it. */
async function phoneOf(
  on: Operator,
): Promise<{ readonly phone: Phone; readonly number: string; readonly wire: readonly string[] }> {
  const line = await on.line(await on.home('home_1'), 1);
  const came: string[] = [];
  const trace = (direction: 'in' | 'out', text: string) => void (direction === 'in' && came.push(text));
  const phone = await on.ready(line, { host: '2001:db8::77', server: SWITCH, trace });
  return { phone, number: line.number, wire: came };
}
