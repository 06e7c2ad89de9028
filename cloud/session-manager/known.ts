/** What was looked up and stays true until somebody says otherwise: kept so that an ordinary call asks the store for nothing twice. */

/** Things of one kind that are kept; the oldest goes for a new one. */
export const KNOWN_LIMIT = 20_000;

export class Known<T> {
  readonly #kept = new Map<string, T>();
  #generation = 0;

  /** What is kept under the key. */
  kept(key: string): T | undefined {
    return this.#kept.get(key);
  }

  /** What is kept under the key, else what `read` finds; nothing found is not kept. */
  async get(key: string, read: () => Promise<T | undefined>): Promise<T | undefined> {
    const kept = this.#kept.get(key);
    if (kept !== undefined) return kept;
    const generation = this.#generation;
    const found = await read();
    // A change while we read: what was read may be old.
    if (found === undefined || generation !== this.#generation) return found;
    if (this.#kept.size >= KNOWN_LIMIT) {
      const oldest = this.#kept.keys().next();
      if (oldest.done !== true) this.#kept.delete(oldest.value);
    }
    this.#kept.set(key, found);
    return found;
  }

  /** Something changed: all of it is looked up anew. */
  forget(): void {
    this.#generation++;
    this.#kept.clear();
  }
}
