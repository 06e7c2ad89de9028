/**
 * When to step which part of an endpoint. Deadlines lie in slots of a few milliseconds: tens of thousands of transactions wait for half
 * a minute each, and one of many in a slot costs less than its place in a heap of all.
 */
import { DeadlineHeap } from '../kernel/heap.ts';
import { NEVER } from '../kernel/machine.ts';
import type { EndpointOutput } from './types.ts';

/** Something with a deadline of its own. */
export interface Timed {
  /** Its entry; only `Deadlines` writes it. */
  planned: Planned | undefined;
  /** The earliest moment at which it wants `tick`; NEVER if none. A tick must move it past `now`. */
  due(): number;
  tick(now: number, out: EndpointOutput[]): void;
}

interface Planned {
  readonly deadline: number;
  readonly order: number;
  /** Gone once it was let go. */
  item: Timed | undefined;
  /** Where it lies; in none once its moment came or it was let go. */
  slot: Planned[] | undefined;
  place: number;
}

/** Milliseconds of one slot. */
const WIDTH = 20;

/**
 * Every item has at most one entry, never later than its deadline. When the entry's moment comes and the deadline has moved on,
 * it is entered anew: so a deadline that moves later (most do: a response came) costs nothing at that time. Equal deadlines come in
 * the order of their entering.
 */
export class Deadlines {
  readonly #slots = new Map<number, Planned[]>();
  /** The numbers of the slots. */
  readonly #first = new DeadlineHeap<number>();
  /** The earliest entry, while it is known and stands. */
  #head: Planned | undefined;
  #order = 0;
  #entries = 0;

  /** Entries that lie in slots. */
  get size(): number {
    return this.#entries;
  }

  /** Call after every step of `item`, also after its last: what has no deadline is let go at once. */
  plan(item: Timed): void {
    const at = item.due();
    const { planned } = item;
    if (planned !== undefined) {
      if (at !== NEVER && at >= planned.deadline) return;
      this.#let(planned);
    }
    if (at !== NEVER) this.#enter(at, item);
  }

  /** Lets go of `item`, whatever its deadline. */
  forget(item: Timed): void {
    if (item.planned !== undefined) this.#let(item.planned);
  }

  /** The earliest deadline of all; NEVER if none. */
  next(): number {
    for (;;) {
      if (this.#head?.item === undefined) this.#head = this.#earliest();
      const { item, deadline } = this.#head ?? {};
      if (item === undefined || deadline === undefined) return NEVER;
      if (item.due() <= deadline) return deadline;
      this.plan(this.#taken(item.planned));
    }
  }

  /** Ticks everything that is due. */
  run(now: number, out: EndpointOutput[]): void {
    for (let due = this.#due(now); due.length > 0; due = this.#due(now)) {
      for (const entry of due) {
        if (entry.item === undefined) continue;
        const item = this.#taken(entry);
        if (item.due() <= now) item.tick(now, out);
        this.plan(item);
      }
    }
  }

  #enter(deadline: number, item: Timed): void {
    const number = Math.floor(deadline / WIDTH);
    let slot = this.#slots.get(number);
    if (slot === undefined) {
      slot = [];
      this.#slots.set(number, slot);
      this.#first.add(number, number);
    }
    const entry: Planned = { deadline, order: this.#order++, item, slot, place: slot.length };
    slot.push(entry);
    item.planned = entry;
    this.#entries++;
    if (this.#head !== undefined && deadline < this.#head.deadline) this.#head = entry;
  }

  #let(entry: Planned): void {
    if (entry.item !== undefined) entry.item.planned = undefined;
    entry.item = undefined;
    const { slot, place } = entry;
    if (slot === undefined) return;
    entry.slot = undefined;
    this.#entries--;
    // The last of its slot takes its place: their order is that of their numbers.
    const last = slot.pop();
    if (last === undefined || last === entry) return;
    slot[place] = last;
    last.place = place;
  }

  /** The item of an entry whose turn it is; the entry is void then. */
  #taken(entry: Planned | undefined): Timed {
    const item = entry?.item;
    if (entry === undefined || item === undefined) throw new Error('an entry is taken once');
    this.#let(entry);
    return item;
  }

  /** The first entry of the first slot that has one. */
  #earliest(): Planned | undefined {
    for (let at = this.#first.peek(); at !== undefined; at = this.#first.peek()) {
      let first: Planned | undefined;
      for (const entry of this.#slots.get(at.value) ?? [])
        if (first === undefined || entry.deadline < first.deadline) first = entry;
      if (first !== undefined) return first;
      this.#drop(at.value);
    }
    return undefined;
  }

  /** Takes out what is due by `now`, in order. */
  #due(now: number): Planned[] {
    const last = Math.floor(now / WIDTH);
    const due: Planned[] = [];
    this.#head = undefined;
    for (let at = this.#first.peek(); at !== undefined && at.value <= last; at = this.#first.peek()) {
      const slot = this.#slots.get(at.value) ?? [];
      let kept = 0;
      for (const entry of slot) {
        if (entry.deadline <= now) {
          entry.slot = undefined;
          due.push(entry);
        } else {
          entry.place = kept;
          slot[kept++] = entry;
        }
      }
      this.#entries -= slot.length - kept;
      slot.length = kept;
      if (kept > 0) break;
      this.#drop(at.value);
    }
    return due.sort((a, b) => a.deadline - b.deadline || a.order - b.order);
  }

  #drop(number: number): void {
    this.#first.next(number);
    this.#slots.delete(number);
  }
}
