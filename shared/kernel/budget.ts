/** Token buckets by key: how often something may happen, with a bound on the memory that strangers can make us use. Pure. */

export interface Rate {
  /** Events per second in the long run. */
  readonly perSecond: number;
  /** Events at once after a pause. */
  readonly burst: number;
}

/** Keys held at once; the one used longest ago is dropped, which forgives it. */
export const BUDGET_KEYS = 10_000;

export class Budget {
  readonly #buckets = new Map<string, { left: number; at: number }>();

  /** Takes one from the key's bucket at monotonic time `now`; 0 if it was there, else the milliseconds until it will be. */
  take(key: string, rate: Rate, now: number): number {
    const bucket = this.#buckets.get(key) ?? { left: rate.burst, at: now };
    bucket.left = Math.min(rate.burst, bucket.left + ((now - bucket.at) * rate.perSecond) / 1000);
    bucket.at = now;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    this.#dropOldest();
    if (bucket.left < 1) return Math.ceil(((1 - bucket.left) / rate.perSecond) * 1000);
    bucket.left -= 1;
    return 0;
  }

  /** What is in the key's bucket at monotonic time `now`; takes nothing. */
  left(key: string, rate: Rate, now: number): number {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) return rate.burst;
    return Math.min(rate.burst, bucket.left + ((now - bucket.at) * rate.perSecond) / 1000);
  }

  /** Keys held now. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Forgives a key: it starts with a full bucket again. */
  forget(key: string): void {
    this.#buckets.delete(key);
  }

  #dropOldest(): void {
    if (this.#buckets.size <= BUDGET_KEYS) return;
    const oldest = this.#buckets.keys().next();
    if (!oldest.done) this.#buckets.delete(oldest.value);
  }
}
