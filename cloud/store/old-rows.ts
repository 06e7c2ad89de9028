/**
 * Removes what is old in small commits with a rest after each, so that no call waits long on its way to the disk. A pass that is broken
 * off, by a stop or a kill, leaves nothing half: the next one goes on with what is there.
 */
import { every, sleep } from '#shared/kernel/time.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { type SqlValue, type Store, sql } from './store.ts';

/** Rows that one commit removes at the most: calls wait for it on their way to the disk. */
export const ROWS_AT_ONCE = 500;
/** Milliseconds after each commit of a pass, and after each page that it has read. */
export const REST = 100;

/** What goes of a table that grows by itself. */
export interface OldRows {
  readonly table: string;
  /** Column with its time, wall clock, ms: an index begins with it. */
  readonly age: string;
  /** Columns that name a row. */
  readonly key: readonly string[];
  /** Wall clock, ms: what is older goes. */
  readonly before: number;
  /** SQL of what has to hold besides. */
  readonly where?: string;
}

/** Removes them, the oldest first; ends early once `goesOn` says no. */
export async function removeOld(store: Store, clock: Clock, old: OldRows, goesOn: () => boolean): Promise<void> {
  const { table, age, key, before, where } = old;
  const place = [age, ...key];
  const remove = [...key.map((column) => `${column} = ?`), ...(where === undefined ? [] : [where])].join(' AND ');
  let last: readonly SqlValue[] = [];
  while (goesOn()) {
    const beyond = last.length === 0 ? '' : ` AND (${place}) > (${place.map(() => '?')})`;
    const page = await store.all(
      `SELECT ${place} FROM ${table} WHERE ${age} < ?${beyond} ORDER BY ${place} LIMIT ${ROWS_AT_ONCE}`,
      [before, ...last],
    );
    const rows = page.map((row) => place.map((column) => row[column] ?? null));
    if (rows.length > 0) {
      await store.commit(rows.map((values) => sql(`DELETE FROM ${table} WHERE ${remove}`, ...values.slice(1))));
    }
    last = rows.at(-1) ?? [];
    if (rows.length < ROWS_AT_ONCE) return;
    await sleep(clock, REST);
  }
}

/** Makes a pass every `ms` milliseconds, the first after one period and never two at once, until the returned function is called. */
export function passes(
  clock: Clock,
  ms: number,
  pass: (goesOn: () => boolean) => Promise<void>,
  background: (work: Promise<void>) => void,
): () => void {
  let running = false;
  let stopped = false;
  const stop = every(clock, ms, () => {
    if (running) return;
    running = true;
    background(
      pass(() => !stopped).finally(() => {
        running = false;
      }),
    );
  });
  return () => {
    stopped = true;
    stop();
  };
}
