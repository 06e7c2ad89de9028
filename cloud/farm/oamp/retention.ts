/**
 * What is old enough to go, and in which commits. Pure. A session goes with its journal, which says all that there is of it; its records
 * stay longer. Nothing goes that something still counts on: see `mayGo`.
 */
import { ROWS_AT_ONCE } from '#cloud/store/old-rows.ts';
import { type Statement, sql } from '#cloud/store/store.ts';

const DAY = 86_400_000;

/** What has a period of its own. */
export const KINDS = ['sessions', 'records'] as const;
export type Kind = (typeof KINDS)[number];

/** Days after the end, unless the operator says otherwise. Of bills people may complain for a year, and laws differ. */
export const DAYS: Readonly<Record<Kind, number>> = { sessions: 90, records: 400 };

/** Wall clock, ms, before which what ended goes; undefined: it is kept for ever. */
export function endOf(days: number, now: number): number | undefined {
  return days === 0 ? undefined : Math.floor(now) - days * DAY;
}

/** An ended session that is old, and what decides whether it may go. */
export interface Old {
  readonly id: string;
  readonly kind: string;
  readonly createdAt: number;
  readonly endedAt: number | null;
  /** Of its last row in the journal; null where a pass that was broken off has removed them all. */
  readonly seq: number | null;
  readonly position: number | null;
  readonly homes: number;
  /** Commands or reservations of it that are still open. */
  readonly open: number;
  /** Journal position up to which no gateway of its homes repeats itself (`told.ts`); null where there is no gateway. */
  readonly told: number | null;
}

/** How far who reads the journal has come, and its end. */
export interface Places {
  readonly billed: number;
  readonly newest: number;
}

/**
 * Whether a session that ended may go. It stays while it is not billed, while something of it is open, and, told by a gateway, while that
 * gateway may tell it once more: it is by the session that the second telling is known. The journal's last row stays, for positions go
 * on from it.
 */
export function mayGo(old: Old, before: number, { billed, newest }: Places): boolean {
  if (old.endedAt === null || old.endedAt >= before || old.open > 0) return false;
  if (old.position === null) return true;
  if (old.position > billed || old.position >= newest) return false;
  return old.kind !== 'house-call' || old.told === null || old.position <= old.told;
}

/** One commit, and how many sessions or records it ends. */
export interface Batch {
  readonly statements: readonly Statement[];
  readonly ended: number;
}

/**
 * The commits that remove sessions, each of so many rows at the most. The journal of a longer one goes in several, from its beginning, and
 * the session with the last: its state stands beside the journal by then, so it is whole to who looks in between.
 */
export function sessionBatches(sessions: readonly Old[], limit = ROWS_AT_ONCE): Batch[] {
  const batches: Batch[] = [];
  let [statements, rows, ended]: [Statement[], number, number] = [[], 0, 0];
  const close = () => {
    if (statements.length > 0) batches.push({ statements, ended });
    [statements, rows, ended] = [[], 0, 0];
  };
  for (const { id, seq, homes } of sessions) {
    let left = seq ?? 0;
    for (let to = limit; left + homes + 1 > limit && left > 0; to += limit) {
      batches.push({
        statements: [sql('DELETE FROM journal WHERE session = ? AND seq <= ?', id, to)],
        ended: 0,
      });
      left = Math.max(0, left - limit);
    }
    const cost = left + homes + 1;
    if (rows + cost > limit) close();
    rows += cost;
    ended++;
    statements.push(
      sql('DELETE FROM journal WHERE session = ?', id),
      sql('DELETE FROM session_home WHERE session = ?', id),
      sql('DELETE FROM session WHERE id = ?', id),
    );
  }
  close();
  return batches;
}

/** The commit that removes records, and those of emergency calls. */
export function recordBatch(records: readonly { session: string; leg: string }[], calls: readonly string[]): Batch {
  return {
    statements: [
      ...records.map(({ session, leg }) => sql('DELETE FROM cdr WHERE session = ? AND leg = ?', session, leg)),
      ...calls.map((id) => sql('DELETE FROM emergency_call WHERE id = ?', id)),
    ],
    ended: records.length + calls.length,
  };
}
