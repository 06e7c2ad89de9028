/**
 * Ends calls that have died without a word: a phone without power says no BYE, but it also ceases to send. A side that has
 * sent before and then sends nothing for five minutes, though it said that it would, is gone.
 */
import type { Clock, Timer } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import type { Owner } from './names.ts';

/** Silence after which a side counts as gone, ms. Phones that suppress silence still send now and then. */
export const GONE_AFTER = 300_000;

export class Silence {
  readonly #clock: Clock;
  readonly #engine: MediaEngine;
  readonly #gone: (owner: Owner) => void;
  readonly #watched = new Map<string, Timer>();

  /** `gone` is told the leg whose side is gone. */
  constructor(clock: Clock, engine: MediaEngine, gone: (owner: Owner) => void) {
    this.#clock = clock;
    this.#engine = engine;
    this.#gone = gone;
  }

  /** The engine has heard nothing from an endpoint for a while. */
  async watch(endpoint: string, owner: Owner): Promise<void> {
    this.forget(endpoint);
    const stats = await this.#engine.stats(endpoint).catch(() => undefined);
    // One that has never sent may be a loudspeaker; one that sends again will be reported anew.
    if (stats === undefined || stats.received === 0 || stats.silentFor === 0) return;
    const left = GONE_AFTER - stats.silentFor;
    if (left <= 0) this.#gone(owner);
    // Said again later if the call should still be there: the softswitch may have been away.
    const next = this.#clock.mono() + (left > 0 ? left : GONE_AFTER);
    const timer = this.#clock.at(next, () => void this.watch(endpoint, owner));
    this.#watched.set(endpoint, timer);
  }

  forget(endpoint: string): void {
    this.#watched.get(endpoint)?.cancel();
    this.#watched.delete(endpoint);
  }

  stop(): void {
    for (const timer of this.#watched.values()) timer.cancel();
    this.#watched.clear();
  }
}
