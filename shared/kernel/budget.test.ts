import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUDGET_KEYS, Budget } from './budget.ts';

const rate = { perSecond: 2, burst: 5 };

describe('Budget', () => {
  test('gives the burst, then the rate, and names the wait', () => {
    const budget = new Budget();
    for (let i = 0; i < 5; i++) expect(budget.take('a', rate, 1000)).toBe(0);
    expect(budget.take('a', rate, 1000)).toBe(500);
    expect(budget.take('b', rate, 1000)).toBe(0);
    expect(budget.take('a', rate, 1250)).toBe(250);
    expect(budget.take('a', rate, 1500)).toBe(0);
    expect(budget.take('a', rate, 1500)).toBe(500);
  });

  test('never more than burst + rate x time, whatever the order; and the wait it names suffices', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 200 }), (pauses) => {
        const budget = new Budget();
        let now = 0;
        let given = 0;
        for (const pause of pauses) {
          now += pause;
          const wait = budget.take('a', rate, now);
          if (wait === 0) given++;
          else {
            now += wait;
            expect(budget.take('a', rate, now)).toBe(0);
            given++;
          }
          expect(given).toBeLessThanOrEqual(rate.burst + (now * rate.perSecond) / 1000 + 1e-6);
        }
      }),
    );
  });

  test('holds a bounded number of keys and drops the one used longest ago', () => {
    const budget = new Budget();
    for (let i = 0; i < 5; i++) budget.take('first', rate, 0);
    for (let i = 0; i < BUDGET_KEYS - 1; i++) budget.take(`key ${i}`, rate, 0);
    expect(budget.size).toBe(BUDGET_KEYS);
    expect(budget.take('first', rate, 0)).toBeGreaterThan(0);
    budget.take('one more', rate, 0);
    expect(budget.size).toBe(BUDGET_KEYS);
    expect(budget.take('first', rate, 0)).toBeGreaterThan(0);
  });

  test('forget gives a full bucket', () => {
    const budget = new Budget();
    for (let i = 0; i < 6; i++) budget.take('a', rate, 0);
    budget.forget('a');
    expect(budget.take('a', rate, 0)).toBe(0);
  });
});
