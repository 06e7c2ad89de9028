/**
 * The journal on the store: rows, homes, outbox and idempotency key of one step go into one commit. Rows of one session are written in
 * the order of their steps, and `position` grows with every row of all sessions.
 *
 * The state of a session is the fold of its rows. A document of it is written only of a long one, so that it is read as fast as a short
 * one: it says again what the rows say, and would cost more than everything else of a call. Who reads a state takes the document, as
 * old as it is, and folds the rows behind it.
 */
import { insertRows, readSessionRows } from '#cloud/store/journal-row.ts';
import { type SqlValue, type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { BusEvents } from '#shared/protocol/events.ts';
import type { LegRecord } from '#shared/protocol/leg-record.ts';
import type { Command, JournalRow } from './events.ts';
import type { Purpose } from './live.ts';
import { apply, type SessionState } from './session.ts';

/** A command as the outbox keeps it; `n` orders the commands of all sessions. */
export interface OutboxEntry {
  readonly session: string;
  readonly n: number;
  readonly leg?: string;
  readonly purpose: Purpose;
  readonly command: Command;
}

/** What a commit's rows say of legs that ended, and where: see `session.changed` in `shared/protocol/events.ts`. */
export type Ended = NonNullable<BusEvents['session.changed']['ended']>;

export interface Journal {
  /** The statements that write a step's rows and what follows from them; `home` rows for homes not written before. */
  statements(state: SessionState, rows: readonly JournalRow[], homes: readonly string[]): Written;
  /** Gives commands their numbers and the statements that keep them. */
  outbox(session: string, sends: readonly Omit<OutboxEntry, 'session' | 'n'>[]): [OutboxEntry[], Statement[]];
}

interface Written {
  readonly statements: Statement[];
  /** To be told once they are written. */
  readonly ended: Ended | undefined;
}

/** Opens the journal: finds the last position and outbox number. */
export async function openJournal(store: Store): Promise<Journal> {
  const last = await store.one<{ position: number | null }>('SELECT MAX(position) AS position FROM journal');
  const sent = await store.one<{ n: number | null }>('SELECT MAX(n) AS n FROM outbox');
  let position = last?.position ?? 0;
  let n = sent?.n ?? 0;
  /** The last row that tells of ended legs, or one behind it. */
  let told = position;
  /** The first of so many positions in a row. */
  const place = (count: number): number => {
    const first = position + 1;
    position += count;
    return first;
  };
  return {
    statements(state, rows, homes) {
      const first = place(rows.length);
      const statements = insertRows(rows, first);
      const kept = keepState(state, rows);
      if (kept !== undefined) statements.push(kept);
      if (homes.length > 0) statements.push(keepHomes(homes, state.id));
      const ended = endedIn(rows, first, told);
      if (ended !== undefined) told = ended.position;
      return { statements, ended };
    },
    outbox(session, sends) {
      const entries = sends.map(({ leg, purpose, command }): OutboxEntry => {
        return { session, n: ++n, ...(leg === undefined ? {} : { leg }), purpose, command };
      });
      return [entries, entries.map(keepEntry)];
    },
  };
}

/** What rows from a position on say of legs that ended. */
function endedIn(rows: readonly JournalRow[], first: number, after: number): Ended | undefined {
  let ended: { after: number; position: number; records: readonly LegRecord[] } | undefined;
  for (let n = 0; n < rows.length; n++) {
    const data = rows[n]?.data;
    if (data === undefined || !('records' in data)) continue;
    const records = ended === undefined ? data.records : [...ended.records, ...data.records];
    ended = { after, position: first + n, records };
  }
  return ended;
}

function marks(count: number, row: string): string {
  return Array.from({ length: count }, () => row).join(', ');
}

function keepHomes(homes: readonly string[], session: string): Statement {
  const params: string[] = [];
  for (const home of homes) params.push(home, session);
  return { sql: INSERT_HOMES[homes.length] ?? insertHomes(homes.length), params };
}

function insertHomes(count: number): string {
  return `INSERT INTO session_home (home, session) VALUES ${marks(count, '(?, ?)')} ON CONFLICT DO NOTHING`;
}

/** The statement's text for the few homes that a call mostly has. */
const INSERT_HOMES: readonly string[] = Array.from({ length: 4 }, (_none, n) => insertHomes(n));

/** Rows of a session after which its state is written down again, so that a long one is read as fast as a short one. */
const ROWS_TO_FOLD = 64;
/** Rows of a session that one look into the store takes. */
const ROWS_AT_ONCE = 1_000;

/** Rows from which on the end of a session, or of a part of it, is written down too. */
const ROWS_TO_READ = 16;

const ENDINGS: ReadonlySet<string> = new Set(['leg-ended', 'ending', 'ended']);

/** What stands of the session beside its rows: what finds it, whether it has ended, and of a long one all of it. */
function keepState(state: SessionState, rows: readonly JournalRow[]): Statement | undefined {
  const [first] = rows;
  const { id, kind, createdAt, endedAt = null, seq } = state;
  const many = first !== undefined && Math.floor((first.seq - 1) / ROWS_TO_FOLD) < Math.floor(seq / ROWS_TO_FOLD);
  const late = seq > ROWS_TO_READ && rows.some(({ type }) => ENDINGS.has(type));
  const body = many || late ? JSON.stringify(state) : '';
  if (first?.seq === 1)
    return {
      sql: 'INSERT INTO session (id, kind, state, created_at, ended_at, body) VALUES (?, ?, ?, ?, ?, ?)',
      params: [id, kind, state.state, createdAt, endedAt, body],
    };
  if (body !== '')
    return sql('UPDATE session SET state = ?, ended_at = ?, body = ? WHERE id = ?', state.state, endedAt, body, id);
  // Whether it has ended is all that is looked for.
  if (endedAt === null) return undefined;
  return sql('UPDATE session SET state = ?, ended_at = ? WHERE id = ?', state.state, endedAt, id);
}

function keepEntry(entry: OutboxEntry): Statement {
  const { session, n, command, ...body } = entry;
  return sql(
    'INSERT INTO outbox (session, n, verb, body) VALUES (?, ?, ?, ?)',
    session,
    n,
    command.verb,
    JSON.stringify({ ...body, request: command.request }),
  );
}

/** All commands that wait, oldest first. */
export async function readOutbox(store: Store): Promise<OutboxEntry[]> {
  const rows = await store.all<{ session: string; n: number; verb: string; body: string }>(
    'SELECT session, n, verb, body FROM outbox ORDER BY n',
  );
  return rows.map(({ session, n, verb, body }) => {
    const { request, ...rest } = JSON.parse(body) as Omit<OutboxEntry, 'session' | 'n'> & { request: unknown };
    return { ...rest, session, n, command: { verb, request } as Command };
  });
}

export function forgetEntry(entry: OutboxEntry): Statement {
  return sql('DELETE FROM outbox WHERE session = ? AND n = ?', entry.session, entry.n);
}

interface Kept {
  readonly id: string;
  readonly body: string;
}

/** The state of a session: what was written down of it, and the rows behind that. */
async function stateOf(store: Store, { id, body }: Kept): Promise<SessionState | undefined> {
  let state = body === '' ? undefined : (JSON.parse(body) as SessionState);
  // Nothing comes after the end.
  while (state?.state !== 'ended') {
    const rows = await readRows(store, id, state?.seq ?? 0, ROWS_AT_ONCE);
    for (const row of rows) state = apply(state, row);
    if (rows.length < ROWS_AT_ONCE) break;
  }
  return state;
}

async function statesOf(store: Store, kept: readonly Kept[]): Promise<SessionState[]> {
  const states: SessionState[] = [];
  for (const one of kept) {
    const state = await stateOf(store, one);
    if (state !== undefined) states.push(state);
  }
  return states;
}

/** The sessions that had not ended. */
export async function readLive(store: Store): Promise<SessionState[]> {
  const rows = await store.all<Kept>("SELECT id, body FROM session WHERE state <> 'ended' ORDER BY created_at, id");
  return statesOf(store, rows);
}

export async function readSession(store: Store, id: string): Promise<SessionState | undefined> {
  const row = await store.one<Kept>('SELECT id, body FROM session WHERE id = ?', [id]);
  return row === undefined ? undefined : stateOf(store, row);
}

/** The rows of a session after `after`, oldest first, at most `limit`. */
export async function readRows(store: Store, session: string, after: number, limit: number): Promise<JournalRow[]> {
  const rows = await readSessionRows(store, session, after, limit);
  return rows.slice(0, limit).map(({ position: _, leg, cause, ...rest }) => {
    const named = { ...(leg === null ? {} : { leg }), ...(cause === null ? {} : { cause }) };
    return { ...rest, ...named } as JournalRow;
  });
}

/** What a listing wants: homes that the asker sees (`all` for an operator), living ones only, and where to go on. */
export interface ListQuery {
  readonly homes: readonly string[] | 'all';
  readonly live: boolean;
  readonly limit: number;
  /** `<createdAt>.<id>` of the last one of the page before. */
  readonly after?: string;
}

/** Sessions, newest first; one more than `limit` when there is a next page. */
export async function listSessions(store: Store, query: ListQuery): Promise<SessionState[]> {
  const where: string[] = [];
  const params: SqlValue[] = [];
  if (query.live) where.push("state <> 'ended'");
  if (query.homes !== 'all') {
    if (query.homes.length === 0) return [];
    where.push(`id IN (SELECT session FROM session_home WHERE home IN (${query.homes.map(() => '?').join(', ')}))`);
    params.push(...query.homes);
  }
  const dot = query.after?.indexOf('.') ?? -1;
  if (query.after !== undefined && dot > 0) {
    where.push('(created_at < ? OR (created_at = ? AND id < ?))');
    const at = Number(query.after.slice(0, dot)) || 0;
    params.push(at, at, query.after.slice(dot + 1));
  }
  const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
  const rows = await store.all<Kept>(
    `SELECT id, body FROM session ${filter} ORDER BY created_at DESC, id DESC LIMIT ?`,
    [...params, query.limit + 1],
  );
  return statesOf(store, rows);
}
