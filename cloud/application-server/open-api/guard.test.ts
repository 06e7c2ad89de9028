import { describe, expect, test } from 'vitest';
import { hostName, isLoopback, isOurHost, isSameOrigin, readBearer, readCookie, sessionCookie } from './guard.ts';

const ours = new Set(['cloud.example', '192.168.1.5', '2001:db8::1']);

describe('isOurHost', () => {
  test.each([
    ['localhost', true],
    ['LOCALHOST:8080', true],
    ['127.0.0.1:8080', true],
    ['127.9.9.9', true],
    ['[::1]:8080', true],
    ['cloud.example', true],
    ['Cloud.Example:443', true],
    ['192.168.1.5:8080', true],
    ['[2001:DB8::1]:8080', true],
    ['evil.example', false],
    ['cloud.example.evil.example', false],
    ['127.0.0.1.evil.example', false],
    ['localhost.evil.example', false],
    ['192.168.1.6', false],
    ['2001:db8::1', false],
    ['user@localhost', false],
    ['localhost/evil', false],
    ['localhost:8080:1', false],
    ['', false],
    [undefined, false],
  ])('%s: %s', (host, expected) => expect(isOurHost(host, ours)).toBe(expected));
});

test.each([
  ['a.b:1', 'a.b'],
  ['[::1]', '::1'],
  ['a b', undefined],
  [`${'a'.repeat(254)}`, undefined],
  ['host:123456', undefined],
])('hostName(%s)', (header, name) => expect(hostName(header)).toBe(name));

test.each([
  ['127.0.0.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['128.0.0.1', false],
  ['127.0.0.1.example', false],
])('isLoopback(%s)', (host, expected) => expect(isLoopback(host)).toBe(expected));

test.each([
  ['http://a:1', 'a:1', false, true],
  ['https://a:1', 'a:1', true, true],
  ['https://a:1', 'a:1', false, false],
  ['http://a:1', 'a:1', true, false],
  ['http://a:2', 'a:1', false, false],
  ['null', 'a:1', false, false],
  [undefined, 'a:1', false, false],
  ['http://undefined', undefined, false, false],
])('isSameOrigin(%s, %s, %s)', (origin, host, secure, expected) =>
  expect(isSameOrigin(origin, host, secure)).toBe(expected),
);

test.each([
  ['Bearer abc', 'abc'],
  ['bearer   a.b_c~d+e/f=', 'a.b_c~d+e/f='],
  [`Bearer ${'a'.repeat(256)}`, 'a'.repeat(256)],
  [`Bearer ${'a'.repeat(257)}`, undefined],
  ['Bearer a b', undefined],
  ['Bearer ', undefined],
  ['Basic abc', undefined],
  [undefined, undefined],
])('readBearer(%s)', (header, token) => expect(readBearer(header)).toBe(token));

test.each([
  ['a=1; b=2', 'b', '2'],
  ['b=2', 'b', '2'],
  ['ab=1', 'b', undefined],
  ['b=1; b=2', 'b', undefined],
  ['b', 'b', undefined],
  [undefined, 'b', undefined],
])('readCookie(%s, %s)', (header, name, value) => expect(readCookie(header, name)).toBe(value));

test('the cookie over TLS is bound to host and scheme', () => {
  expect(sessionCookie('t', true, 9)).toBe('__Host-hearthline=t; Path=/; HttpOnly; SameSite=Strict; Max-Age=9; Secure');
  expect(sessionCookie('', false, 0)).toBe('hearthline=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0');
});
