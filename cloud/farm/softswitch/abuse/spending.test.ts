import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HOUR, OUTSIDE_LIMITS, type OutsideCall, type OutsideLimits, Spending } from './spending.ts';

const call = (id: string, more: Partial<OutsideCall> = {}): OutsideCall => ({
  ...{ id, home: 'home_1', kind: 'national', perMinute: 60_000 },
  ...more,
});
const limits: OutsideLimits = {
  atOnce: 3,
  costlyAtOnce: 1,
  internationalPerHour: 2,
  premiumPerHour: 1,
  spendPerHour: 100_000,
};
const why = (verdict: ReturnType<Spending['begin']>) =>
  verdict.ok ? 'ok' : `${verdict.why}${verdict.bars ? ' bars' : ''}`;

describe('calls at once', () => {
  test('one beyond the cap is refused, and there is room again after an end', () => {
    const spending = new Spending();
    for (const id of ['a', 'b', 'c']) expect(why(spending.begin(call(id), limits, 0))).toBe('ok');
    expect(why(spending.begin(call('d'), limits, 0))).toBe('at once');
    expect(why(spending.begin(call('e', { home: 'home_2' }), limits, 0))).toBe('ok');
    spending.ended('a', 0);
    expect(why(spending.begin(call('d'), limits, 0))).toBe('ok');
  });

  test('costly ones have a cap of their own', () => {
    const spending = new Spending();
    spending.begin(call('a', { kind: 'premium' }), limits, 0);
    expect(why(spending.begin(call('b', { kind: 'international' }), limits, 0))).toBe('at once');
    expect(why(spending.begin(call('c', { kind: 'mobile' }), limits, 0))).toBe('ok');
  });
});

describe('calls in an hour', () => {
  test.each([
    ['international', 2],
    ['premium', 1],
  ] as const)('%s: beyond %i the home is barred, and the hour passes', (kind, most) => {
    const spending = new Spending();
    for (let i = 0; i < most; i++) {
      expect(why(spending.begin(call(`a${i}`, { kind }), limits, i))).toBe('ok');
      spending.ended(`a${i}`, i);
    }
    expect(why(spending.begin(call('b', { kind }), limits, most))).toBe(`${kind} bars`);
    expect(why(spending.begin(call('b', { kind }), limits, HOUR + most))).toBe('ok');
  });

  test('lifting the bar begins the hour anew', () => {
    const spending = new Spending();
    spending.begin(call('a', { kind: 'premium' }), limits, 0);
    spending.ended('a', 0);
    spending.forgive('home_1');
    expect(why(spending.begin(call('b', { kind: 'premium' }), limits, 1))).toBe('ok');
  });
});

test('a call that goes to two numbers is one, at the price of the dearer, whichever came first', () => {
  for (const prices of [
    [60_000, 1_000],
    [1_000, 60_000],
  ]) {
    const spending = new Spending();
    for (const perMinute of prices) {
      const kind = perMinute > 1_000 ? 'premium' : 'national';
      expect(why(spending.begin(call('a', { kind, perMinute }), { ...limits, atOnce: 1 }, 0))).toBe('ok');
    }
    spending.answered('a', 0);
    expect([spending.running, spending.costly('home_1')]).toEqual([1, ['a']]);
    expect(spending.beyond(limits, 100_000)).toEqual([{ home: 'home_1', calls: ['a'] }]);
  }
});

describe('money in an hour', () => {
  test('running calls count while they run', () => {
    const spending = new Spending();
    spending.begin(call('a', { kind: 'international' }), limits, 0);
    expect(spending.beyond(limits, 60_000)).toEqual([]);
    spending.answered('a', 0);
    expect(spending.beyond(limits, 90_000)).toEqual([]);
    expect(spending.beyond(limits, 100_000)).toEqual([{ home: 'home_1', calls: ['a'] }]);
    expect(why(spending.begin(call('b'), limits, 100_000))).toBe('spend bars');
    spending.ended('a', 100_000);
    expect(why(spending.begin(call('b'), limits, 100_001))).toBe('spend bars');
    expect(why(spending.begin(call('b'), limits, 100_001 + HOUR))).toBe('ok');
  });

  test('a call that nobody answered costs nothing', () => {
    const spending = new Spending();
    spending.begin(call('a'), limits, 0);
    spending.ended('a', HOUR);
    expect(spending.beyond({ ...limits, spendPerHour: 1 }, HOUR)).toEqual([]);
  });
});

test('a night with a stolen password ends after the first hour’s share, whatever is tried', () => {
  const kinds = fc.constantFrom('international' as const, 'premium' as const, 'national' as const);
  fc.assert(
    fc.property(fc.array(fc.tuple(kinds, fc.nat(30_000), fc.nat(300_000)), { maxLength: 400 }), (tries) => {
      const spending = new Spending();
      let [now, out, barred] = [0, 0, false];
      for (const [i, [kind, gap, talk]] of tries.entries()) {
        now += gap;
        if (barred) break;
        const verdict = spending.begin(call(`c${i}`, { kind }), OUTSIDE_LIMITS, now);
        barred = !verdict.ok && verdict.bars;
        if (!verdict.ok) continue;
        out++;
        spending.answered(`c${i}`, now);
        if (talk % 2 === 0) spending.ended(`c${i}`, now + Math.min(talk, gap));
      }
      const hours = Math.floor(now / HOUR) + 1;
      expect(out).toBeLessThanOrEqual(400);
      const costly = tries.filter(([kind]) => kind !== 'national').length;
      const most = hours * 2 * (OUTSIDE_LIMITS.internationalPerHour + OUTSIDE_LIMITS.premiumPerHour);
      if (costly > most) expect(barred || out < tries.length).toBe(true);
    }),
  );
});
