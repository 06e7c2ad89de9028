/**
 * Reads datagrams ahead of their turn while their receiver is behind, so that they wait sorted here and not unsorted in the kernel's
 * buffer, which throws away the newest, whatever it is. A receiver is behind once several datagrams come in one turn of the loop: they
 * had been waiting. Until then, and again once nothing waits, each is served as it comes; the loop's turn is looked at now and then only,
 * for each look has its price.
 */
import { Ranked } from '#shared/kernel/ranked.ts';

/** Datagrams from one look to the next; and how many more in that very turn tell that more are waiting. */
const LOOK_AFTER = 16;
const WAITED = 8;
/** Datagrams served as they come before a receiver can be known to be behind. */
export const INLINE = LOOK_AFTER + WAITED;
/** Datagrams read since the last turn from which there are probably more: libuv reads so many of a socket at once. */
const AT_ONCE = 32;
/** Milliseconds of serving in one turn, and while there is more to read. */
const TURN = 4;
const SHORT_TURN = 0.5;
/** Datagrams that may wait in the order of all; further ones have the last rank. */
const TURNS = 64;
/** Datagrams that may wait, and their octets in all. */
export const WAITING_LIMIT = { things: 10_000, weight: 16 * 1024 * 1024 } as const;

export interface ReadAheadOptions<T> {
  /** Milliseconds of a clock that never goes back. */
  readonly now: () => number;
  readonly ranks: number;
  /** Where a datagram that has to wait belongs, 0 first, or in the order of all, whatever their ranks (undefined); its octets. */
  readonly place: (thing: T) => { readonly rank: number | undefined; readonly octets: number };
  /** Takes one in; `waited`: ms since it was read. */
  readonly serve: (thing: T, waited: number) => void;
  /** It had no room. */
  readonly lost: (thing: T) => void;
}

interface Waiting<T> {
  readonly thing: T;
  /** When it was read. */
  readonly at: number;
}

/** Runs something once the datagrams that are there have been read, or the first some of them. */
export type Soon = (run: () => void) => void;

export class ReadAhead<T> {
  readonly #o: ReadAheadOptions<T>;
  readonly #waiting: Ranked<Waiting<T>>;
  /** Those in the order of all: each is due once so many others were served. */
  readonly #turns: (Waiting<T> & { readonly due: number })[] = [];
  /** Served after they had to wait. */
  #done = 0;
  /** Datagrams since the last look. */
  #row = 0;
  #behind = false;
  /** Read since the last turn. */
  #read = 0;
  #closed = false;

  constructor(options: ReadAheadOptions<T>) {
    this.#o = options;
    this.#waiting = new Ranked(options.ranks, WAITING_LIMIT);
  }

  /** Datagrams that wait. */
  get size(): number {
    return this.#waiting.size + this.#turns.length;
  }

  /** A datagram was read. */
  take(thing: T, soon: Soon): void {
    const { now, serve, place, lost } = this.#o;
    if (!this.#behind) {
      this.#row++;
      if (this.#row === LOOK_AFTER) soon(() => this.#look(soon));
      if (this.#row <= INLINE) {
        serve(thing, 0);
        return;
      }
      this.#behind = true;
      this.#read = INLINE;
    }
    this.#read++;
    const { rank, octets } = place(thing);
    const one = { thing, at: now() };
    if (rank === undefined && this.#turns.length < TURNS)
      this.#turns.push({ ...one, due: this.#done + this.#waiting.size });
    else for (const { thing: gone } of this.#waiting.push(one, rank ?? this.#o.ranks - 1, octets)) lost(gone);
  }

  /** What waits is not served any more. */
  close(): void {
    this.#closed = true;
  }

  /** All that was there has been read, or much of it. */
  #look(soon: Soon): void {
    if (this.#behind) this.#turn(soon);
    else this.#row = 0;
  }

  #next(): Waiting<T> | undefined {
    const [first] = this.#turns;
    if (first !== undefined && (first.due <= this.#done || this.#waiting.size === 0)) return this.#turns.shift();
    this.#done++;
    return this.#waiting.shift();
  }

  #turn(soon: Soon): void {
    if (this.#closed) return;
    const { now, serve } = this.#o;
    let at = now();
    const end = at + (this.#read >= AT_ONCE ? SHORT_TURN : TURN);
    this.#read = 0;
    try {
      do {
        const next = this.#next();
        if (next === undefined) break;
        serve(next.thing, at - next.at);
        at = now();
      } while (at < end);
    } finally {
      // One that throws has had its turn.
      if (this.size > 0) soon(() => this.#turn(soon));
      else {
        this.#behind = false;
        this.#row = 0;
      }
    }
  }
}
