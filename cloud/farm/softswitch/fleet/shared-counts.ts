/**
 * How many calls a line or trunk has at all softswitch processes together, as far as they have told each other: each does whenever its own
 * number changes. What two begin in one moment has not been told yet; that limits hold is the business of `leases.ts`.
 */
import type { Fleet } from '#cloud/bus/fleet.ts';
import type { Word } from './words.ts';

export interface SharedCountsOptions {
  readonly fleet: Fleet;
  /** Calls that this process has. */
  readonly own: (id: string) => number;
}

export class SharedCounts {
  readonly #o: SharedCountsOptions;
  /** By id, the numbers of the others by owner. */
  readonly #others = new Map<string, Map<string, number>>();
  /** Told and not zero. */
  readonly #told = new Set<string>();
  readonly #dirty = new Set<string>();
  #known: readonly string[] = [];
  #waiting = false;

  constructor(options: SharedCountsOptions) {
    this.#o = options;
    this.#known = options.fleet.alive();
    options.fleet.onChange(() => this.#changed());
  }

  /** Calls that the other processes have. */
  elsewhere(id: string): number {
    let sum = 0;
    for (const n of this.#others.get(id)?.values() ?? []) sum += n;
    return sum;
  }

  /** The own number changed: the others hear of it, of several changes at one time in one word. */
  changed(id: string): void {
    this.#dirty.add(id);
    if (this.#waiting) return;
    this.#waiting = true;
    void Promise.resolve().then(() => this.#tell());
  }

  hear(from: string, { of }: Extract<Word, { do: 'counts' }>): void {
    for (const [id, n] of of) {
      const owners = this.#others.get(id) ?? new Map<string, number>();
      if (n > 0) owners.set(from, n);
      else owners.delete(from);
      if (owners.size > 0) this.#others.set(id, owners);
      else this.#others.delete(id);
    }
  }

  #tell(): void {
    this.#waiting = false;
    const of = [...this.#dirty].map((id) => [id, this.#o.own(id)] as const);
    this.#dirty.clear();
    for (const [id, n] of of) {
      if (n > 0) this.#told.add(id);
      else this.#told.delete(id);
    }
    const { fleet } = this.#o;
    for (const owner of fleet.alive()) if (owner !== fleet.owner) fleet.send(owner, { do: 'counts', of });
  }

  /** Who is gone has no calls; who is new is told all of ours. */
  #changed(): void {
    const { fleet, own } = this.#o;
    const alive = fleet.alive();
    for (const owner of this.#known) {
      if (alive.includes(owner)) continue;
      for (const [id, owners] of this.#others) {
        owners.delete(owner);
        if (owners.size === 0) this.#others.delete(id);
      }
    }
    const of = [...this.#told].map((id) => [id, own(id)] as const);
    for (const owner of alive) {
      if (owner === fleet.owner || this.#known.includes(owner) || of.length === 0) continue;
      fleet.send(owner, { do: 'counts', of });
    }
    this.#known = alive;
  }
}
