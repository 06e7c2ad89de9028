/**
 * Call detail records from the journal. Billing reads the rows behind its cursor; each ended leg in them becomes one
 * record under the id of its leg. Record, debit, release of the reservation and cursor are one commit,
 * so a leg is billed once however often its row is read.
 */

import { lineByNumber } from '#cloud/store/directory.ts';
import { type SqlValue, type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { LegRecord } from '#shared/protocol/leg-record.ts';
import { type Ends, Heard } from './heard.ts';
import { price, type Rate, rateOf, secondsOf } from './rating.ts';

/** Rows of the journal in one commit. */
const ROWS_AT_ONCE = 200;

export async function readRates(store: Store): Promise<Rate[]> {
  return store.all<{ prefix: string; perMinute: number; incrementS: number } & Rate>(
    'SELECT prefix, per_minute AS "perMinute", increment_s AS "incrementS" FROM rate',
  );
}

/** The rate of a destination for the home that pays. */
export async function rateFor(store: Store, rates: readonly Rate[], to: string, payer: string): Promise<Rate> {
  const line = to.startsWith('+') ? await lineByNumber(store, to) : undefined;
  return rateOf(to, payer, line?.home, rates);
}

/** The id of a leg's record: the leg's own, which no other leg has. */
export function cdrId(leg: string): string {
  return `cdr_${leg.slice(leg.indexOf('_') + 1)}`;
}

interface Ended {
  readonly session: string;
  readonly record: LegRecord;
}

/**
 * Makes the records of legs that have ended since the cursor: of those that were heard of without reading the journal, and of all others
 * where something between was not heard, or where `all` are wanted. Resolves with their number.
 */
export async function makeRecords(store: Store, heard: Heard = new Heard(), all = true): Promise<number> {
  let made = 0;
  let rate: Rater | undefined;
  const cursor = await store.one<{ position: number }>("SELECT position FROM billing_cursor WHERE name = 'journal'");
  for (let before = cursor?.position ?? 0; ; ) {
    let rows = heard.behind(before, ROWS_AT_ONCE);
    const told = rows.length > 0;
    if (!told && !all && !heard.some) return made;
    if (!told) rows = await readEnds(store, before);
    const last = rows.at(-1);
    if (last === undefined) return made;
    rate ??= rater(store, await readRates(store));
    const written = await write(store, rate, endedIn(rows), before, last.position);
    if (written === undefined) return made;
    made += written;
    before = last.position;
    if (!told && rows.length < ROWS_AT_ONCE) return made;
  }
}

/** What the journal says behind a place. */
async function readEnds(store: Store, before: number): Promise<Ends[]> {
  const rows = await store.all<{ position: number; session: string; data: string }>(
    "SELECT position, session, data FROM journal WHERE position > ? AND type IN ('leg-ended', 'ending', 'ended') ORDER BY position LIMIT ?",
    [before, ROWS_AT_ONCE],
  );
  return rows.map(({ position, session, data }) => {
    const { records } = JSON.parse(data) as { records: LegRecord[] };
    return { position, session, records };
  });
}

/** One commit: the records, and the cursor from its place to the next. How many they were; undefined where others moved it. */
async function write(
  store: Store,
  rate: Rater,
  ended: readonly Ended[],
  before: number,
  next: number,
): Promise<number | undefined> {
  const moved: Statement = {
    sql: "UPDATE billing_cursor SET position = ? WHERE name = 'journal' AND position = ?",
    params: [next, before],
    changes: 1,
  };
  const held = (await store.one('SELECT leg FROM reservation LIMIT 1')) !== undefined;
  const commit = async (some: readonly Ended[]) => store.commit([...(await billed(rate, held, some)), moved]);
  const result = await commit(ended);
  if (result.ok) return ended.length;
  if (result.why !== 'unique') return undefined;
  // A leg is hardly ever told of twice, so it is looked for only where a record stands there already.
  const fresh = await unbilled(store, ended);
  return (await commit(fresh)).ok ? fresh.length : undefined;
}

/** The legs whose ends these rows tell of, each once. */
function endedIn(rows: readonly Ends[]): Ended[] {
  const ended: Ended[] = [];
  const seen = new Map<string, string>();
  for (const { session, records } of rows) {
    for (const record of records) {
      // Legs of two sessions never have one id; if they had, each would be billed.
      if (seen.get(record.leg) === session) continue;
      seen.set(record.leg, session);
      ended.push({ session, record });
    }
  }
  return ended;
}

/** Those that have no record yet. */
async function unbilled(store: Store, ended: readonly Ended[]): Promise<Ended[]> {
  const found: Ended[] = [];
  for (const one of ended) {
    const known = await store.one('SELECT leg FROM cdr WHERE session = ? AND leg = ?', [one.session, one.record.leg]);
    if (known === undefined) found.push(one);
  }
  return found;
}

type Rater = (to: string, payer: string) => Promise<Rate>;

/** `rateFor` that looks every destination up once. */
function rater(store: Store, rates: readonly Rate[]): Rater {
  const known = new Map<string, Promise<Rate>>();
  return (to, payer) => {
    const key = `${payer} ${to}`;
    const rate = known.get(key) ?? rateFor(store, rates, to, payer);
    known.set(key, rate);
    return rate;
  };
}

/** A home that never said how it pays, pays afterwards: its balance goes below zero. */
export function debit(home: string, cost: number): Statement {
  return sql(
    "INSERT INTO balance (home, mode, balance) VALUES (?, 'postpaid', ?) ON CONFLICT (home) DO UPDATE SET balance = balance.balance + excluded.balance",
    home,
    -cost,
  );
}

/** Records that one statement writes at the most. */
const RECORDS_TO_INSERT = 16;
const COLUMNS =
  'id, session, leg, home, payer, party_from, party_to, start_at, answer_at, end_at, seconds, reason, price, verstat';
/** The statement's text by the number of records. */
const INSERTS: readonly string[] = Array.from({ length: RECORDS_TO_INSERT + 1 }, (_none, n) => {
  const row = `(${COLUMNS.replace(/\w+/g, '?')})`;
  return `INSERT INTO cdr (${COLUMNS}) VALUES ${Array.from({ length: n }, () => row).join(', ')}`;
});

/** What makes the records; `held`: there are reservations, of which those of the legs go. */
async function billed(rateOfLeg: Rater, held: boolean, ended: readonly Ended[]): Promise<Statement[]> {
  const statements: Statement[] = [];
  let values: SqlValue[] = [];
  let count = 0;
  for (const { session, record } of ended) {
    const { leg, payer, to, answer, end } = record;
    const talk = answer === undefined ? 0 : end - answer;
    const cost = payer === undefined ? 0 : price(talk, await rateOfLeg(to, payer));
    putValues(values, session, record, secondsOf(talk), cost);
    if (++count === RECORDS_TO_INSERT) {
      statements.push({ sql: INSERTS[count] ?? '', params: values });
      [values, count] = [[], 0];
    }
    if (cost > 0 && payer !== undefined) statements.push(debit(payer, cost));
    if (held && payer !== undefined)
      statements.push(sql('DELETE FROM reservation WHERE session = ? AND leg = ?', session, leg));
  }
  if (count > 0) statements.push({ sql: INSERTS[count] ?? '', params: values });
  return statements;
}

function putValues(to: SqlValue[], session: string, record: LegRecord, seconds: number, cost: number): void {
  const { leg, home, payer, from, start, answer, end, reason, verstat } = record;
  to.push(cdrId(leg), session, leg, home ?? null, payer ?? null, from, record.to, start, answer ?? null, end);
  to.push(seconds, reason, cost, verstat ?? null);
}
