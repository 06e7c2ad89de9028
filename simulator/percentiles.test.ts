import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Gate, judge, readGates, summary } from './percentiles.ts';

describe('summary', () => {
  it.each([
    [[], { count: 0, p50: 0, p90: 0, p99: 0, max: 0 }],
    [[7], { count: 1, p50: 7, p90: 7, p99: 7, max: 7 }],
    [[3, 1, 2, 4], { count: 4, p50: 2, p90: 4, p99: 4, max: 4 }],
    [Array.from({ length: 100 }, (_, i) => 100 - i), { count: 100, p50: 50, p90: 90, p99: 99, max: 100 }],
  ])('of %j', (samples, expected) => {
    expect(summary(samples)).toEqual(expected);
  });

  it('gives samples, in order of their rank', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1e6), { minLength: 1 }), (samples) => {
        const { p50, p90, p99, max } = summary(samples);
        for (const value of [p50, p90, p99, max]) expect(samples).toContain(value);
        expect([p50, p90, p99, max]).toEqual([p50, p90, p99, max].toSorted((a, b) => a - b));
        expect(samples.filter((sample) => sample <= p90).length).toBeGreaterThanOrEqual(0.9 * samples.length);
      }),
    );
  });
});

describe('gates', () => {
  it('are read for one measure, several, or all', () => {
    expect(readGates('p99', '300')).toEqual({ ok: true, value: [{ rank: 'p99', measure: undefined, limit: 300 }] });
    expect(readGates('max', 'pairing=5000,call-setup=200.5')).toEqual({
      ok: true,
      value: [
        { rank: 'max', measure: 'pairing', limit: 5000 },
        { rank: 'max', measure: 'call-setup', limit: 200.5 },
      ],
    });
  });

  it.each(['', 'fast', 'lunch=3', 'pairing=', '-3', '1,,2', '1e3'])('%j is refused', (text) => {
    expect(readGates('p99', text)).toMatchObject({ ok: false });
  });

  const measured = new Map([['pairing', [10, 20, 30]] as const, ['call-setup', [400]] as const]);
  const gate = (limit: number, measure?: Gate['measure']): Gate => ({ rank: 'p99', measure, limit });

  it.each([
    [gate(400), { failures: [], warnings: [] }],
    [gate(399), { failures: ['p99 of call-setup is 400 ms, more than 399 ms'], warnings: [] }],
    [gate(29, 'pairing'), { failures: ['p99 of pairing is 30 ms, more than 29 ms'], warnings: [] }],
    [gate(30, 'pairing'), { failures: [], warnings: [] }],
    [gate(1, 'delivery'), { failures: [], warnings: ['delivery was not measured, so its p99 could not be judged'] }],
  ])('%j judges', (one, verdict) => {
    expect(judge([one], measured)).toEqual(verdict);
  });

  it('that have nothing to judge say so', () => {
    expect(judge([gate(1)], new Map()).warnings).toHaveLength(1);
  });
});
