import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LOOK_EVERY, look, MOST, newOverload, QUEUE_TARGET, ROUTE_TARGET, turnsAway, waited } from './controller.ts';

const looks = (state = newOverload(), wait = 0, times = 1) => {
  for (let i = 0; i < times; i++) {
    waited(state, 'queue', wait);
    look(state);
  }
  return state;
};

describe('the share that is turned away', () => {
  test('stays at nothing while the waits are short', () => {
    expect(looks(newOverload(), QUEUE_TARGET, 100).share).toBe(0);
  });

  test('one short wait between long ones is enough to stay: only a standing queue counts', () => {
    const state = newOverload();
    for (let i = 0; i < 50; i++) {
      waited(state, 'queue', 500);
      waited(state, 'queue', 1);
      look(state);
    }
    expect(state.share).toBe(0);
  });

  test('grows with the wait, up to its most, and is given back', () => {
    const slight = looks(newOverload(), QUEUE_TARGET * 1.2, 5).share;
    const heavy = looks(newOverload(), QUEUE_TARGET * 5, 5).share;
    expect(slight).toBeGreaterThan(0);
    expect(heavy).toBeGreaterThan(slight);
    const state = looks(newOverload(), QUEUE_TARGET * 50, 100);
    expect(state.share).toBe(MOST);
    expect(looks(state, 0, 120).share).toBe(0);
  });

  test('a slow way to routes counts as well', () => {
    const state = newOverload();
    waited(state, 'route', ROUTE_TARGET * 2);
    look(state);
    expect(state.share).toBeGreaterThan(0);
  });

  test('without any sign it shrinks', () => {
    const state = looks(newOverload(), QUEUE_TARGET * 10, 5);
    const before = state.share;
    look(state);
    expect(state.share).toBeLessThan(before);
  });
});

describe('who is turned away', () => {
  test('those that nothing was spent on first', () => {
    const state = { ...newOverload(), share: 0.6 };
    expect(turnsAway(state, false, 0.5, 0)).toBeDefined();
    expect(turnsAway(state, false, 0.7, 0)).toBeUndefined();
    expect(turnsAway(state, true, 0, 0)).toBeUndefined();
    expect(turnsAway({ ...state, share: MOST }, true, 0.5, 0)).toBeDefined();
  });

  test('with a time to come back that grows with the load, in bounds', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: MOST, noNaN: true }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (share, spread) => {
          const seconds = turnsAway({ ...newOverload(), share }, false, 0, spread) ?? 0;
          expect(seconds).toBeGreaterThanOrEqual(2);
          expect(seconds).toBeLessThanOrEqual(20);
        },
      ),
    );
    const at = (share: number) => turnsAway({ ...newOverload(), share }, false, 0, 0.5) ?? 0;
    expect(at(0.9)).toBeGreaterThan(at(0.2));
  });
});

/** A server that needs 2 ms for a call and `away` times that to turn one away, fed at `load` times what it can serve: the share served. */
function served(load: number, away: number, seed: number): number {
  const cost = 2;
  const state = newOverload();
  let [queue, done, draw] = [0, 0, seed];
  const next = () => {
    draw = (draw * 16_807) % 2_147_483_647;
    return draw / 2_147_483_647;
  };
  for (let ms = 0; ms < 40_000; ms++) {
    for (let left = load / cost; left > 0 && next() < left; left--) {
      if (turnsAway(state, false, next(), 0) !== undefined) queue += cost * away;
      else {
        queue += cost;
        if (ms >= 10_000) done++;
      }
    }
    queue = Math.max(0, queue - 1);
    waited(state, 'queue', queue);
    if (ms % LOOK_EVERY === 0) look(state);
  }
  return done / (30_000 / cost);
}

test.each([
  [1.2, 0.05],
  [2, 0.05],
  [3, 0.05],
  [3, 0.08],
  [5, 0.03],
])(
  'at %f times what it can serve, turning away at %f of a call’s price, it serves at least 80 %% of that',
  (load, away) => {
    for (const seed of [1, 2, 3]) expect(served(load, away, seed)).toBeGreaterThanOrEqual(0.8);
  },
);
