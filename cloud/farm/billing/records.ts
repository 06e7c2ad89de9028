/**
 * Call detail records from the journal. Billing reads the rows behind its cursor; each ended leg in them becomes one
 * record whose id is the hash of session and leg. Record, debit, release of the reservation and cursor are one commit,
 * so a leg is billed once however often its row is read.
 */

import { lineByNumber } from '#cloud/store/directory.ts';
import type { LegRecord } from '#cloud/store/leg-record.ts';
import { type SqlValue, type Statement, type Store, sql } from '#cloud/store/store.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import type { Crypto } from '#shared/kernel/world.ts';
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

/** The id of a leg's record. */
export function cdrId(crypto: Crypto, session: string, leg: string): string {
  return `cdr_${base32(crypto.hash('sha256', utf8(`${session} ${leg}`))).slice(0, 26)}`;
}

/** Makes the records of all legs that have ended since the cursor; resolves with their number. */
export async function makeRecords(store: Store, crypto: Crypto): Promise<number> {
  const rates = await readRates(store);
  let made = 0;
  for (;;) {
    const cursor = await store.one<{ position: number }>("SELECT position FROM billing_cursor WHERE name = 'journal'");
    const before = cursor?.position ?? 0;
    const rows = await store.all<{ position: number; session: string; data: string }>(
      "SELECT position, session, data FROM journal WHERE position > ? AND type IN ('leg-ended', 'ending', 'ended') ORDER BY position LIMIT ?",
      [before, ROWS_AT_ONCE],
    );
    const last = rows.at(-1);
    if (last === undefined) return made;
    const ended = new Map<string, { readonly session: string; readonly record: LegRecord }>();
    for (const { session, data } of rows) {
      const { records } = JSON.parse(data) as { records: LegRecord[] };
      for (const record of records) {
        const id = cdrId(crypto, session, record.leg);
        if (!ended.has(id)) ended.set(id, { session, record });
      }
    }
    for (const id of await billedAlready(store, [...ended.keys()])) ended.delete(id);
    const statements: Statement[] = [];
    const rateOfLeg = rater(store, rates);
    for (const [id, { session, record }] of ended) {
      statements.push(...(await billed(rateOfLeg, id, session, record)));
      made++;
    }
    statements.push({
      sql: "UPDATE billing_cursor SET position = ? WHERE name = 'journal' AND position = ?",
      params: [last.position, before],
      changes: 1,
    });
    const result = await store.commit(statements);
    if (!result.ok) return made;
  }
}

/** Ids in one question; a shorter list is padded, so that one text of SQL serves all. */
const IDS_AT_ONCE = 64;

async function billedAlready(store: Store, ids: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const places = Array.from({ length: IDS_AT_ONCE }, () => '?').join(', ');
  for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
    const some = Array.from({ length: IDS_AT_ONCE }, (_none, i) => ids[at + i] ?? '');
    for (const { id } of await store.all<{ id: string }>(`SELECT id FROM cdr WHERE id IN (${places})`, some))
      found.push(id);
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

async function billed(rateOfLeg: Rater, id: string, session: string, record: LegRecord): Promise<Statement[]> {
  const { leg, home, payer, from, to, start, answer, end, reason, verstat } = record;
  const talk = answer === undefined ? 0 : end - answer;
  const cost = payer === undefined ? 0 : price(talk, await rateOfLeg(to, payer));
  const values: SqlValue[] = [
    id,
    session,
    leg,
    home ?? null,
    payer ?? null,
    from,
    to,
    start,
    answer ?? null,
    end,
    secondsOf(talk),
    reason,
    cost,
    verstat ?? null,
  ];
  return [
    {
      sql: 'INSERT INTO cdr (id, session, leg, home, payer, party_from, party_to, start_at, answer_at, end_at, seconds, reason, price, verstat) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      params: values,
    },
    ...(cost > 0 && payer !== undefined ? [debit(payer, cost)] : []),
    ...(payer === undefined ? [] : [sql('DELETE FROM reservation WHERE session = ? AND leg = ?', session, leg)]),
  ];
}
