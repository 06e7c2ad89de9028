/** Addresses that held a registration lately: who calls for help from there is let through without a credential. Kept over a restart. */
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { sourceOf } from '#shared/call/source.ts';
import type { Clock, Log, Timer } from '#shared/kernel/world.ts';

/** Milliseconds for which an address is remembered after its last registration. */
export const REMEMBERED_FOR = 86_400_000;
/** Addresses remembered at once; the one that registered longest ago is forgotten first. */
export const ADDRESSES = 20_000;
/** Milliseconds after which an address that registers again is written again. */
const WRITE_EVERY = 3_600_000;
/** Milliseconds for which what is to be written gathers: behind one address many lines may register in turn. */
const GATHER = 200;

interface Seen {
  readonly line: string;
  /** Wall clock, ms. */
  at: number;
  written: number;
}

export class Addresses {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #limit: number;
  readonly #seen = new Map<string, Seen>();
  /** Not written yet. */
  readonly #dirty = new Set<string>();
  #timer: Timer | undefined;
  /** When the old ones were removed last (wall clock, ms). */
  #swept = 0;

  constructor(store: Store, clock: Clock, log: Log, limit = ADDRESSES) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#limit = limit;
  }

  async load(): Promise<void> {
    const rows = await this.#store.all<{ address: string; line: string; at: number }>(
      'SELECT address, line, at FROM registered_address WHERE at > ? ORDER BY at DESC LIMIT ?',
      [this.#clock.wall() - REMEMBERED_FOR, this.#limit],
    );
    for (const { address, line, at } of rows.reverse()) this.#seen.set(address, { line, at, written: at });
  }

  /** A phone of the line has registered from there with its credential. */
  registered(host: string, line: string): void {
    const address = sourceOf(host);
    const now = this.#clock.wall();
    const before = this.#seen.get(address);
    const written = before?.line === line ? before.written : Number.NEGATIVE_INFINITY;
    this.#seen.delete(address);
    this.#seen.set(address, { line, at: now, written });
    if (this.#seen.size > this.#limit) {
      const oldest = this.#seen.keys().next().value;
      if (oldest !== undefined) this.#seen.delete(oldest);
    }
    if (now - written < WRITE_EVERY) return;
    this.#dirty.add(address);
    this.#timer ??= this.#clock.at(this.#clock.mono() + GATHER, () => void this.flush());
  }

  /** Writes what gathered; resolves once it is written. */
  async flush(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const insert =
      'INSERT INTO registered_address (address, line, at) VALUES (?, ?, ?) ON CONFLICT (address) DO UPDATE SET line = excluded.line, at = excluded.at';
    const statements: Statement[] = [];
    for (const address of this.#dirty) {
      const seen = this.#seen.get(address);
      if (seen === undefined) continue;
      seen.written = seen.at;
      statements.push(sql(insert, address, seen.line, seen.at));
    }
    this.#dirty.clear();
    if (statements.length === 0) return;
    const now = this.#clock.wall();
    if (now - this.#swept >= WRITE_EVERY) {
      this.#swept = now;
      statements.push(sql('DELETE FROM registered_address WHERE at < ?', now - REMEMBERED_FOR));
    }
    try {
      await this.#store.commit(statements);
    } catch (error) {
      this.#log.error('softswitch.address-not-kept', { error: String(error) });
    }
  }

  /** The line whose phone registered last from there. */
  lineOf(host: string): string | undefined {
    const seen = this.#seen.get(sourceOf(host));
    return seen === undefined || this.#clock.wall() - seen.at >= REMEMBERED_FOR ? undefined : seen.line;
  }
}
