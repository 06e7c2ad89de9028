/**
 * Removes sessions and records that are old: looks once an hour, reads a page and removes it in small commits (`cloud/store/old-rows.ts`).
 * The oamp server runs in one process alone, so nobody else removes.
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import { passes, REST, ROWS_AT_ONCE } from '#cloud/store/old-rows.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { ok } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { command, type Oamp } from './parts.ts';
import {
  type Batch,
  DAYS,
  endOf,
  KINDS,
  type Kind,
  mayGo,
  type Old,
  type Places,
  recordBatch,
  sessionBatches,
} from './retention.ts';

/** Milliseconds between two passes; the first comes after one. */
export const PASS_EVERY = 3_600_000;
/** Sessions that are looked at together: reading them keeps this thread from calls for about a millisecond. */
const SESSIONS_AT_ONCE = 100;

interface Row {
  readonly name: Kind;
  readonly days: number | null;
  readonly removed: number;
  readonly at: number | null;
}

export interface Retention {
  readonly handlers: Pick<Handlers<'oamp'>, 'retention.get' | 'retention.set'>;
  stop(): void;
}

export function driveRetention(oamp: Oamp): Retention {
  const { store, world } = oamp;
  /** Old sessions that the last pass had to leave. */
  let needed = 0;
  let stopped = false;

  async function pass(): Promise<void> {
    const rows = await readRows(store);
    const sessions = endOf(daysOf(rows, 'sessions'), world.clock.wall());
    const records = endOf(daysOf(rows, 'records'), world.clock.wall());
    needed = sessions === undefined ? 0 : await removeSessions(sessions);
    if (records !== undefined) await removeRecords(records);
  }

  /** Resolves with how many old ones are still needed. */
  async function removeSessions(before: number): Promise<number> {
    let kept = 0;
    let after = { createdAt: -1, id: '' };
    while (!stopped) {
      const places = await readPlaces(store);
      const page = await oldSessions(store, before, after);
      const going = places === undefined ? [] : page.filter((old) => mayGo(old, before, places));
      kept += page.filter(({ endedAt }) => (endedAt ?? before) < before).length - going.length;
      for (const batch of sessionBatches(going)) await remove('sessions', batch);
      const last = page.at(-1);
      if (last === undefined || page.length < SESSIONS_AT_ONCE) break;
      after = last;
      await sleep(world.clock, REST);
    }
    return kept;
  }

  async function removeRecords(before: number): Promise<void> {
    while (!stopped) {
      const records = await store.all<{ session: string; leg: string }>(
        'SELECT session, leg FROM cdr WHERE end_at < ? ORDER BY end_at LIMIT ?',
        [before, ROWS_AT_ONCE],
      );
      const calls = await store.all<{ id: string }>('SELECT id FROM emergency_call WHERE at < ? ORDER BY id LIMIT ?', [
        before,
        ROWS_AT_ONCE - records.length,
      ]);
      const batch = recordBatch(
        records,
        calls.map(({ id }) => id),
      );
      if (batch.ended === 0) return;
      await remove('records', batch);
    }
  }

  async function remove(name: Kind, { statements, ended }: Batch): Promise<void> {
    if (stopped) return;
    const count = 'UPDATE retention SET removed = removed + ?, at = ? WHERE name = ?';
    await store.commit([...statements, sql(count, ended, Math.floor(world.clock.wall()), name)]);
    await sleep(world.clock, REST);
  }

  const stopPasses = passes(world.clock, PASS_EVERY, pass, oamp.background);

  return {
    handlers: {
      'retention.get': async () => ok(await show(store, needed)),
      'retention.set': (request, context) =>
        command<'retention.set'>(oamp, context, async () => {
          const set = KINDS.filter((name) => request[name] !== undefined);
          const shown = await show(store, needed);
          const { sessions = shown.sessions.days, records = shown.records.days } = request;
          const reply = {
            ...shown,
            sessions: { ...shown.sessions, days: sessions },
            records: { ...shown.records, days: records },
          };
          const change = 'UPDATE retention SET days = ? WHERE name = ?';
          return ok({ reply, statements: set.map((name) => sql(change, request[name] ?? null, name)) });
        }),
    },
    stop() {
      stopped = true;
      stopPasses();
    },
  };
}

function readRows(store: Store): Promise<Row[]> {
  return store.all<Row>('SELECT name, days, removed, at FROM retention');
}

function daysOf(rows: readonly Row[], name: Kind): number {
  return rows.find((row) => row.name === name)?.days ?? DAYS[name];
}

/** Undefined while facts wait to be told to the session manager: they are of sessions that nobody can name yet. */
async function readPlaces(store: Store): Promise<Places | undefined> {
  if ((await store.one('SELECT id FROM spool LIMIT 1')) !== undefined) return undefined;
  const cursor = await store.one<{ position: number }>("SELECT position FROM billing_cursor WHERE name = 'journal'");
  const end = await store.one<{ position: number | null }>('SELECT MAX(position) AS position FROM journal');
  return { billed: cursor?.position ?? 0, newest: end?.position ?? 0 };
}

function oldSessions(store: Store, before: number, after: { createdAt: number; id: string }): Promise<Old[]> {
  return store.all<Old>(
    `SELECT s.id, s.kind, s.created_at AS "createdAt", s.ended_at AS "endedAt",
       (SELECT MAX(j.seq) FROM journal j WHERE j.session = s.id) AS seq,
       (SELECT j.position FROM journal j WHERE j.session = s.id ORDER BY j.seq DESC LIMIT 1) AS position,
       (SELECT COUNT(*) FROM session_home h WHERE h.session = s.id) AS homes,
       (SELECT COUNT(*) FROM outbox o WHERE o.session = s.id) + (SELECT COUNT(*) FROM reservation r WHERE r.session = s.id) AS open,
       CASE WHEN s.kind = 'house-call' THEN
         (SELECT MIN(COALESCE(t.told_position, 0)) FROM session_home h JOIN gateway g ON g.home = h.home AND g.state <> 'failed'
          LEFT JOIN gateway_told t ON t.gateway = g.id WHERE h.session = s.id) END AS told
     FROM session s WHERE s.state = 'ended' AND s.created_at < ? AND (s.created_at, s.id) > (?, ?)
     ORDER BY s.created_at, s.id LIMIT ?`,
    [before, after.createdAt, after.id, SESSIONS_AT_ONCE],
  );
}

async function show(store: Store, needed: number): Promise<VerbReply<'retention.get'>> {
  const rows = await readRows(store);
  const session = await store.one<{ at: number | null }>('SELECT MIN(created_at) AS at FROM session');
  const record = await store.one<{ at: number | null }>('SELECT MIN(end_at) AS at FROM cdr');
  const kept = (name: Kind, oldest: number | null | undefined) => {
    const row = rows.find((one) => one.name === name);
    return {
      days: daysOf(rows, name),
      removed: row?.removed ?? 0,
      ...(row?.at == null ? {} : { at: row.at }),
      ...(oldest == null ? {} : { oldestAt: oldest }),
    };
  };
  const pages = await store.one<{ octets: number; free: number }>(
    'SELECT page_count * page_size AS octets, freelist_count * page_size AS free FROM pragma_page_count, pragma_page_size, pragma_freelist_count',
  );
  return {
    sessions: { ...kept('sessions', session?.at), needed },
    records: kept('records', record?.at),
    database: pages ?? { octets: 0, free: 0 },
  };
}
