/** Phones that went without a word: established calls are asked now and then whether they still live, so that none is charged for nobody. */
import type { Clock, Timer } from '#shared/kernel/world.ts';
import type { Calls } from './calls.ts';

/** Milliseconds between two questions to one side. */
export const PROBE_EVERY = 300_000;

export class Probes {
  readonly #calls: Calls;
  readonly #clock: Clock;
  #timer: Timer | undefined;

  constructor(calls: Calls, clock: Clock) {
    this.#calls = calls;
    this.#clock = clock;
  }

  start(): void {
    this.#timer = this.#clock.at(this.#clock.mono() + PROBE_EVERY, () => {
      for (const live of [...this.#calls.all()])
        if (live.state.at === 'up') this.#calls.probe([...live.handles.values()]);
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }
}
