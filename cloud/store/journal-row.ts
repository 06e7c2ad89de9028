/**
 * Rows of the journal as they stand in the store. Several of one session that come in one commit stand there as one, with the place of the
 * last of them and a type of its own; whoever reads the journal gets each of them by itself. An end of legs always stands alone, so that it is
 * found by its type.
 */
import type { Row, SqlValue, Statement, Store } from './store.ts';

/** What a row says, before it has a place. */
export interface JournalFact {
  readonly session: string;
  readonly seq: number;
  /** Wall clock, ms. */
  readonly at: number;
  readonly type: string;
  readonly leg?: string | undefined;
  readonly cause?: string | undefined;
  readonly data: object;
}

/** A row as a reader gets it; `position` counts over all sessions. */
export interface JournalEntry {
  readonly session: string;
  readonly seq: number;
  readonly position: number;
  readonly at: number;
  readonly type: string;
  readonly leg: string | null;
  readonly cause: string | null;
  readonly data: object;
}

type Stored = Row & Omit<JournalEntry, 'data'> & { readonly data: string };

/** One of several that stand as one: type, at, leg, cause, data. */
type Part = readonly [string, number, string | null, string | null, object];

/** The type of several. */
const SEVERAL = 'several';
const COLUMNS = 'session, seq, position, at, type, leg, cause, data';
const INSERT = `INSERT INTO journal (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;

/** The statements that write rows of one session, of which the first has this position and each other the next. */
export function insertRows(rows: readonly JournalFact[], position: number): Statement[] {
  const statements: Statement[] = [];
  for (let at = 0; at < rows.length; ) {
    let end = at + 1;
    if (!endsLegs(rows[at])) while (end < rows.length && !endsLegs(rows[end])) end++;
    const last = rows[end - 1];
    if (last === undefined) break;
    const params = end - at === 1 ? alone(last, position + at) : together(rows, at, end, position);
    statements.push({ sql: INSERT, params });
    at = end;
  }
  return statements;
}

const endsLegs = (row: JournalFact | undefined): boolean => row !== undefined && 'records' in row.data;

function alone({ session, seq, at, type, leg, cause, data }: JournalFact, position: number): SqlValue[] {
  return [session, seq, position, at, type, leg ?? null, cause ?? null, JSON.stringify(data)];
}

function together(rows: readonly JournalFact[], from: number, end: number, position: number): SqlValue[] {
  const parts: Part[] = [];
  let last: JournalFact | undefined;
  for (let n = from; n < end; n++) {
    last = rows[n];
    if (last === undefined) break;
    parts.push([last.type, last.at, last.leg ?? null, last.cause ?? null, last.data]);
  }
  const { session = '', seq = 0, at = 0 } = last ?? {};
  return [session, seq, position + end - 1, at, SEVERAL, null, null, JSON.stringify(parts)];
}

/** The rows of one session after `seq`, in order: at least `limit`, where there are so many. */
export async function readSessionRows(
  store: Store,
  session: string,
  seq: number,
  limit: number,
): Promise<JournalEntry[]> {
  const stored = await store.all<Stored>(
    `SELECT ${COLUMNS} FROM journal WHERE session = ? AND seq > ? ORDER BY seq LIMIT ?`,
    [session, seq, limit],
  );
  return apart(stored).filter((row) => row.seq > seq);
}

/** The rows of all sessions behind a position, in order, of so many commits at the most; `more`: there may be others behind them. */
export async function readJournal(
  store: Store,
  position: number,
  limit: number,
): Promise<{ readonly rows: JournalEntry[]; readonly more: boolean }> {
  const stored = await store.all<Stored>(
    `SELECT ${COLUMNS} FROM journal WHERE position > ? ORDER BY position LIMIT ?`,
    [position, limit],
  );
  return { rows: apart(stored).filter((row) => row.position > position), more: stored.length === limit };
}

/** Each row by itself. */
function apart(stored: readonly Stored[]): JournalEntry[] {
  const rows: JournalEntry[] = [];
  for (const row of stored) {
    const { session, seq, position, data } = row;
    if (row.type !== SEVERAL) {
      rows.push({ ...row, data: JSON.parse(data) as object });
      continue;
    }
    const parts = JSON.parse(data) as Part[];
    const before = parts.length - 1;
    for (const [n, [type, at, leg, cause, said]] of parts.entries()) {
      const place = { seq: seq - before + n, position: position - before + n };
      rows.push({ session, ...place, at, type, leg, cause, data: said });
    }
  }
  return rows;
}
