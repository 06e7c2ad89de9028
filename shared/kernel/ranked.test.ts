import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ranked } from './ranked.ts';

interface Thing {
  readonly n: number;
  readonly rank: number;
  readonly weight: number;
}

const RANKS = 4;
const acts = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ rank: fc.nat(RANKS - 1), weight: fc.integer({ min: 1, max: 9 }) }) },
    { weight: 2, arbitrary: fc.constant('shift' as const) },
  ),
  { maxLength: 200 },
);
const order = (a: Thing, b: Thing): number => a.rank - b.rank || a.n - b.n;

describe('a queue with ranks', () => {
  it('gives what came first of the lowest rank, and names all that it has no room for', () => {
    fc.assert(
      fc.property(acts, fc.integer({ min: 1, max: 12 }), fc.integer({ min: 9, max: 60 }), (steps, things, weight) => {
        const queue = new Ranked<Thing>(RANKS, { things, weight });
        let held: Thing[] = [];
        for (const [n, step] of steps.entries()) {
          if (step === 'shift') expect(queue.shift()).toEqual(held.shift());
          else {
            const thing = { n, ...step };
            held = [...held, thing].sort(order);
            const lost: Thing[] = [];
            while (held.length > things || held.reduce((sum, one) => sum + one.weight, 0) > weight)
              lost.push(...held.splice(-1));
            expect(queue.push(thing, step.rank, step.weight)).toEqual(lost);
          }
          expect([queue.size, queue.weight]).toEqual([held.length, held.reduce((sum, one) => sum + one.weight, 0)]);
        }
        while (held.length > 0) expect(queue.shift()).toEqual(held.shift());
        expect(queue.shift()).toBeUndefined();
      }),
    );
  });

  it('keeps its order while very many pass', () => {
    const queue = new Ranked<number>(2, { things: 5_000, weight: 1e9 });
    let next = 0;
    for (let n = 0; n < 4_000; n++) queue.push(n, 1, 1);
    for (let n = 4_000; n < 20_000; n++) {
      queue.push(n, 1, 1);
      expect(queue.shift()).toBe(next++);
    }
    expect(queue.size).toBe(4_000);
  });

  it('counts a rank that there is not as the last', () => {
    const queue = new Ranked<string>(2, { things: 9, weight: 9 });
    queue.push('odd', 7, 1);
    queue.push('first', 0, 1);
    expect([queue.shift(), queue.shift()]).toEqual(['first', 'odd']);
  });
});
