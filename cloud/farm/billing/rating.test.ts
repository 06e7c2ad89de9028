import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FREE, price, type Rate, RESERVED_TALK, rateOf, reservation, secondsOf, talkFor } from './rating.ts';

const RATES: Rate[] = [
  { prefix: '+', perMinute: 90_000, incrementS: 60 },
  { prefix: '+1', perMinute: 20_000, incrementS: 6 },
  { prefix: '+1555010', perMinute: 10_000, incrementS: 1 },
];

describe('the rate of a destination', () => {
  it.each([
    ['the longest prefix', '+15550100001', 'home_2', '+1555010'],
    ['a shorter one', '+12125550000', undefined, '+1'],
    ['the shortest one', '+4930123456', undefined, '+'],
    ['the own home: free', '+15550100001', 'home_1', ''],
    ['media: free', 'morning-birds', undefined, ''],
    ['a short code: free', '700', undefined, ''],
    ['the room: free', 'room', undefined, ''],
  ])('%s', (_name, to, home, prefix) => {
    expect(rateOf(to, 'home_1', home, RATES).prefix).toBe(prefix);
  });

  it('is free where no prefix fits', () => {
    expect(rateOf('+4930123456', 'home_1', undefined, [])).toBe(FREE);
  });
});

describe('the price of talk', () => {
  const [world, nation, net] = RATES as [Rate, Rate, Rate];
  it.each([
    [0, net, 0],
    [1, net, 167],
    [1_000, net, 167],
    [1_001, net, 334],
    [60_000, net, 10_000],
    [1, nation, 2_000],
    [6_001, nation, 4_000],
    [1, world, 90_000],
    [60_001, world, 180_000],
    [3_600_000, FREE, 0],
    [-5, net, 0],
  ])('%i ms at %o', (ms, rate, expected) => {
    expect(price(ms, rate)).toBe(expected);
  });

  const rate = fc.record({
    prefix: fc.constant('+'),
    perMinute: fc.integer({ min: 1, max: 1_000_000 }),
    incrementS: fc.integer({ min: 1, max: 60 }),
  });
  const ms = fc.integer({ min: 0, max: 10_000_000 });

  it('never falls with more talk, and is whole micro-units', () => {
    fc.assert(
      fc.property(rate, ms, ms, (one, a, b) => {
        expect(price(a + b, one)).toBeGreaterThanOrEqual(price(a, one));
        expect(Number.isSafeInteger(price(a, one))).toBe(true);
      }),
    );
  });

  it('a reservation covers exactly the talk that it says: no longer talk costs less', () => {
    fc.assert(
      fc.property(rate, fc.integer({ min: 0, max: 10_000_000 }), ms, (one, available, talked) => {
        const got = reservation(available, talked, one);
        if (got === undefined) {
          expect(talkFor(Math.min(available, price(talked + RESERVED_TALK, one)), one)).toBeLessThanOrEqual(talked);
          return;
        }
        expect(got.amount).toBeLessThanOrEqual(available);
        expect(price(got.until, one)).toBeLessThanOrEqual(got.amount);
        expect(got.until).toBeGreaterThan(talked);
      }),
    );
  });

  it('counts started seconds', () => {
    expect([0, 1, 1000, 1001].map(secondsOf)).toEqual([0, 1, 1, 2]);
  });
});
