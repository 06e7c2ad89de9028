import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Group } from './group.ts';
import { PHASES, TICK, Ticker } from './ticker.ts';

function run(ticker: Ticker, now: number): string[] {
  const ran: string[] = [];
  ticker.run(now, (group, index) => ran.push(`${group.name}@${index * TICK + group.phase * 5}`));
  return ran;
}

describe('Ticker', () => {
  it('spreads groups over the sub-ticks of 5 ms', () => {
    const ticker = new Ticker();
    const phases = Array.from({ length: 8 }, () => ticker.place());
    expect(phases).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    ticker.unplace(new Group('x', 2));
    expect(ticker.place()).toBe(2);
  });

  it('ticks every 20 ms of the grid, however late or uneven it is driven, and never twice', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0.1, max: 55, noNaN: true }), { maxLength: 60 }), (steps) => {
        const ticker = new Ticker();
        const groups = Array.from({ length: PHASES }, (_, phase) => new Group(`g${phase}`, phase));
        let now = 1003;
        for (const group of groups) ticker.set(group, true, now);
        const ran: string[] = [];
        for (const step of steps) {
          now += step;
          ran.push(...run(ticker, now));
          expect(ticker.due()).toBeGreaterThan(now);
          expect(ticker.due()).toBeLessThanOrEqual(now + 5.000_001);
        }
        for (const group of groups) {
          const wanted = [];
          for (let at = group.phase * 5; at <= now; at += TICK) if (at > 1003) wanted.push(`${group.name}@${at}`);
          expect(ran.filter((one) => one.startsWith(group.name))).toEqual(wanted);
        }
      }),
    );
  });

  it('makes up for three frames of a stall and leaves the older ones out', () => {
    const ticker = new Ticker();
    ticker.set(new Group('g', 0), true, 1000);
    expect(run(ticker, 1200)).toEqual(['g@1160', 'g@1180', 'g@1200']);
    expect(run(ticker, 1219)).toEqual([]);
  });

  it('rests while no group needs it', () => {
    const ticker = new Ticker();
    const group = new Group('g', 1);
    expect(ticker.due()).toBe(Number.POSITIVE_INFINITY);
    ticker.set(group, true, 1000);
    ticker.set(group, true, 1000);
    expect(ticker.due()).toBe(1005);
    ticker.set(group, false, 1010);
    expect(ticker.due()).toBe(Number.POSITIVE_INFINITY);
    expect(run(ticker, 5000)).toEqual([]);
    ticker.set(group, true, 90_000);
    expect(run(ticker, 90_005)).toEqual(['g@90005']);
  });
});
