import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { insertRows, type JournalEntry, type JournalFact, readJournal, readSessionRows } from './journal-row.ts';
import { openLocalStore } from './local.ts';
import type { Store } from './store.ts';

let store: Store;
beforeEach(() => {
  store = openLocalStore(':memory:');
});
afterEach(() => store.close());

/** Rows of a session as a commit has them; an odd number ends legs. */
const fact = (session: string, seq: number, n: number): JournalFact => ({
  ...{ session, seq, at: 1_000 + n, type: n % 2 === 1 ? 'leg-ended' : 'ringing' },
  ...(n % 3 === 0 ? { leg: `leg_${n}`, cause: 'hangup' } : {}),
  data: n % 2 === 1 ? { records: [{ leg: `leg_${n}` }] } : { callId: `"${n}` },
});

/** Writes commits of so many rows, by turns of two sessions; gives what has to be read. */
async function write(commits: readonly (readonly number[])[]): Promise<JournalEntry[]> {
  const written: JournalEntry[] = [];
  const seqs = [0, 0];
  for (const [turn, commit] of commits.entries()) {
    const who = turn % 2;
    const rows = commit.map((n, i) => fact(`ses_${who}`, (seqs[who] ?? 0) + 1 + i, n));
    seqs[who] = (seqs[who] ?? 0) + rows.length;
    const first = written.length + 1;
    await store.commit(insertRows(rows, first));
    for (const [i, { leg = null, cause = null, ...row }] of rows.entries())
      written.push({ ...row, position: first + i, leg, cause });
  }
  return written;
}

it('is read row by row however it was written, from every place and in every portion', async () => {
  const commits = fc.array(fc.array(fc.nat(5), { minLength: 1, maxLength: 5 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(commits, fc.integer({ min: 1, max: 4 }), fc.nat(9), async (work, limit, from) => {
      const own = store;
      store = openLocalStore(':memory:');
      const all = await write(work);
      const read: JournalEntry[] = [];
      for (let more = true; more; ) {
        const page = await readJournal(store, read.at(-1)?.position ?? from, limit);
        read.push(...page.rows);
        more = page.more;
      }
      expect(read).toEqual(all.filter((row) => row.position > from));
      const session = all.filter((row) => row.session === 'ses_1' && row.seq > from);
      const some = await readSessionRows(store, 'ses_1', from, limit);
      expect(some).toEqual(session.slice(0, some.length));
      expect(some.length).toBeGreaterThanOrEqual(Math.min(limit, session.length));
      await store.close();
      store = own;
    }),
    { numRuns: 60 },
  );
});

it('stands as one row where several come together, but for the ends of legs', async () => {
  await write([[0, 2, 4, 1, 3, 2, 0]]);
  const rows = await store.all('SELECT seq, position, type FROM journal ORDER BY position');
  expect(rows).toEqual([
    { seq: 3, position: 3, type: 'several' },
    { seq: 4, position: 4, type: 'leg-ended' },
    { seq: 5, position: 5, type: 'leg-ended' },
    { seq: 7, position: 7, type: 'several' },
  ]);
});
