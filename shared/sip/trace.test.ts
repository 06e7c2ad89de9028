import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { fromLatin1 } from '../kernel/bytes.ts';
import { callIdOf, masked, SHOWN_TEXT, SipTrace, summaryOf, timeLine, withoutPin } from './trace.ts';

const message = (lines: readonly string[], body = '') => [...lines, '', body].join('\r\n');
const invite = message(
  ['INVITE sip:700@home SIP/2.0', 'i: abc@host', 'CSeq: 1 INVITE', 'c: application/sdp'],
  'v=0\r\n',
);

describe('the memory of messages', () => {
  test('keeps the newest within its limits, by number and by size', () => {
    const trace = new SipTrace({ messages: 3, octets: 1_000 });
    for (let i = 0; i < 5; i++)
      trace.message('in', 'udp a:1', message([`OPTIONS sip:${i} SIP/2.0`, `Call-ID: ${i}`]), i);
    expect(trace.all().map(({ at }) => at)).toEqual([2, 3, 4]);
    trace.message('in', 'udp a:1', 'x'.repeat(990), 9);
    expect(trace.all().map(({ at }) => at)).toEqual([9]);
    trace.message('in', 'udp a:1', 'x'.repeat(1_001), 10);
    expect(trace.size).toBe(0);
  });

  test('is the tail of all that was kept, whatever came in what order', () => {
    const said = fc.oneof(
      fc.record({ note: fc.boolean(), length: fc.nat(60) }),
      fc.record({ note: fc.constant(false), length: fc.constantFrom(0, 1, 99, 100, 101, 40_000) }),
    );
    const limits = fc.constantFrom({ messages: 4, octets: 100 }, { messages: 50, octets: 40_000 });
    fc.assert(
      fc.property(fc.array(said, { maxLength: 40 }), limits, fc.boolean(), (all, limit, asOctets) => {
        const trace = new SipTrace(limit);
        const given = all.map(({ note, length }, i) => ({
          note,
          at: i,
          text: String.fromCharCode(65 + i).repeat(length),
        }));
        for (const { note, at, text } of given) {
          if (note) trace.note('c', text, at);
          else trace.message('in', 'udp a:1', asOctets ? fromLatin1(text) : text, at);
          // What fits in alone is kept.
          expect(trace.all().at(-1)?.text).toBe(text.length > limit.octets ? undefined : text);
        }
        const kept = trace.all();
        expect(kept.map(({ at, text, kind }) => ({ at, text, note: kind === 'note' }))).toEqual(
          kept.length === 0 ? [] : given.slice(-kept.length).map(({ at, text, note }) => ({ at, text, note })),
        );
        expect(kept.length).toBeLessThanOrEqual(limit.messages);
        expect(kept.reduce((sum, { text }) => sum + text.length, 0)).toBeLessThanOrEqual(limit.octets);
        // Half of the ring lies idle at the most, where a long message did not fit behind the last.
        const next = given.at(-kept.length - 1);
        const longest = Math.max(1, ...given.map(({ text }) => text.length));
        const filled = kept.reduce((sum, { text }) => sum + Math.max(1, text.length), 0);
        if (next !== undefined && kept.length > 0 && kept.length < limit.messages)
          expect(filled + Math.max(1, next.text.length) + longest).toBeGreaterThan(limit.octets);
      }),
      { seed, numRuns: 300 },
    );
  });

  test('gives the messages of some calls, and their notes, in order', () => {
    const trace = new SipTrace();
    trace.message('in', 'udp a:1', invite, 1);
    trace.message('out', 'tls b:2', message(['BYE sip:x SIP/2.0', 'Call-ID: other']), 2);
    trace.note('abc@host', 'the call is up', 3);
    expect(trace.of(new Set(['abc@host'])).map(({ at, kind }) => [at, kind])).toEqual([
      [1, 'in'],
      [3, 'note'],
    ]);
  });

  test.each([
    [invite, 'abc@host', 'INVITE sip:700@home +SDP'],
    [message(['SIP/2.0 200 OK', 'CALL-ID:  x', 'CSeq: 7 BYE']), 'x', '200 OK (BYE)'],
    [message(['SIP/2.0 486 Busy Here'], 'Call-ID: in-the-body'), '', '486 Busy Here'],
    ['', '', ''],
  ])('reads Call-ID and summary (%#)', (text, callId, summary) => {
    expect([callIdOf(text), summaryOf(text)]).toEqual([callId, summary]);
  });
});

describe('masking', () => {
  const secret = 's3cretvalue';
  const hidden: readonly (readonly [string, readonly string[], string])[] = [
    [
      'digest response',
      [`Authorization: Digest username="ann", realm="r", response="${secret}", nonce="${secret}"`],
      '',
    ],
    ['a token', [`Proxy-Authorization: Bearer ${secret}`], ''],
    ['unknown header', [`X-Pin: ${secret}`], ''],
    ['subject', [`Subject: ${secret}`], ''],
    ['folded header', ['X-Pin: a', ` ${secret}`], ''],
    ['password of a URI', [`Contact: <sip:ann:${secret}@h>`], ''],
    ['header in a URI', [`Refer-To: <sip:a@b?Replaces=${secret}>`], ''],
    ['token in a URI', [`Contact: <sip:a@b;x-token=${secret};lr>`], ''],
    ['SDES key', ['Content-Type: application/sdp'], `v=0\r\na=crypto:1 X inline:${secret}\r\n`],
    [
      'fingerprint and candidate',
      ['Content-Type: application/sdp'],
      `a=ice-pwd:${secret}\r\na=candidate:${secret}\r\ni=${secret}\r\n`,
    ],
    ['key line', ['c: application/sdp'], `v=0\nk=clear:${secret}\n`],
    ['message text', ['Content-Type: text/plain'], secret],
    ['body without a type', [], secret],
    ['start line', [], ''],
  ];
  test.each(hidden)('hides %s', (name, headers, body) => {
    const start = name === 'start line' ? `MESSAGE sip:a:${secret}@b SIP/2.0` : 'MESSAGE sip:a@b SIP/2.0';
    const text = masked(message([start, 'Call-ID: c', ...headers], body));
    expect(text).not.toContain(secret);
    expect(text).toContain('Call-ID: c');
  });

  test.each([
    ['*33*4711*+15550100002', '*33*(hidden)*+15550100002'],
    ['INVITE sip:*33*4711*0900@h', 'INVITE sip:*33*(hidden)*0900@h'],
    ['sip:%2a33%2A4711%2A0900@h', 'sip:%2a33%2A(hidden)%2A0900@h'],
    ['*33*4711', '*33*(hidden)'],
    ['*34*4711*45#', '*34*(hidden)*45#'],
    ['#34*4711#', '#34*(hidden)#'],
    ['sip:%2334*4711%23@h', 'sip:%2334*(hidden)%23@h'],
    ['INVITE sip:*35*4711*0815*0815#@h', 'INVITE sip:*35*(hidden)@h'],
    ['*331*4711#', '*331*4711#'],
    ['+4933*47', '+4933*47'],
  ])('a PIN is shown to nobody: %s', (dialled, shown) => expect(withoutPin(dialled)).toBe(shown));

  test('hides in a summary what it hides in the message', () => {
    const texts = [`REFER sip:a:${secret}@b SIP/2.0`, `INVITE sip:*33*${secret}*1@b SIP/2.0`];
    const entries = texts.map((text) => ({ at: 1, kind: 'in' as const, peer: 'udp h:1', callId: 'c', text }));
    expect(JSON.stringify(timeLine(entries))).not.toContain(secret);
    const note = { at: 1, kind: 'note' as const, peer: '', callId: 'c', text: `call c from a to *33*${secret}*1` };
    expect(timeLine([note])[0]?.summary).toBe('call c from a to *33*(hidden)*1');
  });

  test('a header field longer than people read is hidden whole, and what comes after all that is shown is left out', () => {
    const shown = (length: number) =>
      masked(message(['OPTIONS sip:a@b SIP/2.0', `User-Agent: ${'u'.repeat(length)}`], ''));
    expect(shown(SHOWN_TEXT)).toContain('uuu');
    expect(shown(SHOWN_TEXT + 1)).toContain(`User-Agent: (${SHOWN_TEXT + 1} octets hidden)`);
    const many = masked(message(['OPTIONS sip:a@b SIP/2.0', ...Array(200).fill(`Via: ${'v'.repeat(1_000)}`)], ''));
    expect(many.match(/Via/g)).toHaveLength(5);
  });

  test('keeps what a fault is found by', () => {
    const text = masked(
      message(
        [
          'INVITE sip:+15550100002@home SIP/2.0',
          'v: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKx',
          'Authorization: Digest username="ann", response="x"',
          'c: application/sdp',
        ],
        'v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n',
      ),
    );
    for (const kept of [
      'branch=z9hG4bKx',
      'username="ann"',
      'c=IN IP4 10.0.0.1',
      'm=audio 4000',
      'a=sendrecv',
      '+15550100002',
    ])
      expect(text).toContain(kept);
  });

  test('never throws and never shows a digest, whatever comes', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), fc.string({ maxLength: 60 }), (before, after) => {
        const text = `${before}\r\nAuthorization: Digest response="${secret}"\r\n${after}`;
        // Where the header ends before, what follows is a body of no known kind and hidden whole.
        expect(masked(text)).not.toContain(secret);
        expect(typeof summaryOf(text)).toBe('string');
      }),
      { seed },
    );
  });
});
