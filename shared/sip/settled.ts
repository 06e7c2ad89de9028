/**
 * Server transactions that have had their final answer and now only wait for copies of their request, half a minute long (RFC 3261 section
 * 17.2.2, timer J; RFC 6026 section 7.1, timer L). There are tens of thousands: they are kept as numbers in columns, the oldest first, since
 * each as an object would be moved twice and looked at by every collection.
 */
import type { Flow } from './types.ts';

/** The answer that a copy gets again. */
export interface Answer {
  readonly flow: Flow;
  readonly text: string;
}

/** What tells one from all others. */
export type Name = readonly [string, string, string, string, number];
const TEXTS = 4;

/** Records at first; their number doubles when they are full. A power of two. */
const FIRST = 1_024;
/** The most records of one place of the table: one more is not taken, so that no sender can make a look-up long. */
export const SHARED = 32;
const NONE = -1;

/** One record is a place of each. */
const columns = (size: number) => ({
  endAt: new Float64Array(size),
  /** Two sums over its name: together 64 bits, which nobody outside can foresee. */
  mark: new Int32Array(size),
  check: new Int32Array(size),
  /** The octets of the request. */
  octets: new Int32Array(size),
  /** The number of the next older record of the same place. */
  older: new Float64Array(size),
  /** By place: the newest record, and how many there are. */
  newest: new Float64Array(size).fill(NONE),
  shared: new Uint8Array(size),
});

export class Settled {
  readonly #newSeed: () => number;
  #seed: number | undefined;
  /** Records have running numbers; number n lies at n modulo the length of the columns. */
  #columns = columns(FIRST);
  #answers: (Answer | undefined)[] = new Array(FIRST).fill(undefined);
  #first = 0;
  #end = 0;
  /** The sums of the name at hand. */
  #mark = 0;
  #check = 0;

  /** `newSeed`: 32 random bits, asked for once, for the first that is kept. */
  constructor(newSeed: () => number) {
    this.#newSeed = newSeed;
  }

  get size(): number {
    return this.#end - this.#first;
  }

  /** When the oldest is over; undefined where there is none. */
  next(): number | undefined {
    return this.size === 0 ? undefined : this.#columns.endAt[this.#first & (this.#answers.length - 1)];
  }

  /** Keeps one until `endAt`, which is never before that of the one kept last; false where there is no room for it. */
  keep(name: Name, octets: number, answer: Answer | undefined, endAt: number): boolean {
    if (this.size === this.#answers.length) this.#grow();
    this.#read(name);
    const place = this.#check & (this.#answers.length - 1);
    if ((this.#columns.shared[place] ?? 0) >= SHARED) return false;
    this.#put(this.#end++, { mark: this.#mark, check: this.#check, endAt, octets, answer });
    return true;
  }

  /** The number of the record of that name; undefined where there is none. */
  find(name: Name): number | undefined {
    if (this.size === 0) return undefined;
    this.#read(name);
    const mask = this.#answers.length - 1;
    const { newest, older, mark, check } = this.#columns;
    for (let n = newest[this.#check & mask] ?? NONE; n >= this.#first; n = older[n & mask] ?? NONE)
      if (mark[n & mask] === this.#mark && check[n & mask] === this.#check) return n;
    return undefined;
  }

  /** The octets of the request of a record that was found, and the answer to it, if copies get one. */
  octetsOf(number: number): number {
    return this.#columns.octets[number & (this.#answers.length - 1)] ?? 0;
  }

  answerOf(number: number): Answer | undefined {
    return this.#answers[number & (this.#answers.length - 1)];
  }

  /** Forgets what is over. */
  run(now: number): void {
    const mask = this.#answers.length - 1;
    const { endAt, check, shared } = this.#columns;
    for (; this.size > 0 && (endAt[this.#first & mask] ?? 0) <= now; this.#first++) {
      const at = this.#first & mask;
      const place = (check[at] ?? 0) & mask;
      shared[place] = (shared[place] ?? 1) - 1;
      this.#answers[at] = undefined;
    }
    if (this.size > 0 || mask < FIRST) return;
    // After a busy time nothing large stays.
    this.#columns = columns(FIRST);
    this.#answers = new Array(FIRST).fill(undefined);
  }

  #put(
    number: number,
    it: {
      readonly mark: number;
      readonly check: number;
      readonly endAt: number;
      readonly octets: number;
      readonly answer: Answer | undefined;
    },
  ): void {
    const mask = this.#answers.length - 1;
    const at = number & mask;
    const place = it.check & mask;
    const c = this.#columns;
    c.endAt[at] = it.endAt;
    c.mark[at] = it.mark;
    c.check[at] = it.check;
    c.octets[at] = it.octets;
    c.older[at] = c.newest[place] ?? NONE;
    c.newest[place] = number;
    c.shared[place] = (c.shared[place] ?? 0) + 1;
    this.#answers[at] = it.answer;
  }

  #grow(): void {
    const [old, answers] = [this.#columns, this.#answers];
    this.#columns = columns(2 * answers.length);
    this.#answers = new Array(2 * answers.length).fill(undefined);
    for (let n = this.#first; n < this.#end; n++) {
      const at = n & (answers.length - 1);
      const [mark = 0, check = 0, endAt = 0, octets = 0] = [old.mark[at], old.check[at], old.endAt[at], old.octets[at]];
      this.#put(n, { mark, check, endAt, octets, answer: answers[at] });
    }
  }

  /** Two sums over the name, each with a multiplier of its own. */
  #read(name: Name): void {
    this.#seed ??= this.#newSeed();
    let mark = this.#seed | 0;
    let check = ~this.#seed;
    for (let part = 0; part < TEXTS; part++) {
      const text = name[part] as string;
      for (let i = 0; i <= text.length; i++) {
        // Behind the last character stands one that no text has.
        const code = i < text.length ? text.charCodeAt(i) : 0xffff;
        mark = Math.imul(mark ^ code, 0x9e3779b1);
        mark ^= mark >>> 15;
        check = Math.imul(check ^ code, 0x85ebca77);
        check ^= check >>> 13;
      }
    }
    this.#mark = Math.imul(mark ^ name[TEXTS], 0x9e3779b1);
    this.#check = Math.imul(check ^ name[TEXTS], 0x85ebca77);
  }
}
