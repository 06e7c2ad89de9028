/** The choice that `boot.cmd` makes, as a function: what the tests compare U-Boot's own run with. */
import { ATTEMPTS, type SlotName } from './layout.ts';
import type { SlotState } from './state.ts';

/** What a slot does when U-Boot tries it: its kernel starts, or something in front of it is damaged. */
export type SlotHealth = 'starts' | 'damaged';
/** One step of a power-on: a state written to the disk, a kernel started, or the recovery stop. */
export type BootStep =
  | { readonly do: 'save'; readonly state: SlotState }
  | { readonly do: 'start'; readonly slot: SlotName; readonly attempt: number }
  | { readonly do: 'stop' };

/** All steps of one power-on from a state; ends with `start` or `stop`. A state is written before what it counts happens. */
export function bootSteps(from: SlotState, health: Readonly<Record<SlotName, SlotHealth>>): BootStep[] {
  let state: SlotState = from.stopped ? { ...from, left: { A: 1, B: 1 }, stopped: false } : from;
  const steps: BootStep[] = [];
  const save = (change: Partial<SlotState>) => {
    state = { ...state, ...change, sequence: state.sequence + 1 };
    steps.push({ do: 'save', state });
  };
  for (const slot of state.order) {
    const left = Math.min(state.left[slot], ATTEMPTS);
    if (left === 0) continue;
    save({ left: { ...state.left, [slot]: left - 1 } });
    if (health[slot] === 'starts') return [...steps, { do: 'start', slot, attempt: ATTEMPTS + 1 - left }];
    save({ left: { ...state.left, [slot]: 0 } });
  }
  save({ stopped: true });
  return [...steps, { do: 'stop' }];
}
