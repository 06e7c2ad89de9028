import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { copyData } from './copy.ts';

describe('a copy of plain data', () => {
  it('equals structuredClone for any data, and shares no object with the original', () => {
    void fc.assert(
      fc.property(fc.object({ withNullPrototype: true, withTypedArray: true }), (value) => {
        const made = copyData(value);
        expect(made).toStrictEqual(structuredClone(value));
        for (const key of Object.keys(value)) {
          const [before, after] = [value[key], made[key]];
          if (typeof before === 'object' && before !== null) expect(after).not.toBe(before);
        }
      }),
      { seed },
    );
  });

  it('keeps octets, dates and maps, and refuses what is no data', () => {
    const value = { octets: Uint8Array.of(1, 2), at: new Date(5), map: new Map([['a', 1]]), none: undefined };
    expect(copyData(value)).toStrictEqual(value);
    expect(() => copyData({ run: () => 1 })).toThrow();
  });

  it('keeps a key named __proto__ as data', () => {
    const made = copyData(JSON.parse('{"a":{"__proto__":{"admin":true}}}') as { a: object });
    expect(Object.hasOwn(made.a, '__proto__')).toBe(true);
    expect((made.a as { admin?: boolean }).admin).toBe(undefined);
  });
});
