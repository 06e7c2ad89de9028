/**
 * Which frames are due: groups tick every 20 ms on an absolute grid, spread over four sub-ticks of 5 ms, so that a
 * machine with many groups works evenly.
 */
import type { Group } from './group.ts';

/** Milliseconds of a frame, and of the sub-ticks into which the groups are spread. */
export const TICK = 20;
export const PHASES = 4;
const SUB_TICK = TICK / PHASES;

/** Frames that are made up for after a stall; what is older is left out. */
const CATCH_UP = 3;

export class Ticker {
  readonly #active: Group[][] = Array.from({ length: PHASES }, () => []);
  readonly #last: number[] = Array.from({ length: PHASES }, () => 0);
  readonly #sizes: number[] = Array.from({ length: PHASES }, () => 0);

  /** The phase with the fewest groups, for a new one. */
  place(): number {
    const phase = this.#sizes.indexOf(Math.min(...this.#sizes));
    this.#sizes[phase] = (this.#sizes[phase] as number) + 1;
    return phase;
  }

  /** A group is gone. */
  unplace(group: Group): void {
    this.#sizes[group.phase] = (this.#sizes[group.phase] as number) - 1;
    this.set(group, false, 0);
  }

  /** A group begins or ceases to need the clock. */
  set(group: Group, active: boolean, now: number): void {
    const groups = this.#active[group.phase] as Group[];
    const place = groups.indexOf(group);
    if (active && place < 0) {
      if (groups.length === 0) this.#last[group.phase] = this.#index(group.phase, now);
      groups.push(group);
    }
    if (!active && place >= 0) groups.splice(place, 1);
  }

  /** The earliest moment (mono, ms) at which a frame is due. */
  due(): number {
    let due = Number.POSITIVE_INFINITY;
    for (let phase = 0; phase < PHASES; phase++) {
      if ((this.#active[phase] as Group[]).length === 0) continue;
      due = Math.min(due, ((this.#last[phase] as number) + 1) * TICK + phase * SUB_TICK);
    }
    return due;
  }

  /** Runs `tick` for every group and frame that is due. */
  run(now: number, tick: (group: Group, index: number) => void): void {
    for (let phase = 0; phase < PHASES; phase++) {
      const groups = this.#active[phase] as Group[];
      const index = this.#index(phase, now);
      const last = this.#last[phase] as number;
      this.#last[phase] = Math.max(last, index);
      if (groups.length === 0) continue;
      for (let i = Math.max(last + 1, index - CATCH_UP + 1); i <= index; i++) {
        for (const group of [...groups]) tick(group, i);
      }
    }
  }

  #index(phase: number, now: number): number {
    return Math.floor((now - phase * SUB_TICK) / TICK);
  }
}
