/**
 * Time limits of many short waits. Nearly all end long before their limit, so none gets a timer of its own: one timer stands for the
 * waits of one limit, and wakes for the oldest of them that still waits.
 */
import type { Clock } from '#shared/kernel/world.ts';

/** A wait under way. */
export interface Wait {
  readonly deadline: number;
  /** Gone once the wait has ended. */
  late: (() => void) | undefined;
}

/** Waits of one limit from which those that have ended are dropped before its timer wakes. */
const SWEPT_FROM = 64;

export class Limits {
  readonly #clock: Clock;
  /** By limit in ms, oldest first. */
  readonly #queues = new Map<number, Wait[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The promise's outcome, or undefined once `ms` milliseconds have passed; the promise itself goes on. */
  within<T>(ms: number, promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const wait = this.begin(this.#clock.mono(), ms, () => resolve(undefined));
      promise.then(
        (value) => {
          if (this.end(wait)) resolve(value);
        },
        (error: unknown) => {
          if (this.end(wait)) reject(error);
        },
      );
    });
  }

  /** A wait of `ms` milliseconds from `now` on: `late` is called at its end, unless `end` comes first. */
  begin(now: number, ms: number, late: () => void): Wait {
    const wait: Wait = { deadline: now + ms, late };
    this.#queue(ms, wait);
    return wait;
  }

  /** True where the wait was still going on. */
  end(wait: Wait): boolean {
    if (wait.late === undefined) return false;
    wait.late = undefined;
    return true;
  }

  #queue(ms: number, wait: Wait): void {
    const queue = this.#queues.get(ms);
    if (queue !== undefined) {
      // Powers of two, so that a long queue is looked through seldom.
      if (queue.length >= SWEPT_FROM && (queue.length & (queue.length - 1)) === 0) this.#sweep(queue);
      queue.push(wait);
      return;
    }
    this.#queues.set(ms, [wait]);
    this.#clock.at(wait.deadline, () => this.#wake(ms));
  }

  #sweep(queue: Wait[]): void {
    let kept = 0;
    for (const wait of queue) if (wait.late !== undefined) queue[kept++] = wait;
    queue.length = kept;
  }

  /** Ends what is late; without anything that waits the queue goes, and its timer with it. */
  #wake(ms: number): void {
    const queue = this.#queues.get(ms) ?? [];
    const now = this.#clock.mono();
    const waiting: Wait[] = [];
    for (const wait of queue) {
      if (wait.late === undefined) continue;
      if (wait.deadline > now) waiting.push(wait);
      else {
        const { late } = wait;
        wait.late = undefined;
        late();
      }
    }
    const [first] = waiting;
    if (first === undefined) {
      this.#queues.delete(ms);
      return;
    }
    this.#queues.set(ms, waiting);
    this.#clock.at(first.deadline, () => this.#wake(ms));
  }
}
