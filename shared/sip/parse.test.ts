import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newRequest, newResponse, type SipMessage } from './message.ts';
import { HEADER_LIMIT, MESSAGE_LIMIT, parse } from './parse.ts';
import { write } from './write.ts';

const HEAD = [
  'Via: SIP/2.0/UDP h;branch=z9hG4bK1',
  'From: <sip:a@h>;tag=1',
  'To: <sip:b@h>',
  'Call-ID: c',
  'CSeq: 1 OPTIONS',
];
const lines = (...all: string[]): string => [...all, '', ''].join('\r\n');
const request = (...more: string[]): string => lines('OPTIONS sip:b@h SIP/2.0', ...HEAD, ...more);

function good(text: string): SipMessage {
  const read = parse(text);
  if (!read.ok) throw new Error(`${read.status} ${read.reason}`);
  return read.message;
}

describe('start line', () => {
  it.each<[string, number]>([
    ['OPTIONS sip:b@h SIP/2.0 ', 400],
    ['OPTIONS  sip:b@h SIP/2.0', 400],
    ['OPTIONS sip:b@h  SIP/2.0', 400],
    ['OPTIONS sip:b@h; lr SIP/2.0', 400],
    ['OPTIONS sip:b@h\t SIP/2.0', 400],
    ['OPTIONS SIP/2.0', 400],
    ['OPTIONS  SIP/2.0', 400],
    ['OPTIONS sip:b@h SIP/7.0', 505],
    ['OPTIONS sip:b@h SIP/2', 505],
    ['OPTIONS sip:b@h SIP/', 505],
    [' OPTIONS sip:b@h SIP/2.0', 400],
  ])('%j can be answered %i', (line, status) => {
    const read = parse(lines(line, ...HEAD));
    expect(read).toMatchObject({ ok: false, status });
    expect(read.message?.callId).toBe('c');
    expect(read.message?.method).toBe('OPTIONS');
  });

  it.each([
    '',
    'OPTIONS',
    'GET / HTTP/1.1',
    'OPTIONS sip:b@h HTTP/1.1',
    'OP(IONS sip:b@h SIP/2.0',
    'SIP/2.0',
    'SIP/2.0 ',
    'SIP/2.0 99 x',
    'SIP/2.0 700 x',
    'SIP/2.0 2000 x',
    'SIP/2.0 4294967301 x',
    'SIP/2.0 2x0 OK',
    'SIP/3.0 200 OK',
    'SIP/2.0  200 OK',
  ])('%j cannot be answered', (line) => {
    const read = parse(lines(line, ...HEAD));
    expect(read.ok).toBe(false);
    expect(read.message).toBeUndefined();
  });

  it.each<[string, number, string]>([
    ['SIP/2.0 200 OK', 200, 'OK'],
    ['SIP/2.0 100 ', 100, ''],
    ['SIP/2.0 100', 100, ''],
    ['SIP/2.0 699 a b  c', 699, 'a b  c'],
    ['SIP/2.0 200 = 2**3 * 5**2 \xd0\xbd\xd0\xbe', 200, '= 2**3 * 5**2 \xd0\xbd\xd0\xbe'],
  ])('%j is a response', (line, status, reason) => {
    expect(good(lines(line, ...HEAD))).toMatchObject({ kind: 'response', status, reason, method: 'OPTIONS' });
  });

  it('may have empty lines before it and lower-case version', () => {
    expect(good(`\r\n\r\n${request()}`).uri).toBe('sip:b@h');
    expect(good(lines('OPTIONS sip:b@h sip/2.0', ...HEAD)).uri).toBe('sip:b@h');
  });
});

describe('header lines', () => {
  it('allow white space around the colon and folding', () => {
    const message = good(
      request('Subject   :\t  one  \t', 'X-Folded: a,', '  b', '\t', '\t c  ', 'X-Empty:', 'X-Colon: a:b'),
    );
    expect(message.header('s')).toBe('one');
    expect(message.header('x-folded')).toBe('a, b  c');
    expect(message.header('x-empty')).toBe('');
    expect(message.header('x-colon')).toBe('a:b');
  });

  it('unfold a name that stands alone in its line', () => {
    const message = good(request('Subject:', '  hello', 'Max-Forwards: 3'));
    expect(message.header('Subject')).toBe('hello');
    expect(message.maxForwards).toBe(3);
  });

  it.each([
    ['no colon', request('Nonsense')],
    ['a name that is no token', request('Sub ject: x')],
    ['an empty name', request(': x')],
    ['a folded line first', lines('OPTIONS sip:b@h SIP/2.0', ' Subject: x', ...HEAD)],
    ['a bare line feed', request('Subject: a\nX: b')],
    ['a bare carriage return', request('Subject: a\rX: b')],
    ['a NUL', request('Subject: a\0b')],
    ['no end', request('Subject: a').slice(0, -2)],
    ['no end at all', request('Subject: a').slice(0, -4)],
    ['a carriage return at the very end', request('Subject: a').slice(0, -1)],
  ])('refuse %s', (_, text) => {
    expect(parse(text)).toMatchObject({ ok: false, status: 400 });
  });

  it('let a quoted NUL pass (RFC 4475 section 3.1.1.2)', () => {
    expect(good(request('Subject: "a\\\0b"')).header('Subject')).toBe('"a\\\0b"');
  });

  it('are left out of a refusal where they hold a NUL', () => {
    const read = parse(request('Record-Route: <sip:p\0;lr>', 'Subject: x'));
    expect(read.message?.fields.map(({ name }) => name)).not.toContain('Record-Route');
    expect(read.message?.header('Subject')).toBe('x');
    const early = parse(request('Record-Route: <sip:p\0;lr>', 'Subject: x\ny'));
    expect(early.message?.header('Record-Route')).toBeUndefined();
    expect(early.message?.callId).toBe('c');
  });

  it('are read on after a fault, so that it can be answered', () => {
    const read = parse(lines('OPTIONS sip:b@h SIP/2.0', 'Nonsense', ...HEAD));
    expect(read).toMatchObject({ ok: false, status: 400, reason: 'Malformed Header' });
    expect(read.message?.topVia?.host).toBe('h');
    expect(read.message?.cseq.n).toBe(1);
  });
});

describe('limits', () => {
  const filler = (n: number): string[] => Array.from({ length: n }, (_, i) => `X-${i}: 1`);

  it('takes as many header lines as allowed and none more', () => {
    expect(good(request(...filler(HEADER_LIMIT - HEAD.length))).fields).toHaveLength(HEADER_LIMIT);
    expect(parse(request(...filler(HEADER_LIMIT - HEAD.length + 1)))).toMatchObject({
      ok: false,
      status: 400,
      reason: 'Too Many Headers',
    });
  });

  it('takes the longest message and none longer', () => {
    const text = request('Content-Type: a/b');
    const longest = text + 'x'.repeat(MESSAGE_LIMIT - text.length);
    expect(good(longest).body).toHaveLength(MESSAGE_LIMIT - text.length);
    expect(parse(`${longest}x`)).toEqual({ ok: false, status: 513, reason: 'Message Too Large' });
  });
});

describe('body', () => {
  it.each<[string, string[], string, string]>([
    ['all that is there without Content-Length', [], 'abc', 'abc'],
    ['as long as Content-Length says', ['l: 2'], 'abc', 'ab'],
    ['none where Content-Length is 0', ['Content-Length: 0'], 'REGISTER sip:x SIP/2.0', ''],
    ['of any octets', ['Content-Length: 4'], '\0\r\n\xff', '\0\r\n\xff'],
  ])('is %s', (_, more, rest, body) => {
    expect(good(request(...more) + rest).body).toBe(body);
  });

  it.each(['4', '-1', '+3', '3 ', '0x3', '', '3.0', '99999999999999999999'])(
    'is refused with Content-Length %j',
    (length) => {
      const fine = length === '3 ';
      expect(parse(`${request(`Content-Length: ${length}`)}abc`).ok).toBe(fine);
    },
  );
});

describe('write after parse', () => {
  const value = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/).filter((text) => !text.includes('\\'));
  const headers = fc.array(fc.tuple(fc.stringMatching(/^X-[a-z0-9]{1,8}$/), value), { maxLength: 20 });
  const body = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)) });

  it('gives the message back', () => {
    fc.assert(
      fc.property(headers, body, fc.boolean(), (list, content, response) => {
        const sent = newRequest('MESSAGE', 'sip:b@h', [...HEAD.map(split), ...list], content);
        const message = response ? newResponse(sent, 200, 'OK', list) : sent;
        const text = write(message);
        const back = good(text);
        expect(back.body).toBe(message.body);
        for (const [name] of list) expect(back.headerAll(name)).toEqual(message.headerAll(name));
        expect(write(back)).toBe(text);
      }),
    );
  });

  it('keeps what it does not know, and its own Content-Length only', () => {
    const text = lines('OPTIONS sip:b@h SIP/2.0', ...HEAD, 'l: 3', 'x-Odd:  1,  2 ').concat('abcdef');
    expect(write(good(text))).toBe(
      `${lines('OPTIONS sip:b@h SIP/2.0', ...HEAD, 'x-Odd: 1,  2', 'Content-Length: 3')}abc`,
    );
  });
});

function split(line: string): [string, string] {
  const colon = line.indexOf(': ');
  return [line.slice(0, colon), line.slice(colon + 2)];
}
