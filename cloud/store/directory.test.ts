import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import { VirtualWorld } from '#simulator/world.ts';
import {
  createToken,
  gatewayByCertificate,
  principalOfToken,
  removeToken,
  sees,
  tokenByHash,
  tokenHash,
} from './directory.ts';
import { openLocalStore } from './local.ts';
import { type Store, sql } from './store.ts';

let virtual: VirtualWorld;
let store: Store;
beforeEach(() => {
  virtual = new VirtualWorld({ seed: 1 });
  store = openLocalStore(':memory:');
});
afterEach(async () => {
  await store.close();
  virtual[Symbol.dispose]();
});

describe('tokens', () => {
  test('speak for their account until they expire or are removed, and are not kept in clear', async () => {
    const world = virtual.host('cloud', []);
    const token = await createToken(store, world, { account: 'acc_1', role: 'subscriber', lifetime: 60_000 });
    await store.commit([sql("INSERT INTO account_home (account, home) VALUES ('acc_1', 'home_1')")]);
    expect(await principalOfToken(store, world, token)).toEqual({
      kind: 'account',
      account: 'acc_1',
      role: 'subscriber',
      homes: ['home_1'],
      scopes: 'all',
    });
    expect(JSON.stringify(await store.all('SELECT * FROM token'))).not.toContain(token);
    expect(await principalOfToken(store, world, `${token}x`)).toBeUndefined();
    await virtual.run(60_000);
    expect(await principalOfToken(store, world, token)).toBeUndefined();
    const lasting = await createToken(store, world, { account: 'operator', role: 'operator' });
    expect((await principalOfToken(store, world, lasting))?.homes).toBe('all');
    const hash = tokenHash(world.crypto, lasting);
    expect((await tokenByHash(store, hash, 0))?.account).toBe('operator');
    await removeToken(store, hash);
    expect(await principalOfToken(store, world, lasting)).toBeUndefined();
  });

  test('of a technician see no home, whatever the account has', async () => {
    const world = virtual.host('cloud', []);
    await store.commit([sql("INSERT INTO account_home (account, home) VALUES ('acc_1', 'home_1')")]);
    const token = await createToken(store, world, { account: 'acc_1', role: 'technician' });
    expect((await principalOfToken(store, world, token))?.homes).toEqual([]);
  });
});

test.each<[Principal, boolean]>([
  [{ kind: 'part', part: 'qos' }, true],
  [{ kind: 'gateway', gateway: 'gw_1', home: 'home_1' }, true],
  [{ kind: 'gateway', gateway: 'gw_1', home: 'home_2' }, false],
  [{ kind: 'applicant', keyHash: 'home_1' }, false],
  [{ kind: 'account', account: 'a', role: 'operator', homes: 'all', scopes: 'all' }, true],
  [{ kind: 'account', account: 'a', role: 'technician', homes: 'all', scopes: 'all' }, false],
  [{ kind: 'account', account: 'a', role: 'subscriber', homes: 'all', scopes: 'all' }, false],
  [{ kind: 'account', account: 'a', role: 'subscriber', homes: ['home_1'], scopes: 'all' }, true],
  [{ kind: 'account', account: 'a', role: 'subscriber', homes: ['home_2'], scopes: 'all' }, false],
  [{ kind: 'account', account: 'a', role: 'subscriber', homes: [], scopes: 'all' }, false],
])('%j sees home_1: %s', (principal, seen) => {
  expect(sees(principal, 'home_1')).toBe(seen);
});

test('a certificate opens a connection by subject and serial, while its gateway is not failed', async () => {
  const insert =
    'INSERT INTO gateway (id, home, key_hash, state, certificate_serial, previous_serial, claimed_at) VALUES (?, ?, ?, ?, ?, ?, 0)';
  await store.commit([
    sql(insert, 'gw_1', 'home_1', 'k1', 'paired', 'new', 'old'),
    sql(insert, 'gw_2', 'home_1', 'k2', 'failed', 'new', null),
    sql(insert, 'gw_3', 'home_1', 'k3', 'waiting', null, null),
  ]);
  const opens = async (subject: string, serial: string) => (await gatewayByCertificate(store, subject, serial))?.id;
  expect(await opens('gw_1', 'new')).toBe('gw_1');
  expect(await opens('gw_1', 'old')).toBe('gw_1');
  expect(await opens('gw_1', 'other')).toBeUndefined();
  expect(await opens('gw_2', 'new')).toBeUndefined();
  expect(await opens('gw_3', '')).toBeUndefined();
  expect(await opens('gw_9', 'new')).toBeUndefined();
});
