/**
 * The clock by which the edge dates calls. The wall clock of a gateway may be corrected in the middle of one (by hours, where it has no
 * battery): how long a call lasted and in which order things happened must not change by that. Pure.
 */
import type { Clock } from '#shared/kernel/world.ts';

/** Milliseconds by which the wall clock has to move to count as corrected, and not as merely trimmed. */
const CORRECTED = 2_000;

export class RecordClock {
  readonly #clock: Pick<Clock, 'wall' | 'mono'>;
  /** The wall clock when this began, minus the monotonic one. */
  readonly #base: number;
  #seen = 0;

  constructor(clock: Pick<Clock, 'wall' | 'mono'>) {
    this.#clock = clock;
    this.#base = clock.wall() - clock.mono();
  }

  /** Milliseconds since 1970 as the wall clock said at first; no correction moves it. */
  now(): number {
    return this.#base + this.#clock.mono();
  }

  /** Milliseconds by which the wall clock is ahead of that now: added to a moment of `now`, it is what the wall clock would say of it. */
  get correction(): number {
    return this.#clock.wall() - this.now();
  }

  /** True once after each correction of the wall clock. */
  corrected(): boolean {
    const { correction } = this;
    const moved = Math.abs(correction - this.#seen) > CORRECTED;
    if (moved) this.#seen = correction;
    return moved;
  }
}
