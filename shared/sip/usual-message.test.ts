import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { headerKind } from './headers.ts';
import type { SipMessage } from './message.ts';
import { parse } from './parse.ts';
import { isUsualMessage, type LineRule } from './usual-message.ts';
import { judge, VALUE_LIMIT, VALUE_RULES, validate } from './validate.ts';

const rules: LineRule[] = [];
for (const rule of VALUE_RULES) rules[headerKind(rule.header)?.id ?? 0] = rule;

const start = fc.constantFrom(
  ...['INVITE sip:b@h SIP/2.0', 'BYE sip:b@h:5060;lr SIP/2.0', 'X-Y sip:h SIP/2.0', 'SIP/2.0 200 OK'],
  ...['INVITE sip:b%20@h SIP/2.0', 'INVITE tel:+1 SIP/2.0', 'INVITE sip:b@h?x=y SIP/2.0', 'INVITE x SIP/2.0'],
);
const via = fc.constantFrom(
  ...['SIP/2.0/UDP h;branch=z9hG4bK1', 'SIP/2.0/TLS H.example:5061;rport;branch=z9hG4bK2', 'SIP/2.0/TCP 10.0.0.1'],
  ...[
    'SIP/2.0/UDP h;branch=a;branch=b',
    'SIP/2.0/UDP h;received=1.2.3.4;rport=9;branch=a',
    'SIP/2.0/UDP [::1];branch=c',
  ],
  ...[
    'SIP/2.0/UDP h;received=a;received=b',
    'SIP/2.0/UDP h;rport;branch=a;rport=1',
    'SIP/2.0/UDP h;x=1',
    'SIP/2.0/UDP h;branch=',
    'SIP/3.0/UDP h',
    'SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b',
    '',
  ],
);
const address = fc.constantFrom(
  ...['<sip:a@h>', '<sip:a@h>;tag=1', '"A" <sip:a@h>;tag=x.y', 'sip:a@h;tag=2', '<sip:a@h>;tag', '<sip:a@h>;x;tag=3'],
  ...['<tel:+1>', '*', '', '<sip:a@h>, <sip:c@h>', '<sip:@>'],
);
const cseq = fc.constantFrom(
  ...[
    '1 INVITE',
    '2 BYE',
    '999999999 INVITE',
    '2147483648 INVITE',
    '2147483647 INVITE',
    '1  INVITE',
    '1 X-Y',
    '1',
    '-1 BYE',
  ],
);
const line = fc.oneof(
  ...[fc.tuple(fc.constant('Via'), via), fc.tuple(fc.constantFrom('From', 'To', 'Contact', 'm'), address)],
  fc.tuple(fc.constant('CSeq'), cseq),
  fc.tuple(fc.constant('Call-ID'), fc.constantFrom('a@b', 'a b', 'a,b', '', 'x')),
  fc.tuple(fc.constantFrom('Max-Forwards', 'Expires'), fc.constantFrom('70', '255', '256', '-1', '', '1 1')),
  fc.tuple(
    fc.constantFrom('Allow', 'Supported', 'Require', 'Accept', 'History-Info', 'Subject', 'X-Other'),
    fc.constantFrom(
      'a',
      'a,b',
      'a , b',
      'a b',
      '',
      ',',
      'a;b',
      'ä',
      ','.repeat(VALUE_LIMIT - 1),
      ','.repeat(VALUE_LIMIT),
    ),
  ),
  fc.tuple(fc.constantFrom('Content-Type', 'c'), fc.constantFrom('application/sdp', 'a/b;c=d', 'a', '')),
  fc.tuple(
    fc.constantFrom('Route', 'Record-Route'),
    fc.constantFrom('<sip:p;lr>', '<sip:p>, <sip:q>', 'sip:p', '<tel:1>'),
  ),
  fc.tuple(fc.constantFrom('Join', 'Replaces'), fc.constantFrom('a@b;to-tag=1;from-tag=2', 'a@b')),
);
/** Mostly whole, so that many are usual. */
const rarely = <T>(one: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: one });
const lines = fc.tuple(
  ...([rarely(via), rarely(address), rarely(address), rarely(cseq), fc.array(line, { maxLength: 3 })] as const),
);
const texts = fc.tuple(rarely(start), lines).map(([begin, [top, from, to, seq, more]]) => {
  const first = begin ?? 'INVITE sip:b@h SIP/2.0';
  const method = first.startsWith('SIP') ? 'INVITE' : first.slice(0, first.indexOf(' '));
  const all = [
    ...[
      `Via: ${top ?? 'SIP/2.0/UDP h;branch=z9hG4bK1'}`,
      `From: ${from ?? '<sip:a@h>;tag=1'}`,
      `To: ${to ?? '<sip:b@h>'}`,
    ],
    ...['Call-ID: c@h', `CSeq: ${seq ?? `1 ${method}`}`, ...more.map(([name, value]) => `${name}: ${value}`)],
  ];
  return [first, ...all, '', ''].join('\r\n');
});

function read(text: string): SipMessage | undefined {
  const parsed = parse(text);
  return parsed.ok ? parsed.message : undefined;
}

const facts = (m: SipMessage) => [
  ...[m.topVia?.host, m.topVia?.port, m.topVia?.branch, m.topVia?.asksPort, m.topVia?.transport],
  ...[[...(m.topVia?.params ?? [])], m.hasFurtherVia, m.fromTag, m.toTag, m.hasToTag, m.callId, m.cseq, m.method],
];

it('the one pass says what all the rules say, and keeps what they read', () => {
  let usual = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const [one, other, third] = [read(text), read(text), read(text)];
      if (one === undefined || other === undefined || third === undefined) return;
      const verdict = judge(other);
      expect(validate(one), text).toEqual(verdict);
      if (!isUsualMessage(third, rules)) return;
      usual++;
      expect(verdict, text).toBeUndefined();
      expect(facts(third), text).toEqual(facts(other));
    }),
    { seed, numRuns: 4_000 },
  );
  expect(usual).toBeGreaterThan(400);
});

it('what changes is read anew', () => {
  const message = read(
    'BYE sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=1;rport\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 BYE\r\n\r\n',
  );
  expect(message && isUsualMessage(message, rules)).toBe(true);
  expect(message?.hasToTag).toBe(false);
  message?.set('To', '<sip:b@h>;tag');
  expect([message?.toTag, message?.hasToTag]).toEqual([undefined, true]);
  message?.setTopVia('SIP/2.0/UDP i');
  expect([message?.topVia?.host, message?.topVia?.branch]).toEqual(['i', undefined]);
  message?.pushVia('SIP/2.0/UDP j');
  expect([message?.topVia?.host, message?.hasFurtherVia]).toEqual(['j', true]);
});
