import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openWriter, StoreError } from './adapter-sqlite.ts';
import { openLocalStore } from './local.ts';
import { migrations } from './migrations.ts';
import { openStore } from './server.ts';
import { type Store, sql, sqlOne } from './store.ts';

const home = (id: string) => sql('INSERT INTO home (id, name, created_at) VALUES (?, ?, ?)', id, `name ${id}`, 1);
const count = async (store: Store) => (await store.one<{ n: number }>('SELECT COUNT(*) AS n FROM home'))?.n;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-store-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Both stores keep the same promises. */
const stores: [string, (path: string) => Promise<Store>][] = [
  ['in this thread', async (path) => openLocalStore(path)],
  ['with a writer thread', (path) => openStore(path)],
];

describe.each(stores)('the store %s', (_name, open) => {
  let store: Store;
  beforeEach(async () => {
    store = await open(join(folder, 'data.db'));
  });
  afterEach(() => store.close());

  it('reads what was committed before', async () => {
    expect(await store.commit([home('a'), home('b')])).toEqual({ ok: true });
    expect(await store.all('SELECT id, name FROM home ORDER BY id')).toMatchObject([
      { id: 'a', name: 'name a' },
      { id: 'b', name: 'name b' },
    ]);
    expect(await store.one('SELECT id FROM home WHERE id = ?', ['z'])).toBeUndefined();
  });

  it('keeps numbers, texts, octets and nothing as they are', async () => {
    const octets = new Uint8Array([0, 255, 7]);
    const row = await store.one('SELECT ? AS i, ? AS f, ? AS t, ? AS b, ? AS n', [
      2 ** 52,
      0.5,
      'é\u0000x',
      octets,
      null,
    ]);
    expect(row).toMatchObject({ i: 2 ** 52, f: 0.5, t: 'é\u0000x', n: null });
    expect(new Uint8Array(row?.b as Uint8Array)).toEqual(octets);
  });

  it('writes nothing of a commit that meets a key which exists, and names the statement', async () => {
    await store.commit([home('a')]);
    expect(await store.commit([home('b'), home('a'), home('c')])).toEqual({ ok: false, why: 'unique', statement: 1 });
    expect(await count(store)).toBe(1);
  });

  it('writes nothing of a commit that changes fewer rows than it must', async () => {
    const update = sqlOne('UPDATE home SET name = ? WHERE id = ?', 'x', 'missing');
    expect(await store.commit([home('a'), update])).toMatchObject({ ok: false, why: 'changes' });
    expect(await count(store)).toBe(0);
  });

  it('rejects wrong SQL, alone: commits beside it go through', async () => {
    const results = await Promise.allSettled([
      store.commit([home('a')]),
      store.commit([sql('INSERT INTO nowhere VALUES (1)')]),
      store.commit([home('b'), home('b')]),
      store.commit([home('c')]),
    ]);
    expect(results.map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'fulfilled']);
    expect(await count(store)).toBe(2);
  });

  it('takes an empty commit', async () => {
    expect(await store.commit([])).toEqual({ ok: true });
  });

  it('finishes what is under way before it closes, and has it when it opens again', async () => {
    const commits = Array.from({ length: 50 }, (_, i) => store.commit([home(`h${i}`)]));
    await store.close();
    expect((await Promise.all(commits)).every((one) => one.ok)).toBe(true);
    store = await open(join(folder, 'data.db'));
    expect(await count(store)).toBe(50);
  });
});

describe('the store with a writer thread', () => {
  it('groups commits of many writers and answers each in its own right', async () => {
    const store = await openStore(join(folder, 'data.db'));
    const results = await Promise.all(Array.from({ length: 6000 }, (_, i) => store.commit([home(`h${i % 3000}`)])));
    expect(results.filter((one) => one.ok)).toHaveLength(3000);
    expect(results.filter((one) => !one.ok && one.why === 'unique')).toHaveLength(3000);
    expect(await count(store)).toBe(3000);
    await store.close();
  });

  it('refuses a second process (here: a second lock) on the same data', async () => {
    const store = await openStore(join(folder, 'data.db'));
    await expect(openStore(join(folder, 'data.db'))).rejects.toThrow(/uses this data folder/);
    await store.close();
    await (await openStore(join(folder, 'data.db'))).close();
  });

  it('says why it cannot open', async () => {
    writeFileSync(join(folder, 'data.db.lock'), 'no database '.repeat(400));
    await expect(openStore(join(folder, 'data.db'))).rejects.toThrow(/not a database/);
    await expect(openStore(join(folder, 'no/such/folder/data.db'))).rejects.toThrow();
  });

  it('refuses commits after close', async () => {
    const store = await openStore(join(folder, 'data.db'));
    await store.close();
    await expect(store.commit([home('a')])).rejects.toThrow('closed');
  });
});

describe('migrations', () => {
  const path = () => join(folder, 'data.db');
  const extra = { name: '0099-extra', statements: ['CREATE TABLE extra (id TEXT PRIMARY KEY)'] };

  it('are applied once each, also the ones that are new to old data', async () => {
    openWriter(path(), migrations.slice(0, 1)).close();
    openWriter(path()).close();
    const store = openLocalStore(path(), [...migrations, extra]);
    expect((await store.all('SELECT name FROM migration')).length).toBe(migrations.length + 1);
    await store.close();
  });

  it('refuse data that a newer version wrote, with a text that says so', () => {
    openWriter(path(), [...migrations, extra]).close();
    expect(() => openWriter(path())).toThrow(StoreError);
    expect(() => openWriter(path())).toThrow(/newer Hearthline.*0099-extra/);
  });

  it('refuse data whose schema step is not ours', () => {
    openWriter(path(), [extra]).close();
    const changed = { ...extra, statements: ['CREATE TABLE extra (id TEXT)'] };
    expect(() => openWriter(path(), [changed])).toThrow(/0099-extra differs/);
  });

  it('leave nothing behind when one of them fails', () => {
    const broken = { name: '0100-broken', statements: ['CREATE TABLE half (id TEXT)', 'CREATE NONSENSE'] };
    expect(() => openWriter(path(), [extra, broken])).toThrow();
    openWriter(path(), [extra]).close();
  });

  it('say that the disk is full, and are done again once it is not', () => {
    const grow = [
      'PRAGMA max_page_count = 12',
      'CREATE TABLE big (x BLOB)',
      'INSERT INTO big VALUES (zeroblob(200000))',
    ];
    expect(() => openWriter(path(), [extra, { name: '0100-big', statements: grow }])).toThrow(/full/);
    openWriter(path(), [extra, { name: '0100-big', statements: grow.slice(1) }]).close();
  });
});
