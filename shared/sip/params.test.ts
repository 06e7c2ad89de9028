import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimal, parseParams, quote, splitList, unquote, writeParams } from './params.ts';

const latin = fc.string({ unit: fc.integer({ min: 32, max: 255 }).map((c) => String.fromCharCode(c)), maxLength: 30 });
const token = fc.stringMatching(/^[a-z0-9.!%*_+'~-]{1,10}$/);

describe('parameters', () => {
  it.each<[string, [string, string | undefined][] | undefined]>([
    ['', []],
    ['  ', []],
    [';lr', [['lr', undefined]]],
    [
      ';a=1;b',
      [
        ['a', '1'],
        ['b', undefined],
      ],
    ],
    [
      ' ; Tag = 12 ; X=" a;b\\"c " ',
      [
        ['tag', '12'],
        ['x', ' a;b"c '],
      ],
    ],
    [
      ';received=[2001:db8::1];rport=5060',
      [
        ['received', '[2001:db8::1]'],
        ['rport', '5060'],
      ],
    ],
    [';a="', undefined],
    [';a=', undefined],
    [';=1', undefined],
    [';;', undefined],
    [';', undefined],
    ['a=1', undefined],
    [';a=1 b', undefined],
    [';a=1;A=2', undefined],
    [';a="x"y', undefined],
    [';a=1,2', undefined],
    [';a=<x>', undefined],
  ])('%j', (text, expected) => {
    const params = parseParams(text, 0);
    expect(params && [...params]).toEqual(expected);
  });

  it('come back as they were written', () => {
    const entries = fc.uniqueArray(fc.tuple(token, fc.option(latin, { nil: undefined })), {
      selector: ([name]) => name,
    });
    fc.assert(
      fc.property(entries, (list) => {
        expect([...(parseParams(writeParams(new Map(list)), 0) ?? [])]).toEqual(list);
      }),
    );
  });
});

describe('quoted strings', () => {
  it('come back as they were quoted', () => {
    fc.assert(fc.property(latin, (text) => unquote(quote(text)) === text));
  });

  it('carry no line break', () => {
    expect(quote('a\r\nB: c\0')).toBe('"a  B: c "');
  });
});

describe('comma lists', () => {
  it.each([
    ['', ['']],
    [' a ', ['a']],
    ['a,b , c', ['a', 'b', 'c']],
    ['"a,b" <sip:x,y@z>;q=",", c', ['"a,b" <sip:x,y@z>;q=","', 'c']],
    ['"a\\",b", c', ['"a\\",b"', 'c']],
    ['a,,b', ['a', '', 'b']],
    ['"open, b', ['"open, b']],
    ['<open, b', ['<open, b']],
    ['<sip:"@x>, b', ['<sip:"@x>', 'b']],
  ])('%j', (text, expected) => {
    expect(splitList(text)).toEqual(expected);
  });
});

describe('decimal numbers', () => {
  it.each([
    ['0', 0],
    ['007', 7],
    ['255', 255],
    ['256', undefined],
    ['', undefined],
    ['-1', undefined],
    ['+1', undefined],
    ['1 ', undefined],
    ['1.0', undefined],
    ['0x10', undefined],
    ['99999999999999999999999', undefined],
  ])('%j up to 255', (text, expected) => {
    expect(decimal(text, 255)).toBe(expected);
  });
});
