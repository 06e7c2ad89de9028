/** How many calls each line and trunk has, for their limits. */
import type { LineRow } from '#cloud/store/directory.ts';
import type { Live } from './live.ts';

export interface LineCountsOptions {
  /** The number of a line or trunk changed here. */
  readonly counted?: (id: string) => void;
  /** Its calls at other processes. */
  readonly elsewhere?: (id: string) => number;
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
