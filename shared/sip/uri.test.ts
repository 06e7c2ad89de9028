import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type NameAddr,
  parseNameAddr,
  parseUri,
  type SipUri,
  sameUri,
  URI_LIMIT,
  unescapeUri,
  writeNameAddr,
  writeUri,
} from './uri.ts';

const plain = (text: string): Record<string, unknown> | undefined => {
  const uri = parseUri(text);
  return uri && JSON.parse(JSON.stringify({ ...uri, params: [...uri.params] }));
};

describe('parseUri', () => {
  it.each<[string, Record<string, unknown>]>([
    ['sip:example.com', { scheme: 'sip', host: 'example.com', params: [] }],
    ['SIPS:a@Example.COM:5061', { scheme: 'sips', user: 'a', host: 'example.com', port: 5061, params: [] }],
    ['sip:a:secret@h', { scheme: 'sip', user: 'a', password: 'secret', host: 'h', params: [] }],
    [
      'sip:%61lice@h;transport=tcp;LR?to=x%40y',
      {
        scheme: 'sip',
        user: 'alice',
        host: 'h',
        params: [
          ['transport', 'tcp'],
          ['lr', null],
        ],
        headers: 'to=x%40y',
      },
    ],
    [
      'sip:u;par=u%40example.net@example.com',
      { scheme: 'sip', user: 'u;par=u@example.net', host: 'example.com', params: [] },
    ],
    ['sip:a?b@h', { scheme: 'sip', user: 'a?b', host: 'h', params: [] }],
    ['sip:[2001:DB8::10]', { scheme: 'sip', host: '2001:db8::10', params: [] }],
    ['sip:[2001:db8::10]:5070', { scheme: 'sip', host: '2001:db8::10', port: 5070, params: [] }],
    ['sip:[2001:db8::10:5070]', { scheme: 'sip', host: '2001:db8::10:5070', params: [] }],
    ['sip:u@[::ffff:192.0.2.1];lr', { scheme: 'sip', user: 'u', host: '::ffff:192.0.2.1', params: [['lr', null]] }],
    [
      'tel:+49-30-123;phone-context=x',
      { scheme: 'tel', user: '+49-30-123', host: '', params: [['phone-context', 'x']] },
    ],
    ['urn:service:sos', { scheme: 'urn', host: '', opaque: 'service:sos', params: [] }],
    ['soap.beep://192.0.2.103:3002', { scheme: 'soap.beep', host: '', opaque: '//192.0.2.103:3002', params: [] }],
  ])('%s', (text, expected) => {
    expect(plain(text)).toEqual(JSON.parse(JSON.stringify(expected)));
  });

  it.each([
    '',
    'sip',
    'sip:',
    ':x',
    'sip:@h',
    'sip:a@',
    'sip:a@h:',
    'sip:a@h:x',
    'sip:a@h:65536',
    'sip:a@h:-1',
    'sip:a b@h',
    'sip:a@h;a=1;a=2',
    'sip:a@h;;',
    'sip:%6@h',
    'sip:%zz@h',
    'sip:a@h?x=%4',
    'sip:a@h;x=%4',
    'sip:2001:db8::10',
    'sip:[2001:db8::10',
    'sip:[2001]',
    'sip:[]',
    'sip:[2001:db8::1]x',
    'sip:a@b@c',
    'sip:a"@h',
    'sip:a@h\r\nx',
    '<sip:a@h>',
    'tel:',
    'tel:+',
    'tel:12x',
    '1sip:a',
    `sip:${'a'.repeat(URI_LIMIT)}@h`,
  ])('refuses %j', (text) => {
    expect(parseUri(text)).toBeUndefined();
  });

  it('takes a URI of the longest length', () => {
    expect(parseUri(`sip:${'a'.repeat(URI_LIMIT - 6)}@h`)?.user).toHaveLength(URI_LIMIT - 6);
  });

  it('is the inverse of writeUri', () => {
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
      minLength: 1,
      maxLength: 20,
    });
    const uri = fc.record({
      scheme: fc.constantFrom('sip', 'sips'),
      user: fc.option(text, { nil: undefined }),
      host: fc.constantFrom('a.example', '192.0.2.1', '2001:db8::1', 'x_y'),
      port: fc.option(fc.integer({ min: 0, max: 65_535 }), { nil: undefined }),
      params: fc.constantFrom(
        new Map(),
        new Map([
          ['lr', undefined],
          ['transport', 'tcp'],
        ]),
      ),
      headers: fc.constantFrom(undefined, 'subject=x%20y'),
    });
    fc.assert(
      fc.property(uri, (one) => {
        const expected: SipUri = { ...one, password: undefined };
        expect(parseUri(writeUri(expected))).toEqual(expected);
      }),
    );
  });
});

/** Examples of RFC 3261 section 19.1.4 and more. */
describe('sameUri', () => {
  it.each([
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;newparam=5'],
    [
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
    ['tel:+1-201-555-0123', 'tel:+12015550123'],
    ['urn:service:sos', 'urn:service:sos'],
  ])('%s is %s', (a, b) => {
    const [left, right] = [parseUri(a), parseUri(b)];
    expect(left && right && sameUri(left, right) && sameUri(right, left)).toBe(true);
  });

  it.each([
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    ['sip:a@h', 'sips:a@h'],
    ['sip:a@h', 'sip:h'],
    ['tel:123;phone-context=a', 'tel:123'],
    ['urn:service:sos', 'urn:service:fire'],
  ])('%s is not %s', (a, b) => {
    const [left, right] = [parseUri(a), parseUri(b)];
    expect(left && right && (sameUri(left, right) || sameUri(right, left))).toBe(false);
  });
});

describe('parseNameAddr', () => {
  it.each<[string, string, string, [string, string | undefined][]]>([
    ['sip:a@h', '', 'sip:a@h', []],
    ['sip:a@h;tag=1', '', 'sip:a@h', [['tag', '1']]],
    ['<sip:a@h;lr>;tag=1', '', 'sip:a@h;lr', [['tag', '1']]],
    ['"A \\"B\\" <x>" <sip:a@h> ; tag = 1', 'A "B" <x>', 'sip:a@h', [['tag', '1']]],
    ['caller<sip:a@h>', 'caller', 'sip:a@h', []],
    ['Bell, Alexander <sip:a@h>;tag=4', 'Bell, Alexander', 'sip:a@h', [['tag', '4']]],
    ['  A  B <sip:a@h>', 'A  B', 'sip:a@h', []],
    ['<sip:a@h?Route=%3Cx%3E>', '', 'sip:a@h?Route=%3Cx%3E', []],
  ])('%s', (text, display, uri, params) => {
    const address = parseNameAddr(text);
    expect(address && { ...address, params: [...address.params] }).toEqual({ display, uri, params });
  });

  it.each([
    '',
    '<>',
    '<sip:a@h',
    '"A <sip:a@h>',
    '"A" sip:a@h',
    'A"B" <sip:a@h>',
    '<sip:a@h>;;',
    '<sip:a@h> x',
    'sip:a@h?Route=x',
    'sip:a@h,sip:b@h',
  ])('refuses %j', (text) => {
    expect(parseNameAddr(text)).toBeUndefined();
  });

  it('is the inverse of writeNameAddr', () => {
    const display = fc.string({
      unit: fc.integer({ min: 32, max: 255 }).map((c) => String.fromCharCode(c)),
      maxLength: 20,
    });
    fc.assert(
      fc.property(display, (name) => {
        const address: NameAddr = {
          display: name,
          uri: 'sip:a@h;lr',
          params: new Map([
            ['tag', 'x'],
            ['note', name],
          ]),
        };
        expect(parseNameAddr(writeNameAddr(address))).toEqual(address);
      }),
    );
  });
});

describe('unescapeUri', () => {
  it.each([
    ['%41%6a', 'Aj'],
    ['%00', '\0'],
    ['plain', 'plain'],
    ['%2541', '%41'],
    ['%', undefined],
    ['%4', undefined],
    ['%4g', undefined],
  ])('%j', (text, expected) => {
    expect(unescapeUri(text)).toBe(expected);
  });
});
