interface Cell<V> {
  value: V | undefined;
}

/**
 * A map for what comes and goes by the thousand: calls, transactions. Entries are in the order in which they came.
 *
 * When many have gone, a Map moves to a new table, and the old one points to it, as it points to all that it held. Once one of these old
 * tables lies among the long-lived objects of the collector, every later one follows it there, and all that was in them: each call
 * would be moved twice and be collected seconds after its end. So the map holds a cell for each value, and the cell is emptied.
 */
export class Roster<K, V> {
  readonly #cells = new Map<K, Cell<V>>();

  get size(): number {
    return this.#cells.size;
  }

  get(key: K): V | undefined {
    return this.#cells.get(key)?.value;
  }

  has(key: K): boolean {
    return this.#cells.has(key);
  }

  set(key: K, value: V): void {
    const cell = this.#cells.get(key);
    if (cell === undefined) this.#cells.set(key, { value });
    else cell.value = value;
  }

  /** True where it was there. */
  delete(key: K): boolean {
    const cell = this.#cells.get(key);
    if (cell === undefined) return false;
    cell.value = undefined;
    return this.#cells.delete(key);
  }

  keys(): IterableIterator<K> {
    return this.#cells.keys();
  }

  /** What is deleted while they are gone through is left out. */
  *values(): Generator<V> {
    for (const { value } of this.#cells.values()) if (value !== undefined) yield value;
  }

  *[Symbol.iterator](): Generator<[K, V]> {
    for (const [key, { value }] of this.#cells) if (value !== undefined) yield [key, value];
  }
}
