import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '../../test/support/seed.ts';
import {
  CPIM_HEADERS,
  type Cpim,
  cpimContentType,
  cpimHeader,
  cpimHeaderOf,
  IMDN_NAMESPACE,
  parseCpim,
  writeCpim,
} from './cpim.ts';

/** RFC 5438 section 7.1.1.1, with its IMDN headers. */
const EXAMPLE = [
  'From: Alice <im:alice@example.com>',
  'To: Bob <im:bob@example.com>',
  'NS: imdn <urn:ietf:params:imdn>',
  'imdn.Message-ID: 34jk324j',
  'DateTime: 2006-04-04T12:16:49-05:00',
  'imdn.Disposition-Notification: positive-delivery, negative-delivery',
  '',
  'Content-type: text/plain; charset=utf-8',
  'Content-length: 12',
  '',
  'Hello World',
].join('\r\n');

describe('message/cpim', () => {
  it('reads the example of RFC 5438 with either end of line', () => {
    for (const text of [EXAMPLE, EXAMPLE.replaceAll('\r\n', '\n')]) {
      const cpim = parseCpim(text) as Cpim;
      expect(cpim.body).toBe('Hello World');
      expect(cpimHeader(cpim, 'From')).toBe('Alice <im:alice@example.com>');
      expect(cpimHeaderOf(cpim, IMDN_NAMESPACE, 'Message-ID')).toBe('34jk324j');
      expect(cpimHeaderOf(cpim, 'urn:other', 'Message-ID')).toBeUndefined();
      expect(cpimContentType(cpim)).toBe('text/plain');
    }
  });

  it.each([
    ['another prefix', 'NS: x <urn:ietf:params:imdn>\r\nx.Message-ID: 1\r\n\r\n\r\n'],
    ['no prefix', 'NS: <urn:ietf:params:imdn>\r\nMessage-ID: 1\r\n\r\n\r\n'],
  ])('finds a header by its namespace: %s', (_name, text) => {
    const cpim = parseCpim(text);
    expect(cpim && cpimHeaderOf(cpim, IMDN_NAMESPACE, 'Message-ID')).toBe('1');
  });

  it('takes escapes in a value apart (RFC 3862 section 2.3.1)', () => {
    const cpim = parseCpim('Subject: a\\u0041\\n\\"b\\\\\\u00z\r\n\r\n\r\n');
    expect(cpim && cpimHeader(cpim, 'Subject')).toBe('aA\n"b\\u00z');
  });

  it('a content without a type is text', () => {
    expect(cpimContentType(parseCpim('From: <a:b>\r\n\r\n\r\nx') as Cpim)).toBe('text/plain');
  });

  it.each([
    ['nothing', ''],
    ['no headers', '\r\n\r\nx'],
    ['no blank line', 'From: <a:b>\r\n'],
    ['no second blank line', 'From: <a:b>\r\n\r\nContent-Type: text/plain\r\n'],
    ['a line without colon', 'From <a:b>\r\n\r\n\r\n'],
    ['a name with a space', 'From x: <a:b>\r\n\r\n\r\n'],
    ['a name of controls', '\x01: x\r\n\r\n\r\n'],
    ['too many headers', `${'a: b\r\n'.repeat(CPIM_HEADERS + 1)}\r\n\r\n`],
    ['too many headers in both parts', `${'a: b\r\n'.repeat(CPIM_HEADERS)}\r\na: b\r\n\r\n`],
  ])('refuses %s', (_name, text) => expect(parseCpim(text)).toBeUndefined());

  it(`takes ${CPIM_HEADERS} headers`, () => {
    expect(parseCpim(`${'a: b\r\n'.repeat(CPIM_HEADERS)}\r\n\r\n`)?.headers).toHaveLength(CPIM_HEADERS);
  });

  const name = fc.stringMatching(/^[A-Za-z][A-Za-z.-]{0,20}$/);
  const header = fc.record({ name, value: fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.trim()) });

  it('what is written reads as it was, whatever the values hold', () => {
    const cpim = fc.record({
      headers: fc.array(header, { minLength: 1, maxLength: 20 }),
      content: fc.array(fc.record({ name, value: fc.stringMatching(/^[!-~]{1,40}$/) }), { maxLength: 5 }),
      body: fc.string({ unit: 'binary' }),
    });
    fc.assert(
      fc.property(cpim, (message) => {
        expect(parseCpim(writeCpim(message))).toEqual(message);
      }),
      { seed },
    );
  });

  it('a value never makes a line of its own', () => {
    const text = writeCpim({
      headers: [{ name: 'Subject', value: 'x\r\nFrom: <evil:x>' }],
      content: [{ name: 'Content-Type', value: 'text/plain\r\nX: y' }],
      body: '',
    });
    const cpim = parseCpim(text) as Cpim;
    expect([cpimHeader(cpim, 'From'), cpim.content]).toEqual([
      undefined,
      [{ name: 'Content-Type', value: 'text/plain  X: y' }],
    ]);
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => void parseCpim(text)),
      { seed },
    );
  });
});
