import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ATTEMPTS, type SlotName } from './layout.ts';
import { type BootStep, bootSteps, type SlotHealth } from './model.ts';
import { FRESH, LOST, type SlotState } from './state.ts';

const slots = fc.constantFrom<SlotName>('A', 'B');
const health = fc.record({
  A: fc.constantFrom<SlotHealth>('starts', 'damaged'),
  B: fc.constantFrom<SlotHealth>('starts', 'damaged'),
});
const states: fc.Arbitrary<SlotState> = fc.record({
  sequence: fc.integer({ min: 1, max: 1000 }),
  order: fc.constantFrom<readonly SlotName[]>(['A', 'B'], ['B', 'A']),
  left: fc.record({ A: fc.integer({ min: 0, max: 3 }), B: fc.integer({ min: 0, max: 3 }) }),
  stopped: fc.boolean(),
});
const both = { A: 'starts', B: 'starts' } as const;
const last = (steps: readonly BootStep[]) => steps.at(-1);
const saved = (steps: readonly BootStep[]): SlotState | undefined =>
  steps.reduce<SlotState | undefined>((state, step) => (step.do === 'save' ? step.state : state), undefined);

describe('the choice of a slot', () => {
  const rows: readonly (readonly [string, SlotState, Record<SlotName, SlotHealth>, BootStep])[] = [
    ['a new image', FRESH, both, { do: 'start', slot: 'A', attempt: 1 }],
    ['no readable state', LOST, both, { do: 'start', slot: 'A', attempt: 1 }],
    [
      'no readable state and a torn slot A',
      LOST,
      { A: 'damaged', B: 'starts' },
      { do: 'start', slot: 'B', attempt: 1 },
    ],
    ['the second try', { ...FRESH, left: { A: 2, B: 0 } }, both, { do: 'start', slot: 'A', attempt: 2 }],
    ['an update', { ...FRESH, order: ['B', 'A'], left: { A: 3, B: 3 } }, both, { do: 'start', slot: 'B', attempt: 1 }],
    [
      'an update that failed',
      { ...FRESH, order: ['B', 'A'], left: { A: 3, B: 0 } },
      both,
      { do: 'start', slot: 'A', attempt: 1 },
    ],
    ['nothing left', { ...FRESH, left: { A: 0, B: 0 } }, both, { do: 'stop' }],
    [
      'power after a stop',
      { ...FRESH, left: { A: 0, B: 0 }, stopped: true },
      both,
      { do: 'start', slot: 'A', attempt: 3 },
    ],
    ['a count beyond the limit', { ...FRESH, left: { A: 9, B: 0 } }, both, { do: 'start', slot: 'A', attempt: 1 }],
  ];
  test.each(rows)('%s', (_name, state, how, expected) => expect(last(bootSteps(state, how))).toEqual(expected));

  test('a slot that never proves itself gives way after three tries, and the other one is never cut short', () => {
    fc.assert(
      fc.property(slots, (first) => {
        const other: SlotName = first === 'A' ? 'B' : 'A';
        let state: SlotState = {
          sequence: 1,
          order: [first, other],
          left: { A: ATTEMPTS, B: ATTEMPTS },
          stopped: false,
        };
        const started: SlotName[] = [];
        for (let power = 0; power < 2 * ATTEMPTS; power += 1) {
          const steps = bootSteps(state, both);
          const end = last(steps);
          if (end?.do === 'start') started.push(end.slot);
          state = saved(steps) ?? state;
        }
        expect(started).toEqual([first, first, first, other, other, other]);
        expect(last(bootSteps(state, both))).toEqual({ do: 'stop' });
      }),
    );
  });

  test('it always ends, counts before it starts, and starts a slot that can start when a try is left', () => {
    fc.assert(
      fc.property(states, health, (state, how) => {
        const steps = bootSteps(state, how);
        const end = last(steps);
        expect(steps.length).toBeLessThanOrEqual(6);
        if (end?.do === 'start') {
          const before = steps.at(-2);
          expect(how[end.slot]).toBe('starts');
          expect(before?.do === 'save' && before.state.left[end.slot]).toBe(ATTEMPTS - end.attempt);
        } else {
          const left = state.stopped ? { A: 1, B: 1 } : state.left;
          for (const slot of state.order) expect(left[slot] === 0 || how[slot] === 'damaged').toBe(true);
        }
      }),
    );
  });

  test('each power-on without a proof brings a stop nearer: no endless loop', () => {
    fc.assert(
      fc.property(states, health, (from, how) => {
        let state = from.stopped ? { ...from, left: { A: 1, B: 1 }, stopped: false } : from;
        for (let power = 0; power <= 2 * ATTEMPTS; power += 1) {
          const steps = bootSteps(state, how);
          if (last(steps)?.do === 'stop') return;
          state = saved(steps) ?? state;
        }
        throw new Error('still starting after every try was used');
      }),
    );
  });
});
