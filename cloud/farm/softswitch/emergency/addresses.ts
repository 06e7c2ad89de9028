/** Addresses that held a registration lately: who calls for help from there is let through without a credential. Kept over a restart. */
import { type Store, sql } from '#cloud/store/store.ts';
import { sourceOf } from '#shared/host/sip-guard.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';

/** Milliseconds for which an address is remembered after its last registration. */
export const REMEMBERED_FOR = 86_400_000;
/** Addresses remembered at once; the one that registered longest ago is forgotten first. */
export const ADDRESSES = 20_000;
/** Milliseconds after which an address that registers again is written again. */
const WRITE_EVERY = 3_600_000;

interface Seen {
  readonly line: string;
  /** Wall clock, ms. */
  at: number;
  written: number;
}

export class Addresses {
  readonly #store: Store;
  readonly #clock: Pick<Clock, 'wall'>;
  readonly #log: Log;
  readonly #limit: number;
  readonly #seen = new Map<string, Seen>();

  constructor(store: Store, clock: Pick<Clock, 'wall'>, log: Log, limit = ADDRESSES) {
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
    const seen: Seen = { line, at: now, written };
    this.#seen.delete(address);
    this.#seen.set(address, seen);
    if (this.#seen.size > this.#limit) {
      const oldest = this.#seen.keys().next().value;
      if (oldest !== undefined) this.#seen.delete(oldest);
    }
    if (now - written < WRITE_EVERY) return;
    seen.written = now;
    const insert =
      'INSERT INTO registered_address (address, line, at) VALUES (?, ?, ?) ON CONFLICT (address) DO UPDATE SET line = excluded.line, at = excluded.at';
    this.#store
      .commit([
        sql(insert, address, line, now),
        sql('DELETE FROM registered_address WHERE at < ?', now - REMEMBERED_FOR),
      ])
      .catch((error: unknown) => this.#log.error('softswitch.address-not-kept', { error: String(error) }));
  }

  /** The line whose phone registered last from there. */
  lineOf(host: string): string | undefined {
    const seen = this.#seen.get(sourceOf(host));
    return seen === undefined || this.#clock.wall() - seen.at >= REMEMBERED_FOR ? undefined : seen.line;
  }
}
