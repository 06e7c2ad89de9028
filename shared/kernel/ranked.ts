/**
 * A queue with a few ranks: the lowest rank goes first, and within one what came first. It has room for so many things of so much weight;
 * what is too much is taken from the end of the last rank that has any, so that what comes first is lost last. Pure.
 */
interface Held<T> {
  readonly thing: T;
  readonly weight: number;
}

/** Places of a rank that are empty at its front before it is made shorter. */
const SLACK = 1024;

export class Ranked<T> {
  readonly #ranks: Held<T>[][];
  /** The first of each rank that is still there. */
  readonly #heads: number[];
  readonly #most: { readonly things: number; readonly weight: number };
  #size = 0;
  #weight = 0;

  /** `ranks`: 0 to that many, less one. */
  constructor(ranks: number, most: { readonly things: number; readonly weight: number }) {
    this.#ranks = Array.from({ length: ranks }, () => []);
    this.#heads = new Array<number>(ranks).fill(0);
    this.#most = most;
  }

  get size(): number {
    return this.#size;
  }

  get weight(): number {
    return this.#weight;
  }

  /** What has no room any more, be it the thing itself. A rank that there is not counts as the last. */
  push(thing: T, rank: number, weight: number): T[] {
    const place = this.#ranks[rank] ?? this.#ranks.at(-1);
    place?.push({ thing, weight });
    this.#size++;
    this.#weight += weight;
    const lost: T[] = [];
    while (this.#size > this.#most.things || this.#weight > this.#most.weight) lost.push(this.#drop());
    return lost;
  }

  /** The next thing; undefined where there is none. */
  shift(): T | undefined {
    for (const [rank, held] of this.#ranks.entries()) {
      const head = this.#heads[rank] ?? 0;
      const first = held[head];
      if (first === undefined) continue;
      this.#leaves(first);
      this.#advance(rank, held, head + 1);
      return first.thing;
    }
    return undefined;
  }

  #advance(rank: number, held: Held<T>[], head: number): void {
    if (head === held.length) held.length = 0;
    else if (head >= SLACK && head * 2 > held.length) held.splice(0, head);
    else {
      // What has gone must not be kept alive by its place.
      delete held[head - 1];
      this.#heads[rank] = head;
      return;
    }
    this.#heads[rank] = 0;
  }

  #leaves({ weight }: Held<T>): void {
    this.#size--;
    this.#weight -= weight;
  }

  #drop(): T {
    for (let rank = this.#ranks.length - 1; rank >= 0; rank--) {
      const held = this.#ranks[rank];
      if (held === undefined || held.length === (this.#heads[rank] ?? 0)) continue;
      const last = held.pop();
      if (held.length === (this.#heads[rank] ?? 0)) this.#advance(rank, held, held.length);
      if (last === undefined) continue;
      this.#leaves(last);
      return last.thing;
    }
    throw new Error('a queue that is too full holds something');
  }
}
