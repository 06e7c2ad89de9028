import { describe, expect, it } from 'vitest';
import { parse } from './parse.ts';
import { MESSAGE_RULES, VALUE_LIMIT, VALUE_RULES, type Verdict, validate } from './validate.ts';

const BASE: Readonly<Record<string, string>> = {
  Via: 'SIP/2.0/UDP h;branch=z9hG4bK1',
  From: '<sip:a@h>;tag=1',
  To: '<sip:b@h>',
  'Call-ID': 'c@h',
  CSeq: '1 OPTIONS',
};

interface Change {
  readonly start?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly more?: readonly string[];
}

function judge({ start = 'OPTIONS sip:b@h SIP/2.0', headers = {}, more = [] }: Change): Verdict | undefined {
  const lines = Object.entries({ ...BASE, ...headers }).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  const read = parse([start, ...lines, ...more, '', ''].join('\r\n'));
  if (!read.ok) throw new Error(`${read.status} ${read.reason}`);
  return validate(read.message);
}

const OK = 'SIP/2.0 200 OK';
const many = (n: number, one: string): string => Array.from({ length: n }, () => one).join(',');

describe('validate accepts', () => {
  it.each<[string, Change]>([
    ['the plainest request', {}],
    ['the plainest response', { start: OK }],
    ['a request without Max-Forwards (RFC 2543)', { headers: { 'Max-Forwards': undefined } }],
    ['several Via', { headers: { Via: 'SIP/2.0/UDP h, SIP/2.0/TCP [2001:db8::1]:5060' } }],
    ['a From without tag (RFC 2543)', { headers: { From: 'sip:a@h' } }],
    ['a To of another scheme', { headers: { To: '<urn:service:sos>' } }],
    ['a tel Request-URI', { start: 'OPTIONS tel:+49301 SIP/2.0' }],
    ['an upper-case scheme', { start: 'OPTIONS SIP:b@h SIP/2.0' }],
    ['a Contact of another scheme', { more: ['Contact: <mailto:a@h>'] }],
    [
      'a Contact star in REGISTER',
      { start: 'REGISTER sip:h SIP/2.0', headers: { CSeq: '1 REGISTER' }, more: ['m: *'] },
    ],
    ['huge Expires', { more: ['Expires: 10000000000'] }],
    ['empty Supported', { more: ['Supported:', 'Allow: INVITE , ACK', 'Require: join'] }],
    ['hops', { more: ['Route: <sip:p;lr>, "x" <sips:q;lr>', 'Record-Route: <sip:p;lr>', 'Path: <sip:p;lr>'] }],
    ['media types', { more: ['Content-Type: multipart/mixed ; boundary="a b"'] }],
    [
      'dialog names',
      {
        start: 'INVITE sip:h SIP/2.0',
        headers: { CSeq: '1 INVITE' },
        more: ['Join: a@b;to-tag=1;from-tag=2', 'Contact: <sip:a@h>'],
      },
    ],
    ['strange dates', { more: ['Date: Fri, 01 Jan 2010 16:00:00 EST'] }],
    ['repeated headers of no meaning', { more: ['X-A: 1', 'X-A: 2', 'Warning: 1 a "b"', 'Warning: 2 a "b"'] }],
    ['a CSeq of another method in a response', { start: OK, headers: { CSeq: '1 INVITE' } }],
    ['the largest CSeq', { headers: { CSeq: '2147483647 OPTIONS' } }],
    [
      'as many values as allowed',
      { more: [`Supported: ${many(VALUE_LIMIT, 'a')}`, `Accept: ${many(VALUE_LIMIT, 'a/b')}`] },
    ],
    ['as many lines as allowed', { more: Array.from({ length: VALUE_LIMIT }, () => 'Accept: a/b') }],
    ['as many values in short lines', { more: new Array(VALUE_LIMIT / 2).fill('Supported: a,b') }],
    ['an Authorization of an unknown scheme', { more: ['Authorization: NoOneKnows opaque-data="x"'] }],
  ])('%s', (_, change) => {
    expect(judge(change)).toBeUndefined();
  });
});

describe('validate refuses', () => {
  it.each<[string, Change]>([
    ['Missing Or Malformed Via', { headers: { Via: undefined } }],
    ['Missing Or Malformed Via', { headers: { Via: 'SIP/2.0/UDP' } }],
    ['Missing Or Malformed Via', { headers: { Via: 'SIP/2.0/UDP 192.0.2.15;;,;,,' } }],
    ['Missing Or Malformed Via', { start: OK, headers: { Via: 'SIP/2.0/UDP h, x' } }],
    ['Via Of Another Protocol', { headers: { Via: 'SIP/3.0/UDP h' } }],
    ['Missing Or Malformed From', { headers: { From: undefined } }],
    ['Missing Or Malformed From', { headers: { From: '<sip:a@h>;tag=' } }],
    ['Missing Or Malformed From', { headers: { From: '<sip:a@h>;tag=""' } }],
    ['Missing Or Malformed From', { headers: { From: '<a@h>;tag=1' } }],
    ['Missing Or Malformed To', { headers: { To: undefined } }],
    ['Missing Or Malformed To', { headers: { To: '"Mr. J. User <sip:j.user@example.com>' } }],
    ['Missing Or Malformed To', { headers: { To: '"Watson, Thomas" < sip:t.watson@example.org >' } }],
    ['Missing Or Malformed To', { start: OK, headers: { To: '' } }],
    ['Missing Or Malformed Call-ID', { headers: { 'Call-ID': undefined } }],
    ['Missing Or Malformed Call-ID', { headers: { 'Call-ID': '' } }],
    ['Missing Or Malformed Call-ID', { headers: { 'Call-ID': 'a b' } }],
    ['Missing Or Malformed Call-ID', { headers: { 'Call-ID': 'a,b' } }],
    ['Missing Or Malformed CSeq', { headers: { CSeq: undefined } }],
    ['Missing Or Malformed CSeq', { headers: { CSeq: '1' } }],
    ['Missing Or Malformed CSeq', { headers: { CSeq: 'OPTIONS' } }],
    ['Missing Or Malformed CSeq', { headers: { CSeq: '-1 OPTIONS' } }],
    ['Missing Or Malformed CSeq', { headers: { CSeq: '2147483648 OPTIONS' } }],
    ['Missing Or Malformed CSeq', { headers: { CSeq: '1 OPTIONS x' } }],
    ['CSeq Of Another Method', { headers: { CSeq: '1 INVITE' } }],
    ['CSeq Of Another Method', { headers: { CSeq: '1 options' } }],
    ['Malformed Contact', { more: ['Contact: *'] }],
    [
      'Malformed Contact',
      { start: 'REGISTER sip:h SIP/2.0', headers: { CSeq: '1 REGISTER' }, more: ['m: *, <sip:a@h>'] },
    ],
    [
      'Malformed Contact',
      { start: 'REGISTER sip:h SIP/2.0', headers: { CSeq: '1 REGISTER' }, more: ['m: <sip:a@h>', 'm: *'] },
    ],
    ['Malformed Contact', { more: ['Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E'] }],
    ['Malformed Contact', { more: ['Contact: "Joe" <sip:joe@example.org>;;;;'] }],
    ['Malformed Contact', { more: ['Contact: <sip:a@h>,,<sip:b@h>'] }],
    ['Malformed Contact', { more: ['Contact: <sip:a@h:port>'] }],
    ['Join With Replaces', { more: ['Join: a;to-tag=1;from-tag=2', 'Replaces: a;to-tag=1;from-tag=2'] }],
    ['Join Or Replaces Without INVITE', { more: ['Join: a;to-tag=1;from-tag=2'] }],
    ['Join Or Replaces Without INVITE', { more: ['Replaces: a;to-tag=1;from-tag=2'] }],
    ['Malformed Join', { more: ['Join: a;to-tag=1'] }],
    ['Malformed Replaces', { more: ['Replaces: ;to-tag=1;from-tag=2'] }],
    ['Malformed Route', { more: ['Route: sip:p;lr'] }],
    ['Malformed Route', { more: ['Route: <sip:p;lr>, <tel:1>'] }],
    ['Malformed Record-Route', { more: ['Record-Route: <sip:p'] }],
    ['Malformed Path', { more: ['Path: x'] }],
    ['Malformed Service-Route', { more: ['Service-Route: <x>'] }],
    ['Malformed Max-Forwards', { more: ['Max-Forwards: 256'] }],
    ['Malformed Max-Forwards', { more: ['Max-Forwards: -1'] }],
    ['Malformed Expires', { more: ['Expires: soon'] }],
    ['Malformed Content-Type', { more: ['Content-Type: text'] }],
    ['Malformed Content-Type', { more: ['Content-Type: text;x=a/b'] }],
    ['Malformed Content-Type', { more: ['Content-Type: text/plain;x='] }],
    ['Malformed Require', { more: ['Require: a b'] }],
    ['Malformed Proxy-Require', { more: ['Proxy-Require: a;b'] }],
    ['Malformed Supported', { more: ['Supported: a, b c'] }],
    ['Malformed Allow', { more: ['Allow: <x>'] }],
    ['Malformed Refer-To', { more: ['Refer-To: "x'] }],
    ['Malformed Referred-By', { more: ['Referred-By: <>'] }],
    ['Malformed P-Asserted-Identity', { more: ['P-Asserted-Identity: <sip:a@h>, x'] }],
    ['Repeated CSeq', { more: ['CSeq: 1 OPTIONS'] }],
    ['Repeated To', { more: ['t: <sip:b@h>'] }],
    ['Repeated Content-Length', { more: ['Content-Length: 0', 'l: 0'] }],
    ['Repeated Join', { more: ['Join: a;to-tag=1;from-tag=2', 'Join: a;to-tag=1;from-tag=2'] }],
    ['Too Many Values In Accept', { more: [`Accept: ${many(VALUE_LIMIT + 1, 'a/b')}`] }],
    ['Too Many Values In Accept', { more: Array.from({ length: VALUE_LIMIT + 1 }, () => 'Accept: a/b') }],
    ['Too Many Values In Supported', { more: [`Supported: ${many(VALUE_LIMIT + 1, 'a')}`] }],
    ['Too Many Values In Via', { more: [`v: ${many(VALUE_LIMIT, 'SIP/2.0/UDP h')}`] }],
    ['Too Many Values In Via', { more: new Array(VALUE_LIMIT / 2).fill('v: SIP/2.0/UDP h, SIP/2.0/UDP i') }],
    ['Too Many Values In Accept', { more: new Array(VALUE_LIMIT / 2 + 1).fill('Accept: a/b, c/d') }],
    ['Too Many Values In Supported', { more: new Array(VALUE_LIMIT / 2 + 1).fill('Supported: a,b') }],
    ['Malformed Request-URI', { start: 'OPTIONS <sip:b@h> SIP/2.0' }],
    ['Malformed Request-URI', { start: 'OPTIONS sip:b@h?Route=%3Cx%3E SIP/2.0' }],
    ['Malformed Request-URI', { start: 'OPTIONS sip:b@h:99999 SIP/2.0' }],
    ['Malformed Request-URI', { start: 'OPTIONS sip:[2001:db8::10 SIP/2.0' }],
    ['Malformed Request-URI', { start: 'OPTIONS sip:2001:db8::10 SIP/2.0' }],
    ['Malformed Request-URI', { start: 'OPTIONS b SIP/2.0' }],
  ])('%s (400) %#', (reason, change) => {
    expect(judge(change)).toEqual({ status: 400, reason });
  });

  it.each(['nobodyKnowsThisScheme:totallyopaquecontent', 'soap.beep://192.0.2.103:3002', 'sipx:a', 'http://h/'])(
    '%s with 416',
    (uri) => {
      expect(judge({ start: `OPTIONS ${uri} SIP/2.0` })).toEqual({ status: 416, reason: 'Unsupported URI Scheme' });
    },
  );

  it('a malformed request before an unsupported one', () => {
    expect(judge({ start: 'OPTIONS http://h/ SIP/2.0', headers: { To: 'x' } })?.status).toBe(400);
  });
});

it('every rule names its source', () => {
  for (const { source } of [...MESSAGE_RULES, ...VALUE_RULES]) expect(source).toMatch(/^RFC \d{4} sections? \d/);
});
