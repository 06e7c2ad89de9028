import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { base32, isId, newId } from './ids.ts';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

test('base 32 gives five bits after the other', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 24 }), (octets) => {
      const bits = [...octets].map((octet) => octet.toString(2).padStart(8, '0')).join('');
      const digits = bits.match(/.{1,5}/g) ?? [];
      expect(base32(octets)).toBe(digits.map((five) => ALPHABET[Number.parseInt(five.padEnd(5, '0'), 2)]).join(''));
    }),
    { seed },
  );
});

test('ids sort by their time', () => {
  const ids = [1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000].map((wall) =>
    newId('ses', wall, new Uint8Array(10).fill(255)),
  );
  expect(ids.toSorted()).toEqual(ids);
  expect(ids.every((id) => isId(id) && id.length === 30)).toBe(true);
});
