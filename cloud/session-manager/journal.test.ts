import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readJournal } from '#cloud/store/journal-row.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { plan } from '#test/support/session-run.ts';
import type { JournalRow, SessionEvent } from './events.ts';
import { type Journal, listSessions, openJournal, readLive, readRows, readSession } from './journal.ts';
import { apply, fold, recordOf, type SessionState } from './session.ts';

let store: Store;
let journal: Journal;

beforeEach(async () => {
  store = openLocalStore(':memory:');
  journal = await openJournal(store);
});
afterEach(() => store.close());

/** A session that is written step by step, as the runtime does it. */
class Written {
  state: SessionState | undefined;
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }

  async write(...events: readonly SessionEvent[]): Promise<void> {
    const rows = events.map((event, i) => ({ ...event, session: this.id, seq: (this.state?.seq ?? 0) + 1 + i }));
    for (const row of rows as JournalRow[]) this.state = apply(this.state, row);
    if (this.state === undefined) throw new Error('a session begins with its first row');
    const done = await store.commit(journal.statements(this.state, rows as JournalRow[], []).statements);
    expect(done).toEqual({ ok: true });
  }

  async kept(): Promise<{ state: string; body: string } | undefined> {
    return store.one<{ state: string; body: string }>('SELECT state, body FROM session WHERE id = ?', [this.id]);
  }
}

const created: SessionEvent = {
  type: 'created',
  at: 1,
  data: { kind: 'call', request: {}, homes: ['h1'], legs: [plan('a'), plan('b')] },
};
const ringing: SessionEvent = { type: 'ringing', leg: 'b', at: 2, data: {} };
const answered: SessionEvent = { type: 'answered', leg: 'b', at: 3, data: { at: 3, also: ['a'] } };
const noted = (n: number): SessionEvent => ({ type: 'noted', leg: 'a', at: 4 + n, data: { dscp: `note ${n}` } });
const ended = (state: SessionState | undefined): SessionEvent => ({
  type: 'ended',
  at: 9,
  cause: 'hangup',
  data: { records: (state?.legs ?? []).map((leg) => recordOf(leg, 9, 'hangup')) },
});

const asJson = (value: unknown) => JSON.parse(JSON.stringify(value));

describe('the state of a session', () => {
  it('is its rows, and whether it has ended stands beside them', async () => {
    const one = new Written('ses_1');
    await one.write(created, ringing);
    expect(await one.kept()).toEqual({ state: 'created', body: '' });
    await one.write(answered);
    expect(asJson(await readSession(store, one.id))).toEqual(asJson(one.state));
    expect(asJson(await readLive(store))).toEqual([asJson(one.state)]);
    await one.write(ended(one.state));
    expect(await one.kept()).toEqual({ state: 'ended', body: '' });
    expect(await readLive(store)).toEqual([]);
    expect(asJson(await readSession(store, one.id))).toEqual(asJson(one.state));
  });

  it.each([
    [12, false],
    [13, true],
  ])('is a document from its end on where it was long: %d notes', async (notes, written) => {
    const one = new Written('ses_1');
    await one.write(created, ringing, answered);
    for (let n = 0; n < notes; n++) await one.write(noted(n));
    await one.write(ended(one.state));
    const { body = '' } = (await one.kept()) ?? {};
    expect(body !== '').toBe(written);
    if (written) expect(JSON.parse(body)).toEqual(asJson(one.state));
    expect(asJson(await readSession(store, one.id))).toEqual(asJson(one.state));
  });

  it.each([1, 4, 5, 9])('keeps the order of %d rows of one commit', async (count) => {
    const one = new Written('ses_1');
    await one.write(created, ...Array.from({ length: count - 1 }, (_none, n) => noted(n)));
    const { rows } = await readJournal(store, 0, 100);
    expect(rows.map(({ seq, position }) => [seq, position])).toEqual(
      Array.from({ length: count }, (_none, n) => [n + 1, n + 1]),
    );
    expect(asJson(await readSession(store, one.id))).toEqual(asJson(one.state));
  });

  it('is the document of an earlier moment with the rows behind it, however many there are', async () => {
    const one = new Written('ses_1');
    await one.write(created, ringing, answered);
    for (let n = 0; n < 150; n++) await one.write(noted(n));
    const { body = '' } = (await one.kept()) ?? {};
    expect((JSON.parse(body) as SessionState).seq).toBe(128);
    expect(one.state?.seq).toBe(153);
    expect(asJson(await readSession(store, one.id))).toEqual(asJson(one.state));
    expect(asJson(await readSession(store, one.id))).toEqual(asJson(fold(await readRows(store, one.id, 0, 1_000))));
  });

  it('is read for a list, the living beside those that have ended', async () => {
    const [one, two] = [new Written('ses_1'), new Written('ses_2')];
    await one.write(created, answered);
    await two.write(created);
    await two.write(ended(two.state));
    const list = (live: boolean) => listSessions(store, { homes: 'all', live, limit: 10 });
    expect((await list(false)).map(({ id, state }) => [id, state])).toEqual([
      ['ses_2', 'ended'],
      ['ses_1', 'active'],
    ]);
    expect((await list(true)).map(({ id }) => id)).toEqual(['ses_1']);
  });

  it('is refused for a session whose first row stands there already', async () => {
    await new Written('ses_1').write(created);
    const state = apply(undefined, { ...created, session: 'ses_1', seq: 1 } as JournalRow);
    if (state === undefined) throw new Error('a session begins with its first row');
    const { statements: again } = journal.statements(
      state,
      [{ ...created, session: 'ses_1', seq: 1 } as JournalRow],
      [],
    );
    expect(await store.commit(again)).toMatchObject({ ok: false, why: 'unique' });
  });
});
