/** When to step which part of an endpoint: one heap of deadlines, corrected lazily. */
import { DeadlineHeap, type Entry } from '../kernel/heap.ts';
import { NEVER } from '../kernel/machine.ts';
import type { EndpointOutput } from './types.ts';

/** Something with a deadline of its own. */
export interface Timed {
  /** Its entry in the heap; only `Deadlines` writes it. */
  planned: Entry<Timed> | undefined;
  /** The earliest moment at which it wants `tick`; NEVER if none. A tick must move it past `now`. */
  due(): number;
  tick(now: number, out: EndpointOutput[]): void;
}

/**
 * Every item has at most one entry, never later than its deadline. When the entry's moment comes and the deadline has moved on,
 * it is entered anew: so a deadline that moves later (most do: a response came) costs nothing at that time.
 */
export class Deadlines {
  readonly #heap = new DeadlineHeap<Timed>();

  /** Call after every step of `item`, also after its last: what has no deadline is let go at once. */
  plan(item: Timed): void {
    const at = item.due();
    const { planned } = item;
    if (planned && (at === NEVER || at < planned.deadline)) {
      this.#heap.cancel(planned);
      item.planned = undefined;
    }
    if (at !== NEVER && !item.planned) item.planned = this.#heap.add(at, item);
  }

  /** The earliest deadline of all; NEVER if none. */
  next(): number {
    for (;;) {
      const head = this.#heap.peek();
      if (head === undefined) return NEVER;
      if (head.value.due() <= head.deadline) return head.deadline;
      this.#heap.next(head.deadline);
      head.value.planned = undefined;
      this.plan(head.value);
    }
  }

  /** Ticks everything that is due. */
  run(now: number, out: EndpointOutput[]): void {
    for (let head = this.#heap.next(now); head !== undefined; head = this.#heap.next(now)) {
      head.value.planned = undefined;
      if (head.value.due() <= now) head.value.tick(now, out);
      this.plan(head.value);
    }
  }
}
