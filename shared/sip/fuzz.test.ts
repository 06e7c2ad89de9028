import { describe, expect, it } from 'vitest';
import { mutate, seeded } from '#test/support/mutate.ts';
import { parseCredentials } from './digest.ts';
import { Framer } from './framer.ts';
import { newResponse, type SipMessage } from './message.ts';
import { readRemote } from './offer-answer.ts';
import { MESSAGE_LIMIT, parse } from './parse.ts';
import { parseUri, writeNameAddr, writeUri } from './uri.ts';
import { validate } from './validate.ts';
import { writeVia } from './via.ts';
import { write } from './write.ts';

const SDP = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 0\r\n';
const HEAD = [
  'Via: SIP/2.0/UDP [2001:db8::1]:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP b.example;received=192.0.2.9',
  'Max-Forwards: 70',
  'From: "A. \\"B\\", C" <sip:alice:pw@a.example;transport=tcp?x=%41>;tag=1',
  't: Bob <sips:b%40b@b.example>',
  'Call-ID: x@y',
];
/** How many mutated messages; more than 20,000 for a long run. */
const CASES = Number(process.env.FUZZ_CASES ?? 20_000);
const SEEDS = [
  [
    'INVITE sip:bob@b.example;lr SIP/2.0',
    ...HEAD,
    'CSeq: 1 INVITE',
    'Route: <sip:p;lr>,<sip:q;lr>',
    'm: <sip:a@h>;expires=5',
    'Content-Type: application/sdp',
    `Content-Length: ${SDP.length}`,
    '',
    SDP,
  ],
  [
    'REGISTER sip:h SIP/2.0',
    ...HEAD,
    'CSeq: 2 REGISTER',
    'Contact: *',
    'Expires: 0',
    'Authorization: Digest username="a", realm="r", nonce="n", uri="sip:h", response="0", qop=auth, nc=00000001, cnonce="c"',
    'l: 0',
    '',
    '',
  ],
  [
    'SIP/2.0 200 OK',
    ...HEAD,
    'CSeq: 1 INVITE',
    'Contact: "x" <sip:a@h;ob>;+sip.instance="<urn:uuid:1>"',
    'Supported: a, b',
    'Join: a;to-tag=1;from-tag=2',
    '',
    '',
  ],
].map((lines) => lines.join('\r\n'));

/** Everything that a user may read of a message; what it gives has to be readable again. */
function exercise(text: string): void {
  const read = parse(text);
  const { message } = read;
  if (message === undefined) return;
  const verdict = read.ok ? validate(message) : read;
  touch(message);
  if (message.kind === 'request') {
    const answer = newResponse(message, 400);
    const back = parse(write(answer));
    if (verdict === undefined) expect(back).toMatchObject({ ok: true });
  }
  if (verdict !== undefined) return;
  const again = parse(write(message));
  expect(again.ok && validate(again.message)).toBe(undefined);
  expect(again.message?.body).toBe(message.body);
}

function touch(message: SipMessage): void {
  for (const via of message.vias) writeVia(via);
  const addresses = [message.from, message.to, ...message.contacts, ...message.routes, ...message.recordRoutes];
  for (const address of addresses) {
    writeNameAddr(address);
    const uri = parseUri(address.uri);
    if (uri !== undefined) expect(parseUri(writeUri(uri))).toBeDefined();
  }
  parseCredentials(message.header('Authorization') ?? '');
  readRemote(message.body);
  message.clone().setFirst('Via', 'SIP/2.0/UDP h');
  expect([message.expires, message.maxForwards, message.cseq, message.callId, message.contactStar]).toHaveLength(5);
}

describe('mutated messages', () => {
  it('neither break anything nor come out unreadable', () => {
    const next = seeded(20_261_121);
    let accepted = 0;
    for (let number = 0; number < CASES; number++) {
      let text = SEEDS[number % SEEDS.length] ?? '';
      for (let i = 0; i <= number % 4; i++) text = mutate(text, next);
      try {
        exercise(text);
        if (parse(text).ok) accepted += 1;
      } catch (error) {
        throw new Error(`case ${number}: ${JSON.stringify(text)}`, { cause: error });
      }
    }
    expect(accepted).toBeGreaterThan(CASES * 0.2);
    expect(accepted).toBeLessThan(CASES * 0.8);
  });

  it('never stop a stream but by its own verdict', () => {
    const next = seeded(7);
    for (let number = 0; number < 2000; number++) {
      const framer = new Framer();
      const text = mutate(SEEDS.join(''), next);
      let got = 0;
      for (let at = 0; at < text.length; at += 100) framer.push(text.slice(at, at + 100));
      for (let frame = framer.next(); frame !== undefined && !('bad' in frame); frame = framer.next()) {
        if ('message' in frame) got += frame.message.length;
      }
      expect(got).toBeLessThanOrEqual(text.length);
    }
  });
});

/**
 * 50 times 60 kB of whatever once made a parser slow. Read in linear time this is a matter of a second at most; the time limit of the
 * test is what a quadratic reader (2 s for one such header) runs into.
 */
describe('hostile headers of 60,000 octets', () => {
  const fill = (piece: string): string => piece.repeat(Math.floor(60_000 / piece.length));
  const places = [
    'Via',
    'From',
    'To',
    'Contact',
    'Authorization',
    'Route',
    'CSeq',
    'Supported',
    'X-Other',
    'Content-Type',
  ];
  const pieces = [
    '"',
    '\\"',
    '<',
    '>',
    '<>',
    ';',
    ';a',
    ';a=',
    ',',
    ', ',
    ':',
    '=',
    'a=,',
    ' ',
    '\t',
    '\r\n ',
    '\r\n',
    'x\r\n',
    'x:\r\n',
    '@',
    '[',
    '[:',
    '%',
    '%4',
    '%41',
    '?',
    '\0',
    '\\\0',
    '"a",',
    '<a>,',
    'a ',
    'l:1\r\n',
  ];

  it.each(pieces)('of %j are read in linear time', (piece) => {
    const started = performance.now();
    for (const place of places) {
      for (const lead of ['', 'Digest ', '"', '<sip:', 'SIP/2.0/UDP h;']) {
        const line = `${place}: ${lead}${fill(piece)}`;
        const text = ['INVITE sip:h SIP/2.0', line, ...HEAD.slice(0, 4), 'CSeq: 1 INVITE', '', ''].join('\r\n');
        expect(text.length).toBeLessThan(MESSAGE_LIMIT);
        exercise(text);
        const framer = new Framer();
        framer.push(text);
        for (let left = 64_000; left > 0 && framer.next() !== undefined; left--);
        // The runner's time limit cannot stop what never waits.
        if (performance.now() - started > 25_000) throw new Error('this takes for ever');
      }
    }
  });
});
