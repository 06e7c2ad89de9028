/** When to step which part of an endpoint: one heap of deadlines, corrected lazily. */
import { DeadlineHeap } from '../kernel/heap.ts';
import { NEVER } from '../kernel/machine.ts';
import type { EndpointOutput } from './types.ts';

/** Something with a deadline of its own. */
export interface Timed {
  /** The heap entry that counts for it, monotonic ms; NEVER where it has none. Only `Deadlines` writes it. */
  planned: number;
  /** The earliest moment at which it wants `tick`; NEVER if none. A tick must move it past `now`. */
  due(): number;
  tick(now: number, out: EndpointOutput[]): void;
}

/**
 * An item is planned at the earliest deadline that it ever showed; when that moment comes and the deadline has moved on, it
 * is planned anew. So a deadline that moves later (most do: a response came) costs nothing at that time.
 */
export class Deadlines {
  readonly #heap = new DeadlineHeap<Timed>();

  /** Call after every step of `item`. */
  plan(item: Timed): void {
    const at = item.due();
    if (at >= item.planned) return;
    item.planned = at;
    this.#heap.add(at, item);
  }

  /** The earliest deadline of all; NEVER if none. */
  next(): number {
    for (;;) {
      const head = this.#heap.peek();
      if (head === undefined) return NEVER;
      const { deadline, value } = head;
      if (deadline === value.planned && value.due() <= deadline) return deadline;
      this.#heap.next(deadline);
      this.#renew(deadline, value);
    }
  }

  /** Ticks everything that is due. */
  run(now: number, out: EndpointOutput[]): void {
    for (let head = this.#heap.next(now); head !== undefined; head = this.#heap.next(now)) {
      const { deadline, value } = head;
      if (deadline === value.planned && value.due() <= now) value.tick(now, out);
      this.#renew(deadline, value);
    }
  }

  /** After an entry was taken out: plans its item again where the entry was the one that counted. */
  #renew(deadline: number, item: Timed): void {
    if (deadline !== item.planned) return;
    item.planned = NEVER;
    this.plan(item);
  }
}
