/**
 * Reading what happened: the journal of all sessions and the platform's event log, merged into one order of time. A cursor is a
 * place in both; reading goes on behind it, so that a reader that keeps its cursor misses nothing and hears nothing twice. Rows
 * of one source, hence those of one session's journal, always keep their order.
 */
import { type Fact, sessionData, wantsType } from './cloud-event.ts';
import { type JournalEntry, readJournal } from './journal-row.ts';
import type { Store } from './store.ts';

/** A place in both sources: the last position read of each. */
export interface EventCursor {
  readonly journal: number;
  readonly log: number;
}

/** Which facts a reader hears: of these homes (`all`: of every home and of the operator), types (see `wantsType`), one session. */
export interface EventFilter {
  readonly homes: readonly string[] | 'all';
  readonly types?: readonly string[];
  readonly session?: string;
}

/** A fact and the cursor behind it. */
export interface ReadFact {
  readonly fact: Fact;
  readonly cursor: EventCursor;
}

export interface EventPage {
  readonly items: readonly ReadFact[];
  /** Where to go on; behind what the filter left out as well. */
  readonly cursor: EventCursor;
  /** False: this was the newest; wait for `event.appended` or `session.changed` on the bus. */
  readonly more: boolean;
}

/** Rows of each source that one reading looks at. */
export const ROWS_AT_ONCE = 200;

interface LogRow {
  readonly position: number;
  readonly id: string;
  readonly home: string | null;
  readonly session: string | null;
  readonly type: string;
  readonly subject: string;
  readonly at: number;
  readonly data: string;
}

/** The text of a cursor; opaque to those who get it. */
export function writeCursor({ journal, log }: EventCursor): string {
  return `${journal.toString(36)}-${log.toString(36)}`;
}

/** Reads a cursor's text; undefined where it is none. */
export function readCursor(text: string): EventCursor | undefined {
  const match = /^([0-9a-z]{1,10})-([0-9a-z]{1,10})$/.exec(text);
  if (match === null) return undefined;
  return { journal: Number.parseInt(match[1] ?? '0', 36), log: Number.parseInt(match[2] ?? '0', 36) };
}

/** The place behind everything that stands in the store now. */
export async function newestCursor(store: Store): Promise<EventCursor> {
  const journal = await store.one<{ position: number | null }>('SELECT MAX(position) AS position FROM journal');
  const log = await store.one<{ position: number | null }>('SELECT MAX(position) AS position FROM event');
  return { journal: journal?.position ?? 0, log: log?.position ?? 0 };
}

/** Reads on behind a cursor. A page may be empty though more follow. */
export async function readEvents(store: Store, after: EventCursor, filter: EventFilter): Promise<EventPage> {
  const page = await readWindow(store, after);
  return { ...page, items: page.items.filter(({ fact }) => hears(filter, fact)) };
}

/** Whether a reader hears of a fact. */
export function hears({ homes, types, session }: EventFilter, fact: Fact): boolean {
  if (homes !== 'all' && !fact.homes.some((home) => homes.includes(home))) return false;
  return (session === undefined || fact.session === session) && wantsType(types, fact.type);
}

/** The next facts behind a cursor, whoever may hear of them. */
export async function readWindow(store: Store, after: EventCursor): Promise<EventPage> {
  const [log, journal] = await Promise.all([
    store.all<LogRow>('SELECT * FROM event WHERE position > ? ORDER BY position LIMIT ?', [after.log, ROWS_AT_ONCE]),
    readJournal(store, after.journal, ROWS_AT_ONCE),
  ]);
  const homes = await homesOf(store, [...new Set(journal.rows.map((row) => row.session))]);
  const items: ReadFact[] = [];
  let cursor = after;
  const next = { log: 0, journal: 0 };
  // A full page of one source says nothing about what follows it, so the other one may not run ahead.
  const full = { log: log.length === ROWS_AT_ONCE, journal: journal.more };
  for (;;) {
    const a = log[next.log];
    const b = journal.rows[next.journal];
    if ((a === undefined && full.log) || (b === undefined && full.journal)) break;
    if (a !== undefined && (b === undefined || a.at <= b.at)) {
      next.log++;
      cursor = { ...cursor, log: a.position };
      items.push({ fact: fromLog(a), cursor });
    } else if (b !== undefined) {
      next.journal++;
      cursor = { ...cursor, journal: b.position };
      items.push({ fact: fromJournal(b, homes.get(b.session) ?? []), cursor });
    } else break;
  }
  return { items, cursor, more: full.log || full.journal };
}

async function homesOf(store: Store, sessions: readonly string[]): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  if (sessions.length === 0) return found;
  // Few lengths of the list, so that few statements are prepared.
  const room = sessions.length <= 8 ? 8 : ROWS_AT_ONCE;
  const padded = Array.from({ length: room }, (_none, i) => sessions[i] ?? '');
  const rows = await store.all<{ session: string; home: string }>(
    `SELECT session, home FROM session_home WHERE session IN (${padded.map(() => '?').join(', ')}) ORDER BY home`,
    padded,
  );
  for (const { session, home } of rows) found.set(session, [...(found.get(session) ?? []), home]);
  return found;
}

function fromLog(row: LogRow): Fact {
  return {
    id: row.id,
    type: row.type,
    homes: row.home === null ? [] : [row.home],
    ...(row.session === null ? {} : { session: row.session }),
    subject: row.subject,
    at: row.at,
    data: JSON.parse(row.data),
  };
}

function fromJournal(row: JournalEntry, homes: readonly string[]): Fact {
  return {
    id: `${row.session}.${row.seq}`,
    type: `home.session.v1.${row.type}`,
    homes,
    session: row.session,
    subject: row.leg ?? row.session,
    at: row.at,
    seq: row.seq,
    data: sessionData(row),
  };
}
