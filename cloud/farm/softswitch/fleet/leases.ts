/**
 * The places for calls that this process may fill by itself. A line or trunk with a limit has so many places in all; the main process
 * hands them out (`cloud/softswitch-process/desk.ts`), and asks for those back that nobody uses when another process wants one. So a limit
 * is never passed by calls that begin at one moment in several processes, and a call whose place is here costs no word to anybody.
 */
import type { Fleet } from '#cloud/bus/fleet.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';

/** Lines and trunks of which places are kept; beyond it those that nobody uses go back at once. */
export const LEASES = 20_000;
/** Milliseconds between two looks for places that nobody used since the last look. */
export const SWEEP_EVERY = 30_000;

export interface LeasesOptions {
  readonly fleet: Fleet;
  readonly clock: Clock;
  /** Calls that this process has. */
  readonly own: (id: string) => number;
  /** Calls that the others said they have. */
  readonly elsewhere: (id: string) => number;
  /** Other limits than `LEASES`. */
  readonly most?: number;
}

interface Lease {
  places: number;
  /** The limit by which they were handed out. */
  limit: number;
  /** Somebody wanted one since the last look. */
  used: boolean;
}

export class Leases {
  readonly #o: LeasesOptions;
  readonly #held = new Map<string, Lease>();
  #sweeping: Timer | undefined;
  #stopped = false;

  constructor(options: LeasesOptions) {
    this.#o = options;
    options.fleet.onRecall(
      (id, needed) => this.#recalled(id, needed),
      () => [...this.#held].map(([id, { places }]) => [id, places] as const),
    );
  }

  /** Sees to it that a place is here, if there is one: nothing to wait for where it is here already. */
  ensure(id: string, limit: number): Promise<void> | undefined {
    const held = this.#held.get(id);
    if (held !== undefined) held.used = true;
    if (held?.limit === limit && this.#o.own(id) < held.places) return undefined;
    return this.#ask(id, limit);
  }

  /** Whether one more call fits, at this moment. Without the main process what the others said last has to do. */
  fits(id: string, limit: number): boolean {
    const { own, elsewhere, fleet } = this.#o;
    const mine = own(id);
    if (mine < Math.min(limit, this.#held.get(id)?.places ?? 0)) return true;
    return !fleet.linked && mine + elsewhere(id) < limit;
  }

  /** The own number changed. Calls beyond the places that are here (taken over, or for help) are told of. */
  changed(id: string): void {
    const mine = this.#o.own(id);
    const held = this.#held.get(id);
    if (mine <= (held?.places ?? 0)) return;
    this.#o.fleet.gave([[id, (held?.places ?? 0) - mine]]);
    this.#add(id, mine - (held?.places ?? 0), held?.limit ?? 0);
  }

  stop(): void {
    this.#stopped = true;
    this.#sweeping?.cancel();
  }

  async #ask(id: string, limit: number): Promise<void> {
    const { fleet, own, most = LEASES } = this.#o;
    const held = this.#held.get(id);
    if (held !== undefined && held.limit !== limit) {
      // Places of another limit are void, but for those in use.
      const unused = held.places - own(id);
      held.limit = limit;
      held.places -= unused;
      fleet.gave([[id, unused]]);
    }
    if (held === undefined && this.#held.size >= most) this.#sweep(() => true);
    const places = await fleet.lease(id, limit);
    if (places > 0) this.#add(id, places, limit);
  }

  #add(id: string, places: number, limit: number): void {
    const held = this.#held.get(id);
    if (held === undefined) this.#held.set(id, { places, limit, used: true });
    else held.places += places;
    if (!this.#stopped) this.#sweeping ??= this.#later();
  }

  /** Another process wants some: how many go back, half of what is left over at the least. */
  #recalled(id: string, needed: number): number {
    const held = this.#held.get(id);
    if (held === undefined) return 0;
    const unused = Math.max(0, held.places - this.#o.own(id));
    const back = Math.min(unused, Math.max(needed, Math.ceil(unused / 2)));
    held.places -= back;
    if (held.places === 0) this.#held.delete(id);
    return back;
  }

  #later(): Timer {
    const { clock } = this.#o;
    return clock.at(clock.mono() + SWEEP_EVERY, () => {
      this.#sweep(({ used }) => !used);
      for (const held of this.#held.values()) held.used = false;
      this.#sweeping = this.#held.size > 0 && !this.#stopped ? this.#later() : undefined;
    });
  }

  /** Gives back all places of those that have no call here. */
  #sweep(goes: (held: Lease) => boolean): void {
    const back: (readonly [string, number])[] = [];
    for (const [id, held] of this.#held) {
      if (this.#o.own(id) > 0 || !goes(held)) continue;
      this.#held.delete(id);
      back.push([id, held.places]);
    }
    if (back.length > 0) this.#o.fleet.gave(back);
  }
}
