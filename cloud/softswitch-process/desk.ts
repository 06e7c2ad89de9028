/**
 * Hands out the places of lines and trunks that have a limit of calls to the softswitch processes: what all hold together is never more than
 * the limit, but for calls that a process has to take whatever the limit says. Places of a process that ends are free again.
 */
import { Turns } from '#shared/kernel/turns.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';

/** Milliseconds for which a process is waited for that was asked for places. */
export const RECALL_WITHIN = 1_000;
/** Milliseconds after the start within which processes of an earlier main process say what they hold. */
export const SETTLE_WITHIN = 3_000;

export interface DeskOptions {
  readonly clock: Clock;
  /** Processes that there should be. */
  readonly count: number;
  /** Asks a process for places; it answers with `returned`. */
  readonly recall: (owner: string, n: number, id: string, needed: number) => void;
}

export class Desk {
  readonly #o: DeskOptions;
  /** Places by process and id. */
  readonly #held = new Map<string, Map<string, number>>();
  readonly #turns = new Turns();
  readonly #recalls = new Map<number, { readonly owner: string; resolve(): void }>();
  readonly #late: Timer;
  /** Gone once it is known what processes hold that were there before us. */
  #settling: Promise<void> | undefined;
  #settle: () => void = () => {};
  #next = 1;

  constructor(options: DeskOptions) {
    this.#o = options;
    const { clock } = options;
    this.#settling = new Promise((resolve) => {
      this.#settle = () => {
        this.#settling = undefined;
        this.#late.cancel();
        resolve();
      };
    });
    this.#late = clock.at(clock.mono() + SETTLE_WITHIN, () => this.#settle());
  }

  /** A process came, with what it holds already. */
  holds(owner: string, places: readonly (readonly [string, number])[]): void {
    this.#held.set(owner, new Map(places));
    if (this.#held.size >= this.#o.count) this.#settle();
  }

  /** Places for a process that has none left; 0 where all are in use. */
  async lease(owner: string, id: string, limit: number): Promise<number> {
    if (this.#settling !== undefined) await this.#settling;
    return this.#turns.run(id, async () => {
      let free = limit - this.#sum(id);
      if (free < 1) {
        await Promise.all(this.#othersWith(owner, id).map((other) => this.#recall(other, id, 1 - free)));
        free = limit - this.#sum(id);
      }
      // It may have ended meanwhile.
      if (free < 1 || !this.#held.has(owner)) return 0;
      const places = Math.min(free, Math.max(1, Math.ceil(limit / (2 * this.#o.count))));
      this.#add(owner, id, places);
      return places;
    });
  }

  /** A process gives places back; where the number is negative it took as many, whatever the limit. */
  gave(owner: string, places: readonly (readonly [string, number])[]): void {
    for (const [id, n] of places) this.#add(owner, id, -n);
  }

  returned(owner: string, n: number, id: string, places: number): void {
    this.#add(owner, id, -places);
    const recall = this.#recalls.get(n);
    if (recall?.owner === owner) recall.resolve();
  }

  /** A process has ended. */
  gone(owner: string): void {
    this.#held.delete(owner);
    for (const recall of [...this.#recalls.values()]) if (recall.owner === owner) recall.resolve();
  }

  stop(): void {
    this.#late.cancel();
  }

  #sum(id: string): number {
    let sum = 0;
    for (const places of this.#held.values()) sum += places.get(id) ?? 0;
    return sum;
  }

  #othersWith(owner: string, id: string): string[] {
    return [...this.#held].filter(([other, places]) => other !== owner && places.has(id)).map(([other]) => other);
  }

  #add(owner: string, id: string, places: number): void {
    const held = this.#held.get(owner);
    const now = (held?.get(id) ?? 0) + places;
    if (now > 0) held?.set(id, now);
    else held?.delete(id);
  }

  #recall(owner: string, id: string, needed: number): Promise<void> {
    const { clock, recall } = this.#o;
    const n = this.#next++;
    return new Promise((resolve) => {
      const late = clock.at(clock.mono() + RECALL_WITHIN, () => this.#recalls.get(n)?.resolve());
      this.#recalls.set(n, {
        owner,
        resolve: () => {
          late.cancel();
          this.#recalls.delete(n);
          resolve();
        },
      });
      recall(owner, n, id, needed);
    });
  }
}
