import { expect, test } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import { ROWS_AT_ONCE } from '#cloud/store/old-rows.ts';
import { type SqlValue, sql } from '#cloud/store/store.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { KEY_LIFE } from './once.ts';
import { EVENTS_KEPT, SWEEP, sweep } from './sweep.ts';

test('what has run out is removed, what has not stays, gateways’ keys are left alone', async () => {
  using virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  const now = world.clock.wall();
  const key = 'INSERT INTO idempotency (scope, key, body_hash, reply, at) VALUES (?, ?, ?, ?, ?)';
  const token = 'INSERT INTO token (hash, account, role, created_at, expires_at) VALUES (?, ?, ?, 0, ?)';
  await store.commit([
    sql(key, 'http a POST /v1/homes', 'old', '', '', now - KEY_LIFE),
    sql(key, 'http a POST /v1/homes', 'young', '', '', now + SWEEP - KEY_LIFE),
    sql(key, 'gw:gw_1', 'old', '', '', now - KEY_LIFE),
    sql(token, 'over', 'acc_1', 'subscriber', now),
    sql(token, 'good', 'acc_1', 'subscriber', now + 2 * SWEEP),
    sql(token, 'operator', 'operator', 'operator', null),
  ]);
  const stop = sweep({ store, world });
  await virtual.run(SWEEP);
  const keys = async () =>
    (await store.all<{ key: string }>('SELECT key FROM idempotency ORDER BY scope, key')).map((row) => row.key);
  const tokens = async () =>
    (await store.all<{ hash: string }>('SELECT hash FROM token ORDER BY hash')).map((row) => row.hash);
  expect([await keys(), await tokens()]).toEqual([
    ['old', 'young'],
    ['good', 'operator'],
  ]);
  await virtual.run(2 * SWEEP);
  expect([await keys(), await tokens()]).toEqual([['old'], ['operator']]);
  await store.commit([sql(key, 'http a POST /v1/homes', 'stopped', '', '', 0)]);
  stop();
  await virtual.run(2 * SWEEP);
  expect(await keys()).toEqual(['old', 'stopped']);
});

test('many go in small commits, found by an index; the next pass begins when they are through, and a stop ends it in between', async () => {
  using virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  const now = world.clock.wall();
  const event = (n: number, at: number) =>
    sql("INSERT INTO event (id, type, subject, at, data) VALUES (?, 't', 's', ?, '{}')", `evt_${n}`, at);
  const delivery = (n: number, at: number) =>
    sql(
      "INSERT INTO delivery (id, webhook, event, type, lane, body, state, attempts, created_at, next_at, give_up_at) VALUES (?, 'w', ?, 't', '', '', 'done', 0, ?, 0, 0)",
      ...[`dlv_${n}`, `${n}`, at],
    );
  const many = Array.from({ length: 1_700 }, (_none, n) => n);
  // Most of them of the very same moment.
  await store.commit(many.map((n) => event(n, now - EVENTS_KEPT - (n % 3))));
  await store.commit(many.map((n) => delivery(n, now - EVENTS_KEPT - n)));
  await store.commit([event(5_000, now), delivery(5_000, now)]);
  const count = async (table: string) => (await store.all<{ n: number }>(`SELECT COUNT(*) AS n FROM ${table}`))[0]?.n;
  const plans = new Set<string>();
  const [all, commit] = [store.all.bind(store), store.commit.bind(store)];
  const sizes: number[] = [];
  const watched = {
    ...store,
    all: async <T extends object>(text: string, params: readonly SqlValue[] = []) => {
      for (const { detail } of await all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, params)) plans.add(detail);
      return all<T>(text, params);
    },
    commit: async (statements: Parameters<typeof commit>[0]) => {
      const rows = async () => ((await count('event')) ?? 0) + ((await count('delivery')) ?? 0);
      const before = await rows();
      const result = await commit(statements);
      sizes.push(before - (await rows()));
      return result;
    },
  };
  const stop = sweep({ store: watched, world });
  await virtual.run(SWEEP + 150);
  expect(await count('event')).toBe(701);
  stop();
  await virtual.run(2 * SWEEP);
  expect(await count('event')).toBe(701);
  const stopAgain = sweep({ store: watched, world });
  await virtual.run(SWEEP + 10_000);
  expect([await count('event'), await count('delivery')]).toEqual([1, 1]);
  expect(Math.max(...sizes)).toBe(ROWS_AT_ONCE);
  expect([...plans].filter((plan) => /SCAN (event|delivery)\b/.test(plan))).toEqual([]);
  stopAgain();
});
