/**
 * Hands facts to one guest and waits until it has dealt with them. What is on its way when the guest ends is handed out again by its
 * source, so a guest hears everything at least once, each fact under the same id.
 */
import type { Clock, Timer } from '#shared/kernel/world.ts';

/** A guest that has not said `done` after this long (ms) has had its chance. */
export const DONE_WITHIN = 60_000;
/** Facts on their way to one guest at once. */
export const WINDOW = 64;
/** A fact is not handed out again after the guest has ended itself so often while it was on its way. */
export const CHANCES = 2;

/** `done`: dealt with, or its time is over; `ended`: the guest is gone and must hear it again. */
export type Delivered = 'done' | 'ended';

interface OnTheWay {
  readonly key: string;
  readonly settle: (how: Delivered) => void;
  readonly timer: Timer;
}

/** Gives a guest a message about the fact of this key. */
export type Send = (message: { readonly n: number }, key: string) => boolean;

export class Courier {
  readonly #clock: Clock;
  readonly #send: Send;
  readonly #open = new Map<number, OnTheWay>();
  readonly #keys = new Set<string>();
  /** How often the guest has ended itself over a fact. */
  readonly #fatal = new Map<string, number>();
  #next = 1;

  /** `send` gives the guest a message; false: it will never take it. */
  constructor(clock: Clock, send: Send) {
    this.#clock = clock;
    this.#send = send;
  }

  get isFull(): boolean {
    return this.#open.size >= WINDOW;
  }

  /** Undefined where this very fact is on its way already. */
  give(key: string, fact: Readonly<Record<string, unknown>>): Promise<Delivered> | undefined {
    if (this.#keys.has(key)) return undefined;
    if ((this.#fatal.get(key) ?? 0) >= CHANCES) return Promise.resolve('done');
    const number = this.#next++;
    return new Promise((resolve) => {
      const timer = this.#clock.at(this.#clock.mono() + DONE_WITHIN, () => this.done(number));
      this.#keys.add(key);
      this.#open.set(number, { key, settle: resolve, timer });
      if (!this.#send({ n: number, ...fact }, key)) this.done(number);
    });
  }

  done(number: number): void {
    this.#end(number, 'done');
  }

  /** The guest has ended; `guilty`: by its own fault, so that what was on its way may be the cause. */
  ended(guilty: boolean): void {
    for (const [number, { key }] of [...this.#open]) {
      if (guilty) this.#fatal.set(key, (this.#fatal.get(key) ?? 0) + 1);
      this.#end(number, 'ended');
    }
  }

  #end(number: number, how: Delivered): void {
    const open = this.#open.get(number);
    if (open === undefined) return;
    open.timer.cancel();
    this.#open.delete(number);
    this.#keys.delete(open.key);
    if (how === 'done') this.#fatal.delete(open.key);
    open.settle(how);
  }
}
