/**
 * What the gateway must tell the cloud, decided purely: which entry goes next, what a full outbox gives up, and what an
 * answer means. An entry goes only by an answer that names it, by its expiry, or by something more important when there is
 * no room; the last two are counted as lost.
 */
import type { Result } from '#shared/kernel/result.ts';
import { type Fault, faults } from '#shared/protocol/fault.ts';

/** Most important first. */
export const priorities = ['voice', 'alarm', 'usage', 'tele'] as const;
export type Priority = (typeof priorities)[number];

/** Octets of all entries as they stand in the log; log and compaction together stay below 64 MB. */
export const OUTBOX_LIMIT = 16 * 1024 * 1024;
/** Entries sent and not answered. */
export const IN_FLIGHT_LIMIT = 16;
/** How often the cloud may fail on one entry before the entry is given up. */
export const FAILURES_LIMIT = 20;
/** Milliseconds before an entry that could not be served goes again: first, and at the most. */
const AGAIN_FIRST = 2000;
const AGAIN_LAST = 5 * 60_000;

export interface Entry {
  /** Counts from 1 for the life of the gateway. */
  readonly n: number;
  /** Idempotency key. */
  readonly id: string;
  readonly verb: string;
  readonly body: unknown;
  readonly priority: Priority;
  /** Milliseconds for which somebody wants it. */
  readonly keeps: number;
  /**
   * The cloud's wall clock, ms, after which nobody wants it. Absent from what was made before the cloud told its time: our own clock
   * may have been anything then, so that `keeps` counts from each start of the gateway.
   */
  readonly expires?: number;
  /** Entries of one order go one at a time, first come first. */
  readonly order?: string;
}

interface Held {
  readonly entry: Entry;
  readonly octets: number;
  /** When it was taken in, monotonic ms. */
  readonly since: number;
  flying: boolean;
  failures: number;
  tries: number;
  /** Monotonic ms. */
  notBefore: number;
}

export class Outbox {
  readonly #held = new Map<string, Held>();
  readonly #limit: number;
  #octets = 0;
  #flying = 0;
  #lost: number;
  #last: number;

  /** `last` is the number of the newest entry ever, `lost` how many were given up so far. */
  constructor(last = 0, lost = 0, limit = OUTBOX_LIMIT) {
    this.#last = last;
    this.#lost = lost;
    this.#limit = limit;
  }

  get octets(): number {
    return this.#octets;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Number for the next new entry. */
  get next(): number {
    return this.#last + 1;
  }

  /** What hello tells: the oldest and newest entry, and how many were given up. */
  get range(): { first: number; last: number; lost: number } {
    let first = this.#last;
    for (const { entry } of this.#held.values()) first = Math.min(first, entry.n);
    return { first: this.#held.size === 0 ? this.#last : first, last: this.#last, lost: this.#lost };
  }

  entries(): Entry[] {
    return [...this.#held.values()].map(({ entry }) => entry);
  }

  /** Milliseconds that the oldest entry has been here at `now` (monotonic ms); undefined where none is. */
  waited(now: number): number | undefined {
    for (const { since } of this.#held.values()) return now - since;
    return undefined;
  }

  /** Takes an entry of so many octets at `now` (monotonic ms). What had to go for it is the result; it may be the entry itself. */
  add(entry: Entry, octets: number, now: number): Entry[] {
    this.#last = Math.max(this.#last, entry.n);
    const held = { entry, octets, since: now, flying: false, failures: 0, tries: 0, notBefore: 0 };
    this.#held.set(entry.id, held);
    this.#octets += octets;
    const dropped: Entry[] = [];
    while (this.#octets > this.#limit) {
      const victim = this.#leastImportant();
      if (victim === undefined) break;
      this.#lose(victim, dropped);
    }
    return dropped;
  }

  /** Takes back unsent entries of an order that a newer one makes pointless. They do not count as lost. */
  supersede(order: string): Entry[] {
    const gone: Entry[] = [];
    for (const held of this.#held.values()) {
      if (held.entry.order !== order || held.flying) continue;
      this.#remove(held);
      gone.push(held.entry);
    }
    return gone;
  }

  /** Drops what has expired at `now` (monotonic ms), which is `wall` by the cloud's clock, and is not on its way. */
  expire(wall: number, now: number): Entry[] {
    const dropped: Entry[] = [];
    for (const held of [...this.#held.values()]) {
      const { expires, keeps } = held.entry;
      const over = expires === undefined ? held.since + keeps <= now : expires <= wall;
      if (over && !held.flying) this.#lose(held, dropped);
    }
    return dropped;
  }

  /** The entry that goes now, marked as on its way; undefined where none may. `now` is monotonic ms. */
  take(now: number): Entry | undefined {
    if (this.#flying >= IN_FLIGHT_LIMIT) return undefined;
    let best: Held | undefined;
    const blocked = new Set<string>();
    for (const held of this.#held.values()) {
      const { order } = held.entry;
      const free = order === undefined || !blocked.has(order);
      if (order !== undefined) blocked.add(order);
      if (!free || held.flying || held.notBefore > now) continue;
      if (best === undefined || rank(held) < rank(best)) best = held;
    }
    if (best === undefined) return undefined;
    best.flying = true;
    this.#flying++;
    return best.entry;
  }

  /** An answer came (or none in time). Says what became of the entry. */
  settle(id: string, outcome: Result<unknown, Fault>, now: number): 'told' | 'again' | 'refused' | 'unknown' {
    const held = this.#held.get(id);
    if (held === undefined) return 'unknown';
    if (held.flying) this.#flying--;
    held.flying = false;
    if (outcome.ok) {
      this.#remove(held);
      return 'told';
    }
    const { code, retryAfter } = outcome.fault;
    if (code === 'internal') held.failures++;
    if (faults[code].retry === 'never' || held.failures >= FAILURES_LIMIT) {
      this.#lose(held, []);
      return 'refused';
    }
    held.notBefore = now + (retryAfter ?? Math.min(AGAIN_LAST, AGAIN_FIRST * 2 ** Math.min(held.tries++, 12)));
    return 'again';
  }

  /** A new connection: waiting has no reason any more. */
  hurry(): void {
    for (const held of this.#held.values()) {
      held.notBefore = 0;
      held.tries = 0;
    }
  }

  /** The moment at which `take` may give something that it does not give now; undefined where no time does that. */
  due(now: number): number | undefined {
    let due: number | undefined;
    for (const { flying, notBefore } of this.#held.values()) {
      if (!flying && notBefore > now) due = Math.min(due ?? notBefore, notBefore);
    }
    return due;
  }

  /** Oldest of the least important that are not on their way. */
  #leastImportant(): Held | undefined {
    let worst: Held | undefined;
    for (const held of this.#held.values()) {
      if (held.flying) continue;
      if (worst === undefined || rank(held) > rank(worst)) worst = held;
    }
    return worst;
  }

  #lose(held: Held, dropped: Entry[]): void {
    this.#remove(held);
    this.#lost++;
    dropped.push(held.entry);
  }

  #remove(held: Held): void {
    if (this.#held.delete(held.entry.id)) this.#octets -= held.octets;
  }
}

function rank(held: Held): number {
  return priorities.indexOf(held.entry.priority);
}
