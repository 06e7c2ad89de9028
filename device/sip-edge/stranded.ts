/** Calls of service codes that found no way: an applet may name phones of the house for them, for a while. */
import type { Clock, Timer } from '#shared/kernel/world.ts';
import type { EdgeCall } from './edge-call.ts';

/** Milliseconds for which such a call waits. */
export const STRANDED_FOR = 2_000;

export class Stranded {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, { readonly call: EdgeCall; readonly timer: Timer }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `over`: nobody was named in time. */
  wait(call: EdgeCall, over: () => void): void {
    const timer = this.#clock.at(this.#clock.mono() + STRANDED_FOR, () => {
      if (this.#waiting.delete(call.id)) over();
    });
    this.#waiting.set(call.id, { call, timer });
  }

  get(id: string): EdgeCall | undefined {
    return this.#waiting.get(id)?.call;
  }

  /** It waits no more. */
  forget(id: string): void {
    this.#waiting.get(id)?.timer.cancel();
    this.#waiting.delete(id);
  }
}
