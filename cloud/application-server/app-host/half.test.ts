/** A cloud half whose store fails: nothing is lost, what was not kept is heard again, and the log says so. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventRow } from '#cloud/store/event-log.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import type { Manifest } from '#shared/protocol/applet-manifest.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Half } from './half.ts';

const BARRED = 'home.barring.v1.started';

let world: VirtualWorld;
let cloud: World;
let store: Store;
let half: Half;
/** What the guest was told, and what the log says. */
let heard: string[];
let logged: (readonly [string, unknown])[];
/** What the store refuses now: reading or writing a table. */
let broken: RegExp | undefined;

beforeEach(async () => {
  world = new VirtualWorld({ seed: 1 });
  cloud = world.host('cloud', ['10.0.0.1']);
  const real = openLocalStore(':memory:');
  [heard, logged, broken] = [[], [], undefined];
  const refused = (text: string) => broken?.test(text) === true;
  store = {
    ...{ one: (...args) => real.one(...args), close: () => real.close() },
    all: async (text, params) => {
      if (refused(text)) throw new Error('disk');
      return real.all(text, params);
    },
    commit: async (statements) => {
      if (statements.some((one) => refused(one.sql))) throw new Error('disk');
      return real.commit(statements);
    },
  };
  await store.commit([
    sql("INSERT INTO home (id, name, created_at) VALUES ('home_1', 'elm', 0)"),
    sql(
      "INSERT INTO install (id, home, app, version, consent, created_at, updated_at, created_by) VALUES ('ins_1', 'home_1', 'x', '1.0.0', '[]', 0, 0, 'x')",
    ),
    sql("INSERT INTO install_cursor (install, journal, log) VALUES ('ins_1', 0, 0)"),
  ]);
  const facts = { install: 'ins_1', home: 'home_1', app: 'x', version: '1.0.0', consent: [] };
  const log = { ...cloud.log, error: (event: string, facts?: object) => void logged.push([event, facts]) };
  half = new Half(
    { ...facts, manifest: { events: [BARRED] } as unknown as Manifest },
    store,
    { clock: cloud.clock, log },
    ({ n }, key) => {
      heard.push(key);
      queueMicrotask(() => half.courier.done(n));
      return true;
    },
  );
  half.started();
  await world.run(10);
  heard.length = 0;
});
afterEach(() => {
  half.stop();
  world[Symbol.dispose]();
});

const rows = async (table: string) => (await store.all(`SELECT * FROM ${table}`)).length;
async function look(): Promise<void> {
  half.look();
  await world.run(10);
}

describe('what the guest has dealt with, and the store does not take', () => {
  test('a message of the applet is handed out again', async () => {
    await store.commit([
      sql("INSERT INTO install_inbox (install, gateway, body, at) VALUES ('ins_1', 'gw_1', '{}', 0)"),
    ]);
    broken = /DELETE FROM install_inbox/;
    await look();
    expect(heard).toEqual(['inbox 1']);
    expect(logged).toEqual([['app-host.not-kept', { install: 'ins_1', what: 'inbox 1', error: 'Error: disk' }]]);
    broken = undefined;
    await look();
    expect([heard, await rows('install_inbox')]).toEqual([['inbox 1', 'inbox 1'], 0]);
  });

  test('a timer rings again', async () => {
    await store.commit([sql("INSERT INTO install_timer (install, name, due_at) VALUES ('ins_1', 'tea', 5)")]);
    broken = /DELETE FROM install_timer/;
    await look();
    expect(logged).toEqual([['app-host.not-kept', { install: 'ins_1', what: 'timer tea', error: 'Error: disk' }]]);
    broken = undefined;
    await look();
    expect([heard, await rows('install_timer')]).toEqual([['timer tea 5', 'timer tea 5'], 0]);
  });

  test('an event is heard on: its place is kept with that of the next one', async () => {
    const happens = () =>
      store.commit([eventRow(cloud, { type: BARRED, home: 'home_1', subject: 'home_1', data: {} })]);
    const place = () => store.one('SELECT log FROM install_cursor');
    await happens();
    broken = /UPDATE install_cursor/;
    await look();
    expect(logged).toEqual([['app-host.not-kept', { install: 'ins_1', what: 'cursor', error: 'Error: disk' }]]);
    expect([heard.length, await place()]).toEqual([1, { log: 0 }]);
    broken = undefined;
    await happens();
    await look();
    expect([heard.length, await place()]).toEqual([2, { log: 2 }]);
  });
});

test('a look that cannot read is told, and the next one finds what waits', async () => {
  await store.commit([sql("INSERT INTO install_inbox (install, gateway, body, at) VALUES ('ins_1', 'gw_1', '{}', 0)")]);
  broken = /SELECT .* FROM install_inbox/;
  await look();
  expect(heard).toEqual([]);
  expect(logged).toEqual([['app-host.not-kept', { install: 'ins_1', what: 'what waits', error: 'Error: disk' }]]);
  broken = undefined;
  await look();
  expect([heard, await rows('install_inbox')]).toEqual([['inbox 1'], 0]);
});
