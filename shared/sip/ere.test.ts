import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ere, PATTERN_LIMIT, TEXT_LIMIT } from './ere.ts';

const match = (pattern: string, text: string, anyCase = false) => Ere.read(pattern, anyCase)?.match(text);

describe('extended regular expressions', () => {
  it.each<[pattern: string, text: string, groups: (string | undefined)[] | undefined]>([
    ['^.*$', '+442071838750', ['+442071838750']],
    ['^\\+44(.*)$', '+442071838750', ['+442071838750', '2071838750']],
    ['^\\+44(.*)$', '+492071838750', undefined],
    ['^(\\+1)?([2-9][0-9]{2})([0-9]{7})$', '+12125550100', ['+12125550100', '+1', '212', '5550100']],
    ['^(\\+1)?([2-9][0-9]{2})([0-9]{7})$', '2125550100', ['2125550100', undefined, '212', '5550100']],
    ['a|ab', 'ab', ['ab']],
    ['(a|ab)(c|bcd)(d*)', 'abcd', ['abcd', 'a', 'bcd', '']],
    ['b+', 'aabbb', ['bbb']],
    ['x*', 'aaa', ['']],
    ['(a*)*b', 'aab', ['aab', 'aa']],
    ['[[:digit:]]{3}', 'ab123', ['123']],
    ['[^[:digit:]]+', '12ab', ['ab']],
    ['[]a-]+', 'x]-a', [']-a']],
    ['[a-c-]+', 'b-d', ['b-']],
    ['^a{2,}$', 'aaaa', ['aaaa']],
    ['^a{2,3}$', 'aaaa', undefined],
    ['a{0}b', 'ab', ['b']],
    ['^$', '', ['']],
    ['(^a|b$)+', 'ab', ['ab', 'b']],
    ['\\.\\*\\[', '.*[', ['.*[']],
  ])('%s on %s', (pattern, text, groups) => {
    expect(match(pattern, text)?.slice(0, groups?.length)).toEqual(groups);
  });

  it('goes by either case where that is asked for', () => {
    expect(match('^(ABC[a-c])$', 'abcB', true)?.[1]).toBe('abcB');
    expect(match('[^a]', 'A', true)).toBeUndefined();
    expect(match('abc', 'ABC')).toBeUndefined();
  });

  it.each([
    ...[
      '*a',
      '+',
      '?',
      '{2}',
      'a{3,2}',
      'a{256}',
      'a{x}',
      'a{',
      'a{2',
      '(a',
      'a)',
      '()',
      'a||b',
      '|a',
      '',
      '[a',
      '[b-a]',
    ],
    ...['[[:word:]]', '[[.a.]]', '[[=a=]]', '\\1', '\\d', 'a\\', '^*', '$+', 'a**', 'a+{2}'],
  ])('refuses %s', (pattern) => expect(Ere.read(pattern, false)).toBeUndefined());

  it('refuses what is too long, or grows too long', () => {
    expect(Ere.read('a'.repeat(PATTERN_LIMIT), false)).toBeDefined();
    expect(Ere.read('a'.repeat(PATTERN_LIMIT + 1), false)).toBeUndefined();
    expect(Ere.read('(((a{9}){9}){9}){9}', false)).toBeUndefined();
    expect(Ere.read(`${'('.repeat(80)}a${'){255}'.repeat(29)}${')'.repeat(51)}`, false)).toBeUndefined();
    expect(match('a', 'a'.repeat(TEXT_LIMIT))).toBeDefined();
    expect(match('a', 'a'.repeat(TEXT_LIMIT + 1))).toBeUndefined();
  });

  it('has no pattern that takes long', () => {
    for (const evil of ['^(a+)+$', '^((a*)*)*$', '^(a|a)*$', '^(a?){40}a{40}$', '(.*)(.*)(.*)(.*)(.*)(.*)[^a]$']) {
      expect(match(evil, `${'a'.repeat(TEXT_LIMIT - 1)}`)?.[0]?.length ?? 0).toBeLessThan(TEXT_LIMIT);
    }
  });

  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '(a)', '(ab|b)', '(b*)', '(a|b)');
  const piece = fc.tuple(atom, fc.constantFrom('', '*', '+', '?', '{1,2}')).map(([one, count]) => one + count);
  const pattern = fc.array(piece, { minLength: 1, maxLength: 6 }).map((all) => `^${all.join('')}$`);
  it('accepts what another engine accepts, and nothing else', () => {
    fc.assert(
      fc.property(pattern, fc.stringMatching(/^[abc]{0,12}$/), (one, text) => {
        expect(match(one, text) !== undefined).toBe(new RegExp(one).test(text));
      }),
      { numRuns: 400 },
    );
  });
});
