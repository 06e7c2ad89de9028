/** A binary heap of deadlines: equal deadlines come out in the order in which they went in, so that a run can be repeated. */
export interface Entry<T> {
  readonly deadline: number;
  readonly order: number;
  readonly value: T;
  cancelled: boolean;
}

export class DeadlineHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #order = 0;
  #cancelled = 0;

  get size(): number {
    return this.#entries.length - this.#cancelled;
  }

  add(deadline: number, value: T): Entry<T> {
    const entry: Entry<T> = { deadline, order: this.#order++, value, cancelled: false };
    this.#entries.push(entry);
    this.#up(this.#entries.length - 1);
    return entry;
  }

  /** Cancelled entries are swept once they are the majority, so that a busy canceller costs no memory. */
  cancel(entry: Entry<T>): void {
    if (entry.cancelled) return;
    entry.cancelled = true;
    this.#cancelled++;
    if (this.#cancelled > 64 && this.#cancelled * 2 > this.#entries.length) this.#sweep();
  }

  /** The next entry without taking it. */
  peek(): Entry<T> | undefined {
    while (this.#entries[0]?.cancelled) {
      this.#take();
      this.#cancelled--;
    }
    return this.#entries[0];
  }

  /** Takes the next entry if its deadline is not after `now`. */
  next(now: number): Entry<T> | undefined {
    const first = this.peek();
    if (first === undefined || first.deadline > now) return undefined;
    this.#take();
    first.cancelled = true;
    return first;
  }

  #take(): void {
    const last = this.#entries.pop();
    if (last === undefined || this.#entries.length === 0) return;
    this.#entries[0] = last;
    this.#down(0);
  }

  #sweep(): void {
    const live = this.#entries.filter((entry) => !entry.cancelled);
    this.#entries.length = 0;
    this.#cancelled = 0;
    for (const entry of live) {
      this.#entries.push(entry);
      this.#up(this.#entries.length - 1);
    }
  }

  /** Moves the entry at `start` up to its place. */
  #up(start: number): void {
    const entries = this.#entries;
    const moved = entries[start];
    if (moved === undefined) return;
    let i = start;
    while (i > 0) {
      const above = (i - 1) >> 1;
      const parent = entries[above];
      if (parent === undefined || !isBefore(moved, parent)) break;
      entries[i] = parent;
      i = above;
    }
    entries[i] = moved;
  }

  /** Moves the entry at `start` down to its place. */
  #down(start: number): void {
    const entries = this.#entries;
    const moved = entries[start];
    if (moved === undefined) return;
    let i = start;
    for (;;) {
      let below = 2 * i + 1;
      let child = entries[below];
      if (child === undefined) break;
      const right = entries[below + 1];
      if (right !== undefined && isBefore(right, child)) {
        below++;
        child = right;
      }
      if (!isBefore(child, moved)) break;
      entries[i] = child;
      i = below;
    }
    entries[i] = moved;
  }
}

function isBefore<T>(a: Entry<T>, b: Entry<T>): boolean {
  return a.deadline < b.deadline || (a.deadline === b.deadline && a.order < b.order);
}
