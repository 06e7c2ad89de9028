import { describe, expect, it } from 'vitest';
import { VirtualWorld } from '#simulator/world.ts';
import { LINK_COMMITS, LINK_PATIENCE, LinkedStore, StoreDoor, type StoreMessage } from './linked.ts';
import { openLocalStore } from './local.ts';
import { type SqlValue, type Statement, sql, sqlOne } from './store.ts';

const schema = [{ name: 't', statements: ['CREATE TABLE t (id TEXT PRIMARY KEY, v BLOB)'] }];
const put = (id: string, v: SqlValue = null): Statement => sql('INSERT INTO t (id, v) VALUES (?, ?)', id, v);

function rig() {
  const world = new VirtualWorld({ seed: 1 });
  const { clock } = world.host('cloud', ['10.0.0.1']);
  const main = openLocalStore(':memory:', schema);
  const linked = new LinkedStore({ all: () => [], close: () => {} }, clock);
  let sent = 0;
  const link = (answers = true) => {
    const plain = (message: StoreMessage) => JSON.parse(JSON.stringify(message)) as StoreMessage;
    const door = new StoreDoor(main, (message) => {
      if (answers) linked.take(plain(message));
    });
    linked.attach((message) => {
      sent++;
      door.take(plain(message));
    });
  };
  return { world, main, linked, link, sent: () => sent };
}

describe('a store over a link', () => {
  it('writes all of a commit or nothing, and says why as the store itself does', async () => {
    const { main, linked, link } = rig();
    link();
    expect(await linked.commit([put('a', Uint8Array.of(0, 255)), put('b')])).toEqual({ ok: true });
    expect(await linked.commit([put('c'), put('a')])).toEqual({ ok: false, why: 'unique', statement: 1 });
    const none = await linked.commit([put('d'), sqlOne('DELETE FROM t WHERE id = ?', 'nobody')]);
    expect(none).toEqual({ ok: false, why: 'changes', statement: 1 });
    await expect(linked.commit([sql('NO SQL')])).rejects.toThrow(/syntax/);
    const rows = await main.all<{ id: string; v: Uint8Array | null }>('SELECT id, v FROM t ORDER BY id');
    expect(rows.map(({ id, v }) => [id, v && [...v]])).toEqual([
      ['a', [0, 255]],
      ['b', null],
    ]);
  });

  it('sends a text of SQL once, also over the next link', async () => {
    const { main, linked, link } = rig();
    link();
    await linked.commit([put('a')]);
    linked.detach();
    link();
    await linked.commit([put('b')]);
    expect((await main.all('SELECT id FROM t')).length).toBe(2);
  });

  it('rejects what was under way when the link broke, and keeps what came after for the next', async () => {
    const { main, linked, link } = rig();
    link(false);
    const lost = linked.commit([put('a')]);
    linked.detach();
    await expect(lost).rejects.toThrow(/broke/);
    const kept = linked.commit([put('b')]);
    link();
    expect(await kept).toEqual({ ok: true });
    expect((await main.all('SELECT id FROM t')).length).toBe(2);
  });

  it('waits so long for a link, and no longer', async () => {
    const { world, linked, link, sent } = rig();
    const outcome = linked.commit([put('a')]).catch((error: Error) => error.message);
    await world.run(LINK_PATIENCE - 1_000);
    expect(sent()).toBe(0);
    await world.run(2_000);
    expect(await outcome).toMatch(/stayed away/);
    link();
    expect(sent()).toBe(0);
  });

  it('keeps so many waiting, and refuses one more', async () => {
    const { linked, link, sent } = rig();
    const all = Array.from({ length: LINK_COMMITS }, (_none, i) => linked.commit([put(String(i))]));
    await expect(linked.commit([put('more')])).rejects.toThrow(/away/);
    link();
    await Promise.all(all);
    expect(sent()).toBe(LINK_COMMITS);
  });

  it('closes once what is under way has its answer', async () => {
    const { linked, link } = rig();
    link();
    const last = linked.commit([put('a')]);
    await linked.close();
    expect(await last).toEqual({ ok: true });
    await expect(linked.commit([put('b')])).rejects.toThrow(/closed/);
  });
});
