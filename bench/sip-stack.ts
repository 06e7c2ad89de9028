/**
 * What the SIP stack and its transport cost: a call through a B2BUA of nothing but `SipTransport` and `Endpoint` (digest on INVITE, 16 datagrams), and
 * a registration, with phones of bare text in the same process and a clock that runs 1 ms per call, so that transactions end as they
 * do at 1,000 calls/s. Prints microseconds of this thread, medians and the least; the phones' own part is in them.
 *
 * Run: `bin/node bench/sip-stack.ts [rounds] [calls]`
 */
import { hash } from 'node:crypto';
import { Door } from '#shared/call/register.ts';
import { SipTransport } from '#shared/host/sip.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import { hostWorld } from '#shared/host/world.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import { Endpoint } from '#shared/sip/endpoint.ts';
import { SipTrace } from '#shared/sip/trace.ts';
import type { CallHandle } from '#shared/sip/types.ts';

const rounds = Number(process.argv[2] ?? 9);
const calls = Number(process.argv[3] ?? 10000);
const SWITCH: Address = { host: '127.0.0.1', port: 5060 };
const A: Address = { host: '127.0.0.1', port: 40_000 };
const B: Address = { host: '127.0.0.1', port: 40_001 };
const SDP =
  'v=0\r\no=bench 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n';
const md5 = (text: string) => hash('md5', text);
const HA1 = md5('alice:example.net:secret');
const host = hostWorld();
let now = 0;
let hear: (data: Uint8Array, from: Address) => void = () => {};
let queue: { text: string; from: Address }[] = [];
let peer = false;
const timers: { at: number; run: (() => void) | undefined }[] = [];
const world: World = {
  ...host,
  clock: {
    mono: () => now,
    wall: () => 1.7e12 + now,
    at(at, run) {
      const t: { at: number; run: (() => void) | undefined } = { at, run };
      timers.push(t);
      return {
        cancel() {
          t.run = undefined;
        },
      };
    },
  },
  net: {
    ...host.net,
    udp: async (_o, onMessage) => {
      hear = onMessage;
      return {
        local: SWITCH,
        send: (data, to) => {
          if (!peer) return;
          const text = (data as Buffer).toString('latin1');
          if (to.port === 40_001) callee(text);
          else caller(text);
        },
        close: async () => {},
      };
    },
  },
};
function field(text: string, name: string): string {
  const at = text.indexOf(`\r\n${name}: `);
  return at < 0 ? '' : text.slice(at + name.length + 4, text.indexOf('\r\n', at + 2));
}
const say = (text: string, from: Address) => void queue.push({ text, from });
function signed(text: string, method: string, uri: string): string {
  const nonce = /nonce="([^"]+)"/.exec(field(text, 'WWW-Authenticate'))?.[1] ?? '';
  const response = md5(`${HA1}:${nonce}:00000001:c0ffee:auth:${md5(`${method}:${uri}`)}`);
  return `Authorization: Digest username="alice",realm="example.net",nonce="${nonce}",uri="${uri}",response="${response}",algorithm=MD5,cnonce="c0ffee",qop=auth,nc=00000001\r\n`;
}
const TARGET = 'sip:+4930123456@127.0.0.1:5060';
function request(
  method: string,
  id: string,
  seq: number,
  more: string,
  body = '',
  to = `<${TARGET}>`,
  uri = TARGET,
  branch = `${seq}${method}`,
) {
  const type = body === '' ? '' : 'Content-Type: application/sdp\r\n';
  say(
    `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK-${id}-${branch}\r\nFrom: <sip:alice@example.net>;tag=f${id}\r\nCall-ID: ${id}@127.0.0.1\r\nCSeq: ${seq} ${method}\r\nMax-Forwards: 70\r\nContact: <sip:alice@127.0.0.1:40000>\r\nTo: ${to}\r\n${more}${type}Content-Length: ${body.length}\r\n\r\n${body}`,
    A,
  );
}
let done = 0;
let failed = 0;
function caller(text: string) {
  const status = Number(text.slice(8, 11));
  if (status < 200) return;
  const id = field(text, 'Call-ID').slice(0, -10);
  const cseq = field(text, 'CSeq');
  if (cseq.endsWith('REGISTER')) {
    if (status === 401) register(id, 2, signed(text, 'REGISTER', 'sip:example.net'));
    else if (status === 200) done++;
    else failed++;
  } else if (cseq.endsWith('INVITE')) {
    if (status === 401) {
      request('ACK', id, 1, '', '', field(text, 'To'), TARGET, '1INVITE');
      request('INVITE', id, 2, signed(text, 'INVITE', TARGET), SDP);
    } else if (status === 200) {
      const uri = field(text, 'Contact').slice(1, -1);
      const to = field(text, 'To');
      request('ACK', id, 2, '', '', to, uri);
      request('BYE', id, 3, '', '', to, uri);
    } else failed++;
  } else if (status === 200) done++;
  else failed++;
}
function register(id: string, seq: number, more: string) {
  say(
    `REGISTER sip:example.net SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK-${id}-${seq}\r\nFrom: <sip:alice@example.net>;tag=${seq}b${id}\r\nCall-ID: ${id}@127.0.0.1\r\nCSeq: ${seq} REGISTER\r\nMax-Forwards: 70\r\nContact: <sip:alice@127.0.0.1:40000>\r\nTo: <sip:alice@example.net>\r\n${more}Expires: 600\r\nContent-Length: 0\r\n\r\n`,
    A,
  );
}
function callee(text: string) {
  const method = text.slice(0, text.indexOf(' '));
  if (method === 'ACK') return;
  const head = `Via: ${field(text, 'Via')}\r\nFrom: ${field(text, 'From')}\r\nCall-ID: ${field(text, 'Call-ID')}\r\nCSeq: ${field(text, 'CSeq')}\r\n`;
  const to = field(text, 'To');
  const tagged = to.includes(';tag=') ? to : `${to};tag=u${field(text, 'Call-ID')}`;
  const contact = 'Contact: <sip:127.0.0.1:40001>\r\n';
  if (method === 'INVITE') {
    say(`SIP/2.0 180 Ringing\r\n${head}To: ${tagged}\r\n${contact}Content-Length: 0\r\n\r\n`, B);
    say(
      `SIP/2.0 200 OK\r\n${head}To: ${tagged}\r\n${contact}Content-Type: application/sdp\r\nContent-Length: ${SDP.length}\r\n\r\n${SDP}`,
      B,
    );
  } else say(`SIP/2.0 200 OK\r\n${head}To: ${tagged}\r\n${contact}Content-Length: 0\r\n\r\n`, B);
}
const hashed = sipHash(host.crypto);
const door = new Door({
  realm: 'example.net',
  secret: host.random.bytes(32),
  hash: hashed,
  salt: () => host.random.bytes(8),
});
const account = { username: 'alice', number: '+491', ha1: { md5: HA1, sha256: '' } };
const endpoint: Endpoint = new Endpoint({
  random: host.random,
  hash: hashed,
  backToBack: true,
  sessionExpires: 1800,
  reliable: true,
  screen(message, flow) {
    if (message.method === 'OPTIONS') return undefined;
    const claimed = message.header('Authorization') === undefined ? undefined : door.claimed(message);
    const verdict = door.judge(message, claimed, account, flow.remote.host, 1.7e12 + now);
    if (verdict.ok) return undefined;
    return { status: verdict.status, headers: verdict.challenges.map((one) => ['WWW-Authenticate', one] as const) };
  },
});
const other = new Map<CallHandle, CallHandle>();
const trace = new SipTrace();
const transport: SipTransport = new SipTransport(world, {
  endpoint,
  trace: (direction, flow, _text, octets) =>
    trace.message(direction, `udp ${flow.remote.host}:${flow.remote.port}`, octets, now),
  onOutput(o) {
    switch (o.do) {
      case 'incoming':
        transport.act((t, out) => {
          const leg = endpoint.invite(
            {
              flow: calleeFlow,
              uri: 'sip:bob@127.0.0.1:40001',
              from: '"Alice" <sip:alice@example.net>',
              to: '<sip:bob@example.net>',
              contact: 'sip:127.0.0.1:5060',
              sdp: o.offer ?? '',
              headers: [['Allow-Events', 'refer']],
            },
            t,
            out,
          );
          other.set(o.call, leg);
          other.set(leg, o.call);
        });
        return;
      case 'progress': {
        const to = other.get(o.call);
        if (to !== undefined) transport.act((t, out) => endpoint.progress(to, o.status, {}, t, out));
        return;
      }
      case 'answered': {
        const to = other.get(o.call);
        if (to !== undefined)
          transport.act((t, out) => endpoint.answer(to, { sdp: o.sdp ?? '', contact: 'sip:127.0.0.1:5060' }, t, out));
        return;
      }
      case 'ended': {
        const to = other.get(o.call);
        if (to !== undefined) transport.act((t, out) => endpoint.hangup(to, 'Q.850;cause=16', t, out));
        other.delete(o.call);
        other.delete(to ?? '');
        return;
      }
      case 'request':
        transport.act((t, out) =>
          endpoint.reply(
            o.transaction,
            200,
            { headers: [['Contact', '<sip:alice@127.0.0.1:40000>;expires=600']] },
            t,
            out,
          ),
        );
        return;
      default:
    }
  },
});
await transport.bind({ udp: SWITCH });
const calleeFlow = await transport.flowTo({ protocol: 'udp', ...B });
transport.trust('127.0.0.1');
let names = 0;
function turn() {
  for (let i = 0; i < queue.length; i++) {
    const { text, from } = queue[i] as { text: string; from: Address };
    hear(Buffer.from(text, 'latin1'), from);
  }
  queue = [];
}
/** Forty side by side. */
function round(begin: (id: string) => void, count: number): number {
  peer = true;
  const start = process.threadCpuUsage();
  for (let i = 0; i < count; i += 40) {
    transport.trust('127.0.0.1');
    for (let k = 0; k < 40; k++) begin(`call-${++names}`);
    while (queue.length > 0) turn();
    now += 40;
    for (let t = 0; t < timers.length; t++) {
      const one = timers[t] as (typeof timers)[0];
      if (one.run === undefined) timers.splice(t--, 1);
      else if (one.at <= now) {
        timers.splice(t--, 1);
        one.run();
      }
    }
  }
  const used = process.threadCpuUsage(start);
  return (used.user + used.system) / count;
}
const median = (v: number[]) => v.toSorted((a, b) => a - b)[v.length >> 1] ?? 0;
for (const [what, begin] of [
  ['call', (id: string) => request('INVITE', id, 1, '', SDP)],
  ['registration', (id: string) => register(id, 1, '')],
] as const) {
  const found: number[] = [];
  for (let r = -3; r < rounds; r++) {
    const us = round(begin, calls);
    if (r >= 0) found.push(us);
  }
  const { size } = trace;
  console.log(
    `${what}: ${median(found).toFixed(1)} us (least ${Math.min(...found).toFixed(1)}); done ${done} failed ${failed}; ${JSON.stringify(endpoint.counts())} ${size}`,
  );
}
