import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { Roster } from './roster.ts';

const key = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const act = fc.oneof(
  fc.record({ do: fc.constant('set' as const), key, value: fc.nat(9) }),
  fc.record({ do: fc.constant('delete' as const), key }),
);

test('it does what a Map does', () => {
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
      const roster = new Roster<string, number>();
      const map = new Map<string, number>();
      for (const one of acts) {
        if (one.do === 'delete') expect(roster.delete(one.key)).toBe(map.delete(one.key));
        else {
          roster.set(one.key, one.value);
          map.set(one.key, one.value);
        }
        expect([roster.has(one.key), roster.get(one.key)]).toEqual([map.has(one.key), map.get(one.key)]);
      }
      expect([...roster]).toEqual([...map]);
      expect([[...roster.keys()], [...roster.values()], roster.size]).toEqual([
        [...map.keys()],
        [...map.values()],
        map.size,
      ]);
    }),
    { seed, numRuns: 300 },
  );
});

test('what is deleted on the way is left out, what comes is met', () => {
  const roster = new Roster<number, string>();
  for (let i = 0; i < 3; i++) roster.set(i, `v${i}`);
  const met: string[] = [];
  for (const value of roster.values()) {
    met.push(value);
    roster.delete(1);
    if (met.length === 1) roster.set(3, 'v3');
  }
  expect(met).toEqual(['v0', 'v2', 'v3']);
});
