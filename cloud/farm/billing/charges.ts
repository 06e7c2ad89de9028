/** Takes what homes used besides calls from their balances. */
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { debit } from './records.ts';

/** Charges in one commit. */
const AT_ONCE = 500;

/** Each charge leaves with the commit that debits it, so that none is taken twice and none is forgotten. */
export async function settleCharges(store: Store): Promise<void> {
  for (;;) {
    const rows = await store.all<{ n: number; home: string; amount: number }>(
      'SELECT n, home, amount FROM charge ORDER BY n LIMIT ?',
      [AT_ONCE],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    const sums = new Map<string, number>();
    for (const { home, amount } of rows) sums.set(home, (sums.get(home) ?? 0) + amount);
    const gone: Statement = { ...sql('DELETE FROM charge WHERE n <= ?', last.n), changes: rows.length };
    const done = await store.commit([...[...sums].map(([home, sum]) => debit(home, sum)), gone]);
    if (!done.ok) return;
  }
}
