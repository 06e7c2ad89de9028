import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoff } from './mqtt-backoff.ts';

test('the ceiling doubles from 1 s to 1 min and stays there', () => {
  const ceilings = [1, 2, 3, 4, 6, 7, 10, 1000].map((failures) => Math.round(backoff(failures, 0.999999999)));
  expect(ceilings).toEqual([1000, 2000, 4000, 8000, 32_000, 60_000, 60_000, 60_000]);
});

test('the jitter is full: any wait from the least to the ceiling', () => {
  expect(backoff(10, 0)).toBe(100);
  expect(backoff(10, 0.5)).toBeCloseTo(30_050, 0);
  fc.assert(
    fc.property(
      fc.nat(100_000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, fraction) => {
        const wait = backoff(failures, fraction);
        expect(wait).toBeGreaterThanOrEqual(100);
        expect(wait).toBeLessThanOrEqual(60_000);
      },
    ),
  );
});
