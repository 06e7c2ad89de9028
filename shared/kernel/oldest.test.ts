import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { oldestOf } from './oldest.ts';

it('is the key that an iterator made anew gives, whatever was put, deleted and put again between', () => {
  const step = fc.tuple(fc.constantFrom('put', 'again', 'delete', 'oldest'), fc.nat(20));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const map = new Map<number, string>();
      const oldest = oldestOf(map);
      for (const [what, key] of steps) {
        if (what === 'put') map.set(key, '');
        else if (what === 'oldest') {
          const [wanted] = map.keys();
          const found = oldest();
          expect(found).toBe(wanted);
          if (found !== undefined) map.delete(found);
        } else if (map.delete(key) && what === 'again') map.set(key, '');
      }
    }),
    { seed },
  );
});
