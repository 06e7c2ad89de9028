/** What may go, in which commits, and what the removal costs: by decisions alone, and by the oamp server on the virtual clock. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import { REST, ROWS_AT_ONCE } from '#cloud/store/old-rows.ts';
import { type SqlValue, type Statement, type Store, sql } from '#cloud/store/store.ts';
import { misfit } from '#shared/protocol/check.ts';
import { verbs } from '#shared/protocol/verbs/index.ts';
import { makeOamp, type OampRig } from '#test/support/oamp.ts';
import { DAY, fill, oldSession } from '#test/support/retention.ts';
import { AUDIT_KEPT, GATEWAY_IDS_KEPT, KEYS_KEPT } from './audit.ts';
import { endOf, mayGo, type Old, sessionBatches } from './retention.ts';
import { PASS_EVERY } from './retention-drive.ts';

const GATEWAY =
  "INSERT INTO gateway (id, home, key_hash, state, claimed_at) VALUES ('gw_1', 'home_1', 'k', 'paired', 0)";

const OLD: Old = {
  ...{ id: 'ses_1', kind: 'call', createdAt: 0, endedAt: 10, seq: 4, position: 40 },
  ...{ homes: 2, open: 0, told: null },
};

describe('a session', () => {
  const places = { billed: 100, newest: 200 };
  const may = (more: Partial<Old>, at = places) => mayGo({ ...OLD, ...more }, 1_000, at);

  it('goes once it is old, billed and over', () => {
    expect(may({})).toBe(true);
    expect(may({ endedAt: 1_000 })).toBe(false);
    expect(may({ endedAt: 999 })).toBe(true);
    expect(may({ position: 100 })).toBe(true);
    expect(may({ position: 101 })).toBe(false);
    expect(may({ open: 1 })).toBe(false);
    expect(may({ endedAt: null })).toBe(false);
  });

  it('stays where positions go on from its last row', () => {
    expect(may({ position: 40 }, { billed: 40, newest: 40 })).toBe(false);
    expect(may({ position: 40 }, { billed: 40, newest: 41 })).toBe(true);
  });

  it('that a gateway told stays while the gateway may tell it again', () => {
    expect(may({ kind: 'house-call', told: 39 })).toBe(false);
    expect(may({ kind: 'house-call', told: 40 })).toBe(true);
    expect(may({ kind: 'house-call', told: null })).toBe(true);
  });

  it('of which a broken-off pass took the journal goes', () => {
    expect(may({ seq: null, position: null })).toBe(true);
  });
});

it('a period is at most a hundred years', () => {
  const { request } = verbs['retention.set'];
  expect(misfit(request, { sessions: 36_500, records: 0 })).toBeUndefined();
  for (const sessions of [36_501, -1, 1.5])
    expect(misfit(request, { sessions })).toMatchObject({ code: 'bad_request' });
});

it('a period of no days is for ever', () => {
  expect(endOf(0, 5 * DAY)).toBeUndefined();
  expect(endOf(2, 5 * DAY)).toBe(3 * DAY);
});

describe('commits', () => {
  const named = (n: number, seq: number): Old => ({ ...OLD, id: `ses_${n}`, seq });

  it('hold many short sessions, and each ends once', () => {
    const batches = sessionBatches(
      Array.from({ length: 30 }, (_none, n) => named(n, 7)),
      100,
    );
    // Ten rows each: seven, two homes and the session.
    expect(batches.map(({ ended }) => ended)).toEqual([10, 10, 10]);
  });

  it('take a long journal in pieces, the session with the last', () => {
    const batches = sessionBatches([named(1, 4), named(2, 250)], 100);
    const texts = batches.map(({ statements }) => statements.map(({ sql: text, params }) => `${text} ${params}`));
    expect(texts.slice(0, 2)).toEqual([
      ['DELETE FROM journal WHERE session = ? AND seq <= ? ses_2,100'],
      ['DELETE FROM journal WHERE session = ? AND seq <= ? ses_2,200'],
    ]);
    expect(texts[2]).toHaveLength(6);
    expect(batches.map(({ ended }) => ended)).toEqual([0, 0, 2]);
  });
});

describe('the oamp server', () => {
  let rig: OampRig;
  beforeEach(async () => {
    rig = await makeOamp();
  });
  afterEach(() => rig.end());
  const count = async (table: string) =>
    (await rig.store.one<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`))?.n ?? -1;
  const days = (n: number) => rig.world.clock.wall() - n * DAY;

  it('removes sessions after 90 days and records after 400, says so, and keeps what is younger', async () => {
    await fill(rig.store, 0, [401, 399, 91, 89, 1].map(days));
    await rig.virtual.run(PASS_EVERY + 60_000);
    const left = (await rig.store.all<{ id: string }>('SELECT id FROM session ORDER BY id')).map(({ id }) => id);
    expect(left).toEqual(['ses_3', 'ses_4']);
    expect(await count('journal')).toBe(4);
    expect(await count('session_home')).toBe(4);
    expect(await count('cdr')).toBe(8);
    expect(await rig.must('retention.get', {})).toMatchObject({
      sessions: { days: 90, removed: 3, needed: 0, oldestAt: days(89) - PASS_EVERY - 60_000 },
      records: { days: 400, removed: 2 },
    });
    expect((await rig.must('retention.get', {})).database.octets).toBeGreaterThan(100_000);
  });

  it('keeps for ever what has no period, and what is left out of a change as it was', async () => {
    await fill(rig.store, 0, [5_000, 80, 1].map(days));
    await rig.must('retention.set', { sessions: 0, records: 0 });
    await rig.virtual.run(PASS_EVERY + 60_000);
    expect([await count('session'), await count('cdr')]).toEqual([3, 6]);
    expect(await rig.must('retention.set', { sessions: 70 })).toMatchObject({
      sessions: { days: 70 },
      records: { days: 0 },
    });
    await rig.virtual.run(PASS_EVERY + 60_000);
    expect([await count('session'), await count('cdr')]).toEqual([1, 6]);
  });

  it('keeps what billing has not read, however old, and says how much', async () => {
    await fill(rig.store, 0, [300, 299, 298].map(days));
    await rig.store.commit([sql("UPDATE billing_cursor SET position = 4 WHERE name = 'journal'")]);
    await rig.virtual.run(PASS_EVERY + 60_000);
    expect(await count('session')).toBe(2);
    expect((await rig.must('retention.get', {})).sessions).toMatchObject({ removed: 1, needed: 2 });
  });

  it('keeps a session that has a command, a reservation or a fact still to be told', async () => {
    await fill(rig.store, 0, [300, 299, 298, 1].map(days));
    await rig.store.commit([
      sql("INSERT INTO outbox (session, n, verb, body) VALUES ('ses_0', 1, 'channel.close', '{}')"),
      sql(
        "INSERT INTO reservation (session, leg, home, amount, per_minute, expires_at) VALUES ('ses_1', 'leg_1', 'home_1', 1, 1, 1)",
      ),
      sql("INSERT INTO spool (id, verb, body, at) VALUES ('1', 'leg.report', '{}', 0)"),
    ]);
    await rig.virtual.run(PASS_EVERY + 60_000);
    expect(await count('session')).toBe(4);
    await rig.store.commit([sql('DELETE FROM spool')]);
    await rig.virtual.run(PASS_EVERY);
    expect((await rig.store.all('SELECT id FROM session ORDER BY id')).map((row) => Object.values(row)[0])).toEqual([
      'ses_0',
      'ses_1',
      'ses_3',
    ]);
  });

  it('keeps a call of a house for a gateway that was paired alone', async () => {
    await fill(rig.store, 0, [300, 299, 1].map(days));
    await rig.store.commit([sql("UPDATE session SET kind = 'house-call'"), sql(GATEWAY)]);
    await rig.virtual.run(PASS_EVERY + 60_000);
    expect(await count('session')).toBe(3);
    await rig.store.commit([sql("UPDATE gateway SET state = 'failed'")]);
    await rig.virtual.run(PASS_EVERY);
    expect(await count('session')).toBe(1);
  });

  it('commits no more than so many rows at once, and rests in between', async () => {
    await fill(
      rig.store,
      0,
      Array.from({ length: 600 }, () => days(500)),
    );
    await oldSession(rig.store, 'ses_long', days(500), 1_800);
    await fill(rig.store, 1_000, [days(1)]);
    const sizes: number[] = [];
    const at: number[] = [];
    const commit = rig.store.commit.bind(rig.store);
    const rows = async () => (await count('session')) + (await count('session_home')) + (await count('journal'));
    rig.store.commit = async (statements) => {
      const before = (await rows()) + (await count('cdr'));
      const result = await commit(statements);
      sizes.push(before - (await rows()) - (await count('cdr')));
      if (sizes.at(-1) !== 0) at.push(rig.world.clock.mono());
      return result;
    };
    await rig.virtual.run(PASS_EVERY + 600_000);
    expect(await count('session')).toBe(1);
    expect(await count('cdr')).toBe(2);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(ROWS_AT_ONCE);
    expect(Math.max(...sizes)).toBeGreaterThan(ROWS_AT_ONCE / 4);
    expect(Math.min(...at.slice(1).map((one, n) => one - (at[n] ?? 0)))).toBeGreaterThanOrEqual(100);
  });

  it('finds what is old by an index, page by page: no history makes its looks longer', async () => {
    await fill(
      rig.store,
      0,
      // The younger the name, the older the call.
      Array.from({ length: 250 }, (_none, n) => days(300) - n * 1_000),
    );
    await rig.store.commit([sql("UPDATE session SET kind = 'house-call' WHERE id < 'ses_9'"), sql(GATEWAY)]);
    const plans = new Set<string>();
    const all = rig.store.all.bind(rig.store);
    const looks: number[] = [];
    rig.store.one = async <T extends object>(text: string, params: readonly SqlValue[] = []) =>
      (await rig.store.all<T>(text, params))[0];
    rig.store.all = async <T extends object>(text: string, params: readonly SqlValue[] = []) => {
      if (text.includes('FROM session s')) looks.push(rig.world.clock.mono());
      const plan = await all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, params);
      if (!text.includes('idempotency')) for (const { detail } of plan) plans.add(detail);
      return all<T>(text, params);
    };
    await rig.virtual.run(PASS_EVERY + 60_000);
    await rig.must('retention.get', {});
    expect(looks).toHaveLength(3);
    expect(Math.min(...looks.slice(1).map((one, n) => one - (looks[n] ?? 0)))).toBeGreaterThanOrEqual(100);
    // Of what stands for one gateway, or one setting, all is read.
    expect([...plans].filter((plan) => /TEMP B-TREE|SCAN (s|j|h|cdr|session|journal)\b/.test(plan))).toEqual([]);
    // Those of the house, which has told us nothing of its outbox: each was looked at once.
    expect(await count('session')).toBe(239);
    expect((await rig.must('retention.get', {})).sessions).toMatchObject({ removed: 11, needed: 239 });
  });

  it('is found by its place in whatever else goes every hour, and goes in small commits with rests', async () => {
    const old = days(400);
    const line = (n: number, at: number) =>
      sql(
        "INSERT INTO audit (id, seq, at, account, verb, outcome, hash) VALUES (?, ?, ?, 'a', 'v', 'ok', '')",
        ...[`aud_${n}`, n, at],
      );
    const key = (scope: string, n: number, at: number) =>
      sql("INSERT INTO idempotency (scope, key, body_hash, reply, at) VALUES (?, ?, '', '', ?)", scope, `${n}`, at);
    const many = (make: (n: number) => Statement) => Array.from({ length: 1_200 }, (_none, n) => make(n + 1));
    await rig.store.commit([...many((n) => line(n, old)), line(1_201, days(364))]);
    await rig.store.commit([...many((n) => key('gw:gw_1', n, old)), key('gw:gw_1', 0, days(29))]);
    await rig.store.commit([...many((n) => key('app', n, old)), key('app', 0, days(89))]);
    const plans = new Set<string>();
    const all = rig.store.all.bind(rig.store);
    rig.store.all = async <T extends object>(text: string, params: readonly SqlValue[] = []) => {
      for (const { detail } of await all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, params)) plans.add(detail);
      return all<T>(text, params);
    };
    const [sizes, at]: [number[], number[]] = [[], []];
    const commit = rig.store.commit.bind(rig.store);
    const rows = async () => (await count('audit')) + (await count('idempotency'));
    rig.store.commit = async (statements) => {
      const before = await rows();
      const result = await commit(statements);
      const gone = before - (await rows());
      if (gone > 0) [sizes, at].forEach((list, n) => void list.push(n === 0 ? gone : rig.world.clock.mono()));
      return result;
    };
    await rig.virtual.run(PASS_EVERY + 60_000);
    expect([await count('audit'), await count('idempotency')]).toEqual([1, 2]);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(ROWS_AT_ONCE);
    const within = at.slice(1).filter((one, n) => one - (at[n] ?? 0) < REST);
    // Each table ends with a page that is not full.
    expect(within.length).toBeLessThanOrEqual(2);
    expect([...plans].filter((plan) => /SCAN (audit|idempotency)\b(?! USING INDEX)/.test(plan))).toEqual([]);
    expect([AUDIT_KEPT, GATEWAY_IDS_KEPT, KEYS_KEPT]).toEqual([365 * DAY, 30 * DAY, 90 * DAY]);
  });

  it('takes no line from the middle of the audit trail: it stays whole where the clock went back', async () => {
    const record = (target: string) =>
      rig.virtual.settle(
        rig.bus.request(
          'audit.record',
          { account: 'a', verb: 'v', target, outcome: 'ok' },
          {
            principal: { kind: 'part', part: 'application-server' },
          },
        ),
      );
    for (const target of ['before', 'ahead', 'back', 'after']) await record(target);
    const set = (target: string, at: number) => sql('UPDATE audit SET at = ? WHERE target = ?', at, target);
    const hour = 3_600_000;
    // Their hashes cover their times: each is set as if it had been written so.
    await rig.store.commit([set('before', days(366)), set('ahead', days(364)), set('back', days(366) + hour)]);
    await rig.virtual.run(PASS_EVERY + 60_000);
    const left = await rig.store.all<{ target: string }>('SELECT target FROM audit ORDER BY seq');
    expect(left.map(({ target }) => target)).toEqual(['ahead', 'back', 'after']);
  });
});

describe('kill -9', () => {
  const CHILD = fileURLToPath(new URL('../../../test/support/retention-crash.ts', import.meta.url));

  it('at any commit of a pass leaves whole sessions, and the next pass goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'hearthline-retention-'));
    try {
      for (const point of [1, 2, 4, 7]) {
        const path = join(folder, `${point}.db`);
        const store = openLocalStore(path);
        await fill(
          store,
          0,
          Array.from({ length: 80 }, (_none, n) => n * 1_000),
        );
        await oldSession(store, 'ses_long', 200_000, 1_200);
        await fill(store, 1_000, [600 * DAY]);
        await store.close();
        const run = (at: number) => spawnSync(process.execPath, [CHILD, path, String(at)], { encoding: 'utf8' });
        const killed = run(point);
        expect([killed.signal, killed.stderr]).toEqual(['SIGKILL', '']);
        const after = openLocalStore(path);
        await whole(after);
        await after.close();
        expect(run(0)).toMatchObject({ status: 0, stderr: '' });
        const end = openLocalStore(path);
        await whole(end);
        expect(await end.all('SELECT id FROM session')).toEqual([{ id: 'ses_1000' }]);
        expect(await end.all('SELECT DISTINCT session FROM journal')).toEqual([{ session: 'ses_1000' }]);
        expect(await end.one("SELECT removed FROM retention WHERE name = 'sessions'")).toEqual({ removed: 81 });
        await end.close();
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }, 60_000);

  /** A session that stands has its journal, or its state beside it; nothing stands of one that has gone. */
  async function whole(store: Store): Promise<void> {
    for (const table of ['journal', 'session_home'])
      expect(await store.all(`SELECT session FROM ${table} WHERE session NOT IN (SELECT id FROM session)`)).toEqual([]);
    expect(
      await store.all(
        "SELECT id FROM session s WHERE body = '' AND (SELECT COUNT(*) FROM journal j WHERE j.session = s.id) <> 2",
      ),
    ).toEqual([]);
  }
});
