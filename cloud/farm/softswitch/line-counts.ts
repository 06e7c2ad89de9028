/** How many calls each line and trunk has, for their limits. */
import type { LineRow } from '#cloud/store/directory.ts';
import type { Leases } from './fleet/leases.ts';
import type { Live } from './live.ts';

export interface LineCountsOptions {
  /** The number of a line or trunk changed here. */
  readonly counted?: (id: string) => void;
  /** Its calls at other processes. */
  readonly elsewhere?: (id: string) => number;
  /** Where several processes share its limit: see `fleet/leases.ts`. */
  readonly seats?: Pick<Leases, 'ensure' | 'fits'> | undefined;
}

export class LineCounts {
  readonly #o: LineCountsOptions;
  readonly #own = new Map<string, number>();
  /** Those without a limit: nobody else need know. */
  readonly #quiet = new Set<string>();

  constructor(options: LineCountsOptions) {
    this.#o = options;
  }

  /** At all processes. */
  of(id: string): number {
    return this.own(id) + (this.#o.elsewhere?.(id) ?? 0);
  }

  /** At this process. */
  own(id: string): number {
    return this.#own.get(id) ?? 0;
  }

  /** Sees to it that one more call of a line or trunk can begin here, if it may at all; most often there is nothing to wait for. */
  ensure(id: string, limit: number): Promise<void> | undefined {
    return this.#o.seats?.ensure(id, limit);
  }

  /** Whether one more call fits, if it begins before anything else does. */
  fits(id: string, limit: number): boolean {
    return this.#o.seats === undefined ? this.own(id) < limit : this.#o.seats.fits(id, limit);
  }

  /** One more call of a line, or of the trunk of that id. */
  add({ counted }: Pick<Live, 'counted'>, of: LineRow | string): void {
    const id = typeof of === 'string' ? of : of.id;
    counted.push(id);
    if (typeof of !== 'string' && of.class === 'unmetered') this.#quiet.add(id);
    this.#set(id, this.own(id) + 1);
  }

  /** The call is over. */
  remove({ counted }: Pick<Live, 'counted'>): void {
    for (const id of counted) this.#set(id, this.own(id) - 1);
  }

  #set(id: string, n: number): void {
    if (n > 0) this.#own.set(id, n);
    else this.#own.delete(id);
    if (!this.#quiet.has(id)) this.#o.counted?.(id);
    else if (n <= 0) this.#quiet.delete(id);
  }
}
