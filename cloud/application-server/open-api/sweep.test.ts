import { expect, test } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import { sql } from '#cloud/store/store.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { KEY_LIFE } from './once.ts';
import { SWEEP, sweep } from './sweep.ts';

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
