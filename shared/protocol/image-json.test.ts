import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PROBLEM_LIMIT, plainValue, readJson, TEXT_LIMIT } from './image-json.ts';

const told = (text: string) =>
  readJson(text).problems.map(({ line, column, what, fix }) => `${line}:${column} ${what}; ${fix}`);

describe('JSON by hand', () => {
  test.each<[string, string, string[], unknown]>([
    ['a byte order mark is taken', '\ufeff{"a": 1}', [], { a: 1 }],
    ['CR LF is taken', '{\r\n"a": "b"\r\n}\r\n', [], { a: 'b' }],
    ['a comment', '{\n  // the house\n  "a": 1\n}', ['2:3 a comment; JSON has none; take the comment out'], { a: 1 }],
    ['a block comment', '{"a": /* x\n */ 1}', ['1:7 a comment; JSON has none; take the comment out'], { a: 1 }],
    ['a shell comment', '# x\n{"a": 1}', ['1:1 a comment; JSON has none; take the comment out'], { a: 1 }],
    ['a comma at the end', '{\n"a": 1,\n}', ['2:7 a comma before }; take the comma out'], { a: 1 }],
    ['a comma in a list', '{"a": [1, 2,]}', ['1:12 a comma before ]; take the comma out'], { a: [1, 2] }],
    [
      'no comma',
      '{\n"a": 1\n"b": 2}',
      ['3:1 a comma is missing; write , at the end of the line before'],
      { a: 1, b: 2 },
    ],
    [
      'single quotes',
      "{'a': 'b'}",
      [
        '1:2 text stands in other quotes than "; write "a", with straight double quotes',
        '1:7 text stands in other quotes than "; write "b", with straight double quotes',
      ],
      { a: 'b' },
    ],
    [
      'quotes of a word processor',
      '{“a”: „b“}',
      [
        '1:2 text stands in other quotes than "; write "a", with straight double quotes',
        '1:7 text stands in other quotes than "; write "b", with straight double quotes',
      ],
      { a: 'b' },
    ],
    [
      'no quotes',
      '{a: b}',
      ['1:2 the name a stands without quotes; write "a"', '1:5 b stands without quotes; write "b"'],
      { a: 'b' },
    ],
    [
      'an address without quotes',
      '{"a": 192.0.2.1}',
      ['1:7 192.0.2.1 stands without quotes; write "192.0.2.1"'],
      { a: '192.0.2.1' },
    ],
    [
      'another language',
      '{"a": True, "b": None}',
      ['1:7 True is no word of JSON; write true', '1:18 None is no word of JSON; write null'],
      { a: true, b: null },
    ],
    [
      'an equals sign',
      '{"a" = 1; "b": 2}',
      ['1:6 = between name and value; write : in its place', '1:9 ; between two settings; write , in its place'],
      { a: 1, b: 2 },
    ],
    ['twice', '{"a": 1,\n "a": 2}', ['2:2 "a" stands twice (first in line 1); take one of the two out'], { a: 1 }],
    ['no closing quote', '{"a": "b\n}', ['1:7 the closing " of this text is missing; write "b"'], { a: 'b' }],
    [
      'no closing brace',
      '{"a": {"b": 1}',
      ['1:1 the } that belongs to this bracket is missing; write } at the end'],
      { a: { b: 1 } },
    ],
    ['a backslash', '{"a": "C:\\x"}', ['1:10 a single backslash; write \\\\ for one backslash'], { a: 'C:\\x' }],
    [
      'a tabulator',
      '{"a": "b\tc"}',
      ['1:9 a tabulator or another control character inside a text; write \\t, or a blank'],
      { a: 'b\tc' },
    ],
    ['no value', '{"a": }', ['1:7 a value is missing; write a value, such as "…" or true'], { a: null }],
    [
      'no colon',
      '{"a"}',
      [
        '1:5 there is no : after the name "a"; write : and the value',
        '1:5 a value is missing; write a value, such as "…" or true',
      ],
      { a: null },
    ],
    ['a leading zero', '{"a": 01}', ['1:7 01 stands without quotes; write "01"'], { a: '01' }],
    [
      'two documents',
      '{} {}',
      ['1:4 there is more text after the end of the settings; take it out, or move it before the last }'],
      {},
    ],
    [
      'wrong bracket',
      '{"a": 1]}',
      [
        '1:8 a comma is missing; write , at the end of the line before',
        '1:8 there is no : after the name ""; write : and the value',
        '1:8 a value is missing; write a value, such as "…" or true',
        '1:8 ] has no place here; take it out',
      ],
      { a: 1, '': null },
    ],
  ])('%s', (_, text, problems, value) => {
    const { node } = readJson(text);
    expect(told(text)).toEqual(problems);
    expect(node === undefined ? undefined : JSON.parse(JSON.stringify(plainValue(node)))).toEqual(value);
  });

  test('is empty, too long or too deep with one clear word', () => {
    expect(told(' \n')).toEqual(['2:1 the file is empty; write {} and the settings between the braces']);
    expect(told(' '.repeat(TEXT_LIMIT - 2).concat('{}'))).toEqual([]);
    expect(told(' '.repeat(TEXT_LIMIT - 1).concat('{}'))[0]).toContain('longer than');
    expect(told('['.repeat(9))[0]).toContain('too deep');
    expect(told('[[[[[[[1]]]]]]]')).toEqual([]);
    expect(readJson("{'':'',".repeat(50)).problems.length).toBe(PROBLEM_LIMIT);
  });

  test('names become no prototype', () => {
    const { node } = readJson('{"__proto__": {"x": 1}}');
    expect(node === undefined ? undefined : Object.keys(plainValue(node) as object)).toEqual(['__proto__']);
  });

  test('agrees with JSON.parse on what that takes, and refuses what that refuses', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 3 }), fc.constantFrom(undefined, 1, 2), (text, indent) => {
        const pretty = JSON.stringify(JSON.parse(text), undefined, indent);
        fc.pre(pretty.length < TEXT_LIMIT && !pretty.includes('"__proto__"'));
        const { node, problems } = readJson(pretty);
        expect(problems).toEqual([]);
        expect(JSON.stringify(node === undefined ? undefined : plainValue(node))).toBe(
          JSON.stringify(JSON.parse(pretty)),
        );
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\'\\ \n1at#/*;='), maxLength: 40 }), (text) => {
        const { problems } = readJson(text);
        let strict = true;
        try {
          JSON.parse(text);
        } catch {
          strict = false;
        }
        // Names that stand twice are the one thing that JSON.parse takes and we do not.
        if (!strict) expect(problems).not.toEqual([]);
        else expect(problems.filter(({ what }) => !what.includes('twice'))).toEqual([]);
      }),
      { numRuns: 2_000 },
    );
  });
});
