/** Ended calls as they stand in the store, for tests of their removal. */
import { insertRows, type JournalFact } from '#cloud/store/journal-row.ts';
import { type Store, sql } from '#cloud/store/store.ts';

export const DAY = 86_400_000;

/** Calls `ses_<from>` … that began at these moments (wall clock, ms) and ended a second later: two journal rows and two records each, billed. */
export async function fill(store: Store, from: number, begun: readonly number[]): Promise<void> {
  for (const [n, at] of begun.entries()) {
    const session = `ses_${from + n}`;
    const rows: JournalFact[] = [
      { session, seq: 1, at, type: 'created', data: { kind: 'call', legs: [] } },
      { session, seq: 2, at: at + 1, type: 'ringing', data: {} },
      { session, seq: 3, at: at + 1_000, type: 'ended', cause: 'hangup', data: { records: [] } },
    ];
    await keep(store, session, at, rows, '');
    const cdr =
      "INSERT INTO cdr (id, session, leg, home, payer, party_from, party_to, start_at, end_at, seconds, reason, price) VALUES (?, ?, ?, 'home_1', 'home_1', 'a', 'b', ?, ?, 1, 'hangup', 0)";
    await store.commit(
      ['a', 'b'].map((leg) => sql(cdr, `cdr_${session}${leg}`, session, `leg_${session}${leg}`, at, at + 1_000)),
    );
  }
}

/** A session of so many rows, whose state stands beside them, as that of a long one does. */
export async function oldSession(store: Store, session: string, at: number, count: number): Promise<void> {
  const rows = Array.from(
    { length: count },
    (_none, n): JournalFact => ({ session, seq: n + 1, at, type: 'ended', data: { records: [] } }),
  );
  await keep(store, session, at, rows, '{"state":"ended"}');
}

async function keep(store: Store, session: string, at: number, rows: readonly JournalFact[], body: string) {
  const last = await store.one<{ n: number | null }>('SELECT MAX(position) AS n FROM journal');
  const first = (last?.n ?? 0) + 1;
  await store.commit([
    ...insertRows(rows, first),
    sql(
      "INSERT INTO session (id, kind, state, created_at, ended_at, body) VALUES (?, 'call', 'ended', ?, ?, ?)",
      ...[session, at, at + 1_000, body],
    ),
    sql("INSERT INTO session_home (home, session) VALUES ('home_1', ?), ('home_2', ?)", session, session),
    sql("UPDATE billing_cursor SET position = ? WHERE name = 'journal'", first + rows.length - 1),
  ]);
}
