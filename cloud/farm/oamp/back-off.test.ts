import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FORGET_AFTER, FREE_TRIES, NO_TRIES, waitOf, wrongTry } from './back-off.ts';

const MINUTE = 60_000;

test('five tries are free, then the wait doubles up to 64 minutes', () => {
  let tries = NO_TRIES;
  let now = 1_000_000;
  const waits: number[] = [];
  for (let i = 0; i < 14; i++) {
    tries = wrongTry(tries, now);
    waits.push(waitOf(tries, now) / MINUTE);
    now += waitOf(tries, now);
  }
  expect(waits).toEqual([0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 64, 64, 64]);
});

test('the count is forgotten after a day without a wrong try', () => {
  let tries = NO_TRIES;
  for (let i = 0; i < FREE_TRIES + 3; i++) tries = wrongTry(tries, 0);
  expect(wrongTry(tries, FORGET_AFTER).wrong).toBe(FREE_TRIES + 4);
  expect(wrongTry(tries, FORGET_AFTER + 1).wrong).toBe(1);
});

test('whatever the clock does, the wait is never longer than it was when it was set, and ends', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.nat(1e12),
      fc.integer({ min: -1e12, max: 1e12 }),
      (count, at, jump) => {
        let tries = NO_TRIES;
        for (let i = 0; i < count; i++) tries = wrongTry(tries, at);
        const whole = waitOf(tries, at);
        expect(whole).toBeLessThanOrEqual(64 * MINUTE);
        expect(waitOf(tries, at + jump)).toBeLessThanOrEqual(whole);
        expect(waitOf(tries, at + whole)).toBe(0);
      },
    ),
  );
});
