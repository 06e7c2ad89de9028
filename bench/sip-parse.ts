/**
 * How many SIP messages per second are parsed, ours beside the npm package `sip`, in one process and interleaved, so that both
 * meet the same machine. Prints medians and ratios; `bin/node bench/sip-parse.ts [rounds]`.
 */
import { createRequire } from 'node:module';
import { parse } from '#shared/sip/parse.ts';
import { validate } from '#shared/sip/validate.ts';

const peer = createRequire(import.meta.url)('sip') as { parse(text: string): unknown };

const SDP = [
  'v=0',
  'o=- 3724394400 3724394401 IN IP4 198.51.100.7',
  's=-',
  'c=IN IP4 198.51.100.7',
  't=0 0',
  'm=audio 49170 RTP/AVP 8 0 101',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=sendrecv',
  '',
].join('\r\n');

const INVITE = [
  'INVITE sip:+4930123456@softswitch.example.net SIP/2.0',
  'Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds;rport',
  'Max-Forwards: 70',
  'Route: <sip:edge.example.net;lr>',
  'From: "Alice" <sip:alice@example.net>;tag=1928301774',
  'To: <sip:+4930123456@example.net>',
  'Call-ID: a84b4c76e66710@198.51.100.7',
  'CSeq: 314159 INVITE',
  'Contact: <sip:alice@198.51.100.7:5060>',
  'Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE',
  'Supported: timer, path',
  'Content-Type: application/sdp',
  `Content-Length: ${SDP.length}`,
  '',
  SDP,
].join('\r\n');

const OK = [
  'SIP/2.0 200 OK',
  'Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK776asdhds;rport=5060;received=198.51.100.7',
  'From: "Alice" <sip:alice@example.net>;tag=1928301774',
  'To: <sip:+4930123456@example.net>;tag=a6c85cf',
  'Call-ID: a84b4c76e66710@198.51.100.7',
  'CSeq: 314159 INVITE',
  'Contact: <sip:bob@203.0.113.4:5060>',
  'Content-Length: 0',
  '',
  '',
].join('\r\n');

const PAIRS = 20_000;
let sink = 0;

/** What a transaction layer reads of every message. */
function keys(text: string): void {
  const read = parse(text);
  if (read.ok) sink += (read.message.topVia?.branch ?? '').length + read.message.cseq.n;
}

/** Via, From, To, Contact and Route as structures, as `sip` always makes them. */
function core(text: string): void {
  const read = parse(text);
  if (!read.ok) return;
  const { vias, from, to, contacts, routes, cseq } = read.message;
  sink += vias.length + from.uri.length + to.uri.length + contacts.length + routes.length + cseq.n;
}

/** All that the endpoint does before it acts. */
function checked(text: string): void {
  const read = parse(text);
  if (read.ok && validate(read.message) === undefined) sink += 1;
}

function theirs(text: string): void {
  if (peer.parse(text) !== undefined) sink += 1;
}

/** Messages per second over one round. */
function round(work: (text: string) => void): number {
  const start = performance.now();
  for (let i = 0; i < PAIRS; i++) {
    work(INVITE);
    work(OK);
  }
  return (2 * PAIRS) / ((performance.now() - start) / 1000);
}

/** One header field of 60,000 octets, in the shapes that make parsers slow: how long parsing and judging it holds the loop, at the worst. */
const PIECES = [
  '"',
  '\\"',
  '<',
  '<>',
  ';',
  ';a=',
  ';a',
  ',',
  '<a>,',
  '"a",',
  ':',
  '@',
  '[',
  '%41',
  '\r\n ',
  'l:1\r\n',
  ' ',
];
const PLACES = ['Via', 'From', 'To', 'Contact', 'Authorization', 'Route', 'CSeq', 'Supported', 'X-Other'];

function hostile(): { readonly ms: number; readonly what: string } {
  let worst = { ms: 0, what: '' };
  for (const place of PLACES) {
    for (const piece of PIECES) {
      const line = `${place}: Digest <sip:${piece.repeat(Math.floor(60_000 / piece.length))}`;
      const text = INVITE.replace('Max-Forwards: 70', () => `Max-Forwards: 70\r\n${line}`);
      const times = Array.from({ length: 5 }, () => {
        const start = performance.now();
        checked(text);
        return performance.now() - start;
      });
      if (median(times) > worst.ms) worst = { ms: median(times), what: `${place} of ${JSON.stringify(piece)}` };
    }
  }
  return worst;
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const rounds = Math.max(7, Number(process.argv[2] ?? 9));
const contenders = { keys, core, checked, 'npm sip': theirs };
const rates = new Map<string, number[]>();
for (const work of Object.values(contenders)) round(work);
for (let i = 0; i < rounds; i++) {
  for (const [name, work] of Object.entries(contenders)) rates.set(name, [...(rates.get(name) ?? []), round(work)]);
}
const yardstick = median(rates.get('npm sip') ?? []);
for (const [name, values] of rates) {
  const rate = median(values);
  console.log(
    `${name.padEnd(8)} ${Math.round(rate).toString().padStart(9)} msg/s  ${(rate / yardstick).toFixed(2)} x sip`,
  );
}
hostile();
const { ms, what } = hostile();
console.log(`a hostile header of 60,000 octets holds the loop ${ms.toFixed(2)} ms at the worst (${what})`);
console.log(
  `${rounds} rounds, INVITE of ${INVITE.length} and 200 of ${OK.length} octets in turn (${sink > 0 ? 'read' : 'nothing read'})`,
);
