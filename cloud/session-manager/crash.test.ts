import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { isLong } from '#test/peers.ts';
import { CONFIG, newScript, OPERATOR, scriptedServers } from '#test/support/session-farm.ts';
import { readRows, readSession } from './journal.ts';
import { sessionManager } from './server.ts';
import { fold } from './session.ts';

const CHILD = fileURLToPath(new URL('../../test/support/session-crash.ts', import.meta.url));
const CALLS = 4;

/** Runs the child until its crash point; what it acknowledged, line by line, and whether it came to its end. */
function run(path: string, crashAt: number): { said: string[][]; killed: boolean } {
  const child = spawnSync(process.execPath, [CHILD, path, String(crashAt), String(CALLS)], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  if (child.signal !== 'SIGKILL' && child.status !== 0) throw new Error(child.stderr);
  return {
    said: child.stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' ')),
    killed: child.signal === 'SIGKILL',
  };
}

/** Everything acknowledged is there, and the state beside the journal is its fold. */
async function check(store: Store, said: readonly string[][]): Promise<void> {
  for (const [word, a = '', b = ''] of said) {
    if (word === 'created') {
      const row = await store.one<{ reply: string }>('SELECT reply FROM idempotency WHERE key = ?', [a]);
      expect(row?.reply).toContain(b);
      expect(await readRows(store, b, 0, 1)).toHaveLength(1);
    }
    if (word === 'answered') {
      const rows = await readRows(store, a, 0, 100);
      expect(rows.some((row) => row.type === 'answered' && row.leg === b)).toBe(true);
    }
    if (word === 'ended') expect((await readRows(store, a, 0, 100)).at(-1)?.type).toBe('ended');
    if (word === 'billed') {
      expect(await store.one('SELECT price FROM cdr WHERE id = ?', [a])).toMatchObject({ price: Number(b) });
    }
  }
  for (const { id, state } of await store.all<{ id: string; state: string }>('SELECT id, state FROM session')) {
    const folded = fold(await readRows(store, id, 0, 1000));
    expect(folded?.state === 'ended').toBe(state === 'ended');
    expect(JSON.parse(JSON.stringify(await readSession(store, id)))).toEqual(JSON.parse(JSON.stringify(folded)));
  }
}

/** After a restart every session ends or goes on, with one record per leg, and the balance is what the records say. */
async function recover(store: Store): Promise<void> {
  const world = new VirtualWorld({ seed: 1 });
  const host = world.host('cloud', ['10.0.0.1']);
  const bus = createBus({ log: host.log, clock: host.clock });
  scriptedServers(bus, newScript(), host);
  const context = { world: host, bus, store, config: CONFIG };
  const parts = [await billing.start(context), await qos.start(context), await sessionManager.start(context)];
  await world.run(120_000);
  const list = await world.settle(bus.request('session.list', { live: true }, OPERATOR));
  expect(list.ok && list.value.items).toEqual([]);
  for (const part of parts.toReversed()) await part.stop();
  world[Symbol.dispose]();
  const sessions = await store.all<{ id: string }>('SELECT id FROM session');
  const legs = (await Promise.all(sessions.map(({ id }) => readSession(store, id)))).flatMap(
    (state) => state?.legs ?? [],
  );
  const cdrs = await store.all<{ leg: string; price: number; payer: string | null }>(
    'SELECT leg, price, payer FROM cdr',
  );
  expect(cdrs.map((cdr) => cdr.leg).toSorted()).toEqual(legs.map((leg) => leg.id).toSorted());
  const spent = cdrs.filter((cdr) => cdr.payer === 'home_1').reduce((sum, cdr) => sum + cdr.price, 0);
  const balance = await store.one<{ balance: number }>("SELECT balance FROM balance WHERE home = 'home_1'");
  if (balance !== undefined) expect(balance.balance).toBe(1_000_000 - spent);
  expect(await store.all('SELECT n FROM outbox')).toEqual([]);
}

async function crashAt(point: number): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-crash-'));
  try {
    const path = join(folder, 'data.db');
    const { said, killed } = run(path, point);
    const store = openLocalStore(path);
    await check(store, said);
    await recover(store);
    await store.close();
    return killed;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('kill -9', () => {
  it('at none of its crash points: everything is there', async () => {
    expect(await crashAt(0)).toBe(false);
  });

  it('at ten crash points of a flow of calls: what was acknowledged is there, and is billed once', async () => {
    const points = Array.from({ length: 10 }, (_, i) => 3 + i * 5 + Math.floor(Math.random() * 5));
    let killed = 0;
    for (const point of points) if (await crashAt(point)) killed++;
    expect(killed, `crash points ${points.join(', ')}`).toBeGreaterThan(5);
  }, 120_000);

  it.runIf(isLong)(
    'at every crash point of that flow',
    async () => {
      let point = 1;
      while (await crashAt(point)) point++;
      expect(point).toBeGreaterThan(30);
    },
    1_200_000,
  );
});
