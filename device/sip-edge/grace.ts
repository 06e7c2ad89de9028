/** How long calls outlive the flow to the softswitch. */
import type { Clock, Timer } from '#shared/kernel/world.ts';

/** Milliseconds without a flow after which the calls that ran over it end. */
export const FLOW_GRACE = 60_000;

/** Tells once when a flow has been away for `FLOW_GRACE`; every return starts the time anew. */
export class FlowGrace {
  readonly #clock: Clock;
  readonly #over: () => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, over: () => void) {
    this.#clock = clock;
    this.#over = over;
  }

  lost(): void {
    this.back();
    this.#timer = this.#clock.at(this.#clock.mono() + FLOW_GRACE, this.#over);
  }

  back(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
