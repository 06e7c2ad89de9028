import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PART_LIMIT, partOf, readMultipart, writeMultipart } from './multipart.ts';

describe('bodies of several parts', () => {
  it('come back as they were written', () => {
    const part = fc.record({
      type: fc.constantFrom('application/sdp', 'text/plain'),
      body: fc.string({ unit: 'binary-ascii' }),
    });
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const { type, body } = writeMultipart(parts, 'bound0123456789ab');
        expect(readMultipart(type, body)).toEqual(parts);
      }),
    );
  });

  it.each([
    [
      'a preamble, padding and no quotes',
      'multipart/mixed; boundary=b',
      'hello\r\n--b  \r\nContent-type: a/b\r\n\r\nx\r\n--b--',
      'x',
    ],
    ['no header lines', 'multipart/mixed;boundary="b"', '--b\r\n\r\nx\r\n--b--\r\n', 'x'],
    ['a part that cannot be read', 'multipart/mixed;boundary=b', '--b\r\nnothing\r\n--b\r\n\r\nx\r\n--b--', 'x'],
    [
      'one inside whose boundary begins alike',
      'multipart/mixed;boundary=b',
      '--b\r\n\r\n--bc\r\n\r\nx\r\n--bc--\r\n--b--',
      '--bc\r\n\r\nx\r\n--bc--',
    ],
    [
      'one inside whose boundary begins like the end',
      'multipart/mixed;boundary=b',
      '--b\r\n\r\n--b--c\r\n--b--c--\r\n--b--',
      '--b--c\r\n--b--c--',
    ],
  ])('%s', (_name, type, body, expected) => {
    expect(readMultipart(type, body)?.[0]?.body).toBe(expected);
  });

  it.each([
    ['another type', 'application/sdp', '--b\r\n\r\nx\r\n--b--'],
    ['no boundary', 'multipart/mixed', '--b\r\n\r\nx\r\n--b--'],
    [
      'a boundary that is too long',
      `multipart/mixed;boundary=${'b'.repeat(71)}`,
      `--${'b'.repeat(71)}\r\n\r\nx\r\n--${'b'.repeat(71)}--`,
    ],
    ['no end', 'multipart/mixed;boundary=b', '--b\r\n\r\nx\r\n'],
    ['no beginning', 'multipart/mixed;boundary=b', 'x\r\n'],
    ['one part too many', 'multipart/mixed;boundary=b', `${'--b\r\n\r\nx\r\n'.repeat(PART_LIMIT + 1)}--b--`],
  ])('%s is none', (_name, type, body) => {
    expect(readMultipart(type, body)).toBeUndefined();
  });

  it('anything else does no harm', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (type, body) => {
        readMultipart(`multipart/x;boundary=${type}`, `--${type}${body}`);
      }),
    );
  });

  it('a part is found by its type, whatever its parameters', () => {
    const parts = [{ type: 'Application/SDP; charset=x', body: 'v=0' }];
    expect(partOf(parts, 'application/sdp')?.body).toBe('v=0');
    expect(partOf(undefined, 'application/sdp')).toBeUndefined();
  });
});
