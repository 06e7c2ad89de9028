import type { Clock, Timer } from '#shared/kernel/world.ts';

/** A flag that one reader waits for. */
export class Signal {
  #raised = false;
  #wake: (() => void) | undefined;

  raise(): void {
    this.#raised = true;
    this.#wake?.();
  }

  /** Resolves with true once raised (and lowers it), with false after `limit` ms. */
  async wait(clock: Clock, limit: number): Promise<boolean> {
    if (!this.#raised) {
      let timer: Timer | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = clock.at(clock.mono() + limit, resolve);
      });
      timer?.cancel();
      this.#wake = undefined;
    }
    const raised = this.#raised;
    this.#raised = false;
    return raised;
  }
}
