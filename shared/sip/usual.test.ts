import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { parseNameAddr, parseUri } from './uri.ts';
import { NO_TAG, NOT_USUAL, usualAddress, usualUri } from './usual.ts';

test.each([
  ['<sip:a@b>', NO_TAG],
  ['<sip:h.example:5060>', NO_TAG],
  ['<sip:+1555@h.example:5060;transport=tcp>', NO_TAG],
  ['<sip:a@h;ob>;tag=x1', 17],
  ['"Ann, of \u00fc" <sip:a@b>;tag=1', 26],
  ['"Ann"<sip:a@b>', NO_TAG],
  ['<sip:a@b>;tag=', NOT_USUAL],
  ['<sip:a@b>;tag', NOT_USUAL],
  ['<sip:a@b>;tag=x;y', NOT_USUAL],
  ['<sip:a@b> ;tag=x', NOT_USUAL],
  ['<sip:a@b', NOT_USUAL],
  ['sip:a@b', NOT_USUAL],
  ['"A\\"nn" <sip:a@b>', NOT_USUAL],
  ['"Ann <sip:a@b>', NOT_USUAL],
  ['"Ann\\" <sip:a@b>', NOT_USUAL],
  ['<SIP:a@b>', NOT_USUAL],
  ['<sips:a@b>', NOT_USUAL],
  ['<sip:@b>', NOT_USUAL],
  ['<sip:a@>', NOT_USUAL],
  ['<sip:a:pass@b>', NOT_USUAL],
  ['<sip:a%20@b>', NOT_USUAL],
  ['<sip:a@b:>', NOT_USUAL],
  ['<sip:a@b:65536>', NOT_USUAL],
  ['<sip:a@b:655360>', NOT_USUAL],
  ['<sip:a@[::1]>', NOT_USUAL],
  ['<sip:a@b;lr;ob>', NOT_USUAL],
  ['<sip:a@b;=x>', NOT_USUAL],
  ['<sip:a@b;x=>', NOT_USUAL],
  ['<sip:a@b?x=y>', NOT_USUAL],
  [`<sip:${'a'.repeat(1_100)}@b>`, NOT_USUAL],
  ['', NOT_USUAL],
])('%s', (text, expected) => {
  expect(usualAddress(text, 0, text.length)).toBe(expected);
  // Where it stands in a message does not matter.
  const found = usualAddress(`f: ${text}\r\n`, 3, 3 + text.length);
  expect(found < 0 ? found : found - 3).toBe(expected);
});

const pieces = fc.constantFrom(
  ...[
    '<',
    '>',
    'sip:',
    'sips:',
    'a',
    'B-1',
    '@',
    ':',
    '5060',
    '99999',
    ';',
    '=',
    'lr',
    ';tag=',
    'x',
    '"',
    '\\',
    ' ',
    ',',
    '?',
    '%',
    '%41',
    '[::1]',
    '(',
    '+',
    '\u00e9',
    ';ob',
  ],
);
const valid = fc
  .tuple(
    fc.constantFrom('', '"A" ', '"A, B"'),
    fc.constantFrom('', 'a@', '+1(5)@', "x!~*'@"),
    fc.constantFrom('h', '10.0.0.1', 'H.Example'),
    fc.constantFrom('', ':1', ':65535', ':65536'),
    fc.constantFrom('', ';lr', ';transport=udp', ';lr;ob'),
    fc.constantFrom('', ';tag=a.b', ';tag=%', ';x=1'),
  )
  .map(([display, user, host, port, param, tag]) => `${display}<sip:${user}${host}${port}${param}>${tag}`);
const texts = fc.oneof(
  fc.array(pieces, { maxLength: 14 }).map((list) => list.join('')),
  valid,
);

test('what is usual the parsers find right, with the same tag', () => {
  let usual = 0;
  fc.assert(
    fc.property(texts, (text) => {
      const at = usualAddress(text, 0, text.length);
      if (at === NOT_USUAL) return;
      usual++;
      const address = parseNameAddr(text);
      expect(address?.params.get('tag')).toBe(at === NO_TAG ? undefined : text.slice(at));
      expect([...(address?.params.keys() ?? [])].every((name) => name === 'tag')).toBe(true);
      expect(parseUri(address?.uri ?? '')).toMatchObject({ scheme: 'sip', headers: undefined, password: undefined });
    }),
    { seed, numRuns: 3_000 },
  );
  expect(usual).toBeGreaterThan(200);
});

test('a usual URI is one for the parser, and ends where it is said', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const from = text.indexOf('sip:');
      const end = from < 0 ? -1 : usualUri(text, from, text.length);
      if (end >= 0) expect(parseUri(text.slice(from, end))?.scheme).toBe('sip');
    }),
    { seed, numRuns: 3_000 },
  );
});
