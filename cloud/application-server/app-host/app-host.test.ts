/** What a cloud half can ask for, how far, and how facts are handed to it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostCrypto } from '#shared/host/crypto.ts';
import type { Manifest } from '#shared/protocol/applet-manifest.ts';
import { makePackage } from '#shared/protocol/applet-package.ts';
import { TestCloud } from '#test/api/fixture.ts';
import { signedHeaders } from '../events/signature.ts';
import { CHANCES, Courier, DONE_WITHIN, WINDOW } from './courier.ts';
import { callFunction, STORAGE_NAMES, STORAGE_VALUE, TIMERS_LIMIT } from './functions.ts';
import type { HalfFacts } from './half.ts';
import { INBOX_LIMIT } from './server.ts';

let cloud: TestCloud;
let half: HalfFacts;

beforeAll(async () => {
  cloud = await TestCloud.start();
  const home = (await cloud.call('home.create', { name: 'elm' })).id;
  const insert =
    "INSERT INTO install (id, home, app, version, consent, created_at, updated_at, created_by) VALUES ('ins_1', ?, 'x', '1.0.0', '[]', 0, 0, 'x')";
  await cloud.world.settle(cloud.store.commit([{ sql: insert, params: [home] }]));
  half = {
    install: 'ins_1',
    home,
    app: 'x',
    version: '1.0.0',
    manifest: {} as Manifest,
    consent: ['scope:lines:read', 'scope:lines:write'],
  };
});
afterAll(() => cloud.stop());

/** The answer, or the fault's code. */
async function call(name: string, input: unknown): Promise<unknown> {
  const outcome = await cloud.world.settle(callFunction(cloud.cloud.context, half, name, input));
  return outcome.ok ? outcome.value : outcome.fault.code;
}

describe('functions', () => {
  it('of the open API: within the granted scopes and the own home alone', async () => {
    expect(await call('api', { verb: 'line.list', request: { home: half.home } })).toMatchObject({ items: [] });
    const other = (await cloud.call('home.create', { name: 'oak' })).id;
    expect(await call('api', { verb: 'line.list', request: { home: other } })).toBe('not_found');
    for (const verb of [
      'home.create',
      'balance.set',
      'auth.sign-in',
      'session.events',
      'billing.reserve',
      'nonsense',
      '__proto__',
    ])
      expect([verb, await call('api', { verb, request: {} })]).toEqual([verb, 'not_permitted']);
    expect(await call('api', { verb: 'line.create', request: { home: half.home, nonsense: 1 } })).toBe('bad_request');
  });

  it('with a key have their effect once', async () => {
    const create = () => call('api', { verb: 'line.create', request: { home: half.home, name: 'Kitchen' }, key: 'k1' });
    const first = (await create()) as { id: string };
    expect(await create()).toMatchObject({ id: first.id });
    expect(await call('api', { verb: 'line.create', request: { home: half.home, name: 'Hall' }, key: 'k1' })).toBe(
      'idempotency_mismatch',
    );
    expect((await cloud.call('line.list', { home: half.home })).items).toHaveLength(1);
  });

  it('that are none, or of another form, are refused', async () => {
    for (const name of ['fs.read', 'lan.http', 'constructor', '__proto__', ''])
      expect([name, await call(name, {})]).toEqual([name, 'not_permitted']);
    for (const input of [undefined, null, 1, [], {}, { name: '' }, { name: 'x', more: 1 }])
      expect(await call('storage.get', input)).toBe('bad_request');
  });

  it(`keep ${STORAGE_NAMES} values of ${STORAGE_VALUE} characters`, async () => {
    expect(await call('storage.get', { name: 'none' })).toBeNull();
    expect(await call('storage.set', { name: 'wide', value: 'x'.repeat(STORAGE_VALUE - 1) })).toBe('too_large');
    for (let i = 0; i < STORAGE_NAMES; i++)
      expect(await call('storage.set', { name: `n${i}`, value: { i } })).toBeNull();
    expect(await call('storage.set', { name: 'one more', value: 1 })).toBe('limit_reached');
    expect(await call('storage.set', { name: 'n7', value: 'x'.repeat(STORAGE_VALUE - 2) })).toBeNull();
    expect(await call('storage.remove', { name: 'n0' })).toBeNull();
    expect(((await call('storage.list', {})) as string[]).length).toBe(STORAGE_NAMES - 1);
  });

  it(`set ${TIMERS_LIMIT} timers within 400 days`, async () => {
    const now = cloud.cloud.context.world.clock.wall();
    for (let i = 0; i < TIMERS_LIMIT; i++) expect(await call('timer.set', { name: `t${i}`, at: now + 1e9 })).toBeNull();
    expect(await call('timer.set', { name: 'more', at: now + 1e9 })).toBe('limit_reached');
    expect(await call('timer.set', { name: 't0', at: now + 401 * 86_400_000 })).toBe('bad_request');
    expect(await call('timer.set', { name: 't0', at: now, every: 999 })).toBe('bad_request');
  });

  it('of an install that is gone leave nothing behind', async () => {
    const gone = { ...half, install: 'ins_gone' };
    await cloud.world.settle(callFunction(cloud.cloud.context, gone, 'storage.set', { name: 'x', value: 1 }));
    await cloud.world.settle(callFunction(cloud.cloud.context, gone, 'timer.set', { name: 'x', at: 1 }));
    for (const table of ['install_storage', 'install_timer'])
      expect(
        (await cloud.world.settle(cloud.store.all(`SELECT * FROM ${table} WHERE install = 'ins_gone'`))).length,
      ).toBe(0);
  });
});

it(`at most ${INBOX_LIMIT} messages of applets wait for a cloud half; from elsewhere none is taken`, async () => {
  const say = (principal: { kind: 'gateway'; gateway: string; home: string }) =>
    cloud.world.settle(
      cloud.cloud.bus.request('applet.message', { install: 'ins_1', version: '1.0.0', body: 1 }, { principal }),
    );
  const own = { kind: 'gateway', gateway: 'gw_1', home: half.home } as const;
  expect(await say({ ...own, home: 'home_x' })).toMatchObject({ ok: false, fault: { code: 'not_found' } });
  for (let i = 0; i < INBOX_LIMIT; i++) expect((await say(own)).ok).toBe(true);
  expect(await say(own)).toMatchObject({ ok: false, fault: { code: 'limit_reached' } });
});

it('a message of an applet that is told twice under one key waits once', async () => {
  const idempotency = { scope: 'gw_1', key: 'same', bodyHash: 'x' };
  const principal = { kind: 'gateway', gateway: 'gw_1', home: half.home } as const;
  await cloud.world.settle(cloud.store.commit([{ sql: 'DELETE FROM install_inbox', params: [] }]));
  for (let i = 0; i < 2; i++) {
    const said = { install: 'ins_1', version: '1.0.0', body: i };
    const outcome = await cloud.world.settle(
      cloud.cloud.bus.request('applet.message', said, { principal, idempotency }),
    );
    expect(outcome.ok).toBe(true);
  }
  const rows = await cloud.world.settle(cloud.store.all<{ body: string }>('SELECT body FROM install_inbox'));
  expect(rows).toEqual([{ body: '0' }]);
});

describe('a cloud half elsewhere', () => {
  it('gets every fact signed, again with the same id while it does not answer, and then no more', async () => {
    const developer = await hostCrypto().createKey('Ed25519');
    const got: { id: string; body: Record<string, unknown>; signed: boolean }[] = [];
    let down = true;
    let secret = '';
    cloud.world.host('elsewhere', ['93.184.216.34']);
    cloud.world.serveHttp('elsewhere', '93.184.216.34:443', async ({ headers = {}, body = '' }) => {
      const id = headers['webhook-id'] ?? '';
      const at = Number(headers['webhook-timestamp']) * 1000;
      const right = signedHeaders({ crypto: hostCrypto() }, secret, { id, at, body });
      got.push({
        id,
        body: JSON.parse(body) as Record<string, unknown>,
        signed: right['webhook-signature'] === headers['webhook-signature'],
      });
      return { status: down ? 500 : 200, headers: {}, body: '' };
    });
    const manifest: Manifest = {
      format: 1,
      id: 'far-away',
      version: '1.0.0',
      name: 'Far',
      about: 'Far.',
      api: 1,
      matches: '*',
      cloud: { webhook: 'https://93.184.216.34/hook' },
      scopes: [],
      events: ['home.install.v1.*'],
      services: [],
      permissions: {},
    };
    await cloud.call('app.publish', { package: await makePackage(manifest, {}, developer, hostCrypto()) });
    secret = (await cloud.call('app.get', { app: 'far-away', version: '1.0.0' })).webhookSecret ?? '';
    const { id } = await cloud.call('install.create', {
      home: half.home,
      app: 'far-away',
      consent: ['event:home.install.v1.*'],
    });
    await cloud.world.run(5_000);
    expect((await cloud.call('install.status', { install: id })).why).toBe('it answered 500');
    down = false;
    await cloud.world.run(20_000);
    const events = got.filter(({ body }) => 'event' in body);
    expect(events.length).toBeGreaterThan(1);
    expect(new Set(events.map((one) => one.id)).size).toBe(1);
    expect(got.every(({ signed }) => signed)).toBe(true);
    const seen = got.length;
    await cloud.world.run(60_000);
    expect(got.length).toBe(seen);
    await cloud.call('install.remove', { install: id });
  });
});

describe('the courier', () => {
  const make = () => {
    const sent: { n: number }[] = [];
    const courier = new Courier(cloud.cloud.context.world.clock, (message) => sent.push(message as { n: number }) > 0);
    return { courier, sent };
  };

  it('hands out a fact once at a time, and again after the guest has ended', async () => {
    const { courier, sent } = make();
    const first = courier.give('a', { event: 1 });
    expect(courier.give('a', { event: 1 })).toBeUndefined();
    courier.ended(false);
    expect(await first).toBe('ended');
    const second = courier.give('a', { event: 1 });
    courier.done(sent.at(-1)?.n ?? 0);
    expect(await second).toBe('done');
  });

  it(`gives up on a fact after ${CHANCES} ends by the guest’s own fault, not by another’s`, async () => {
    const { courier, sent } = make();
    for (const guilty of [true, false, true]) {
      const given = courier.give('a', {});
      courier.ended(guilty);
      expect(await given).toBe('ended');
    }
    expect(await courier.give('a', {})).toBe('done');
    expect(sent).toHaveLength(3);
  });

  it(`waits ${DONE_WITHIN} ms, and is full with ${WINDOW}`, async () => {
    const { courier } = make();
    const given = Array.from({ length: WINDOW }, (_none, i) => courier.give(String(i), {}));
    expect(courier.isFull).toBe(true);
    await cloud.world.run(DONE_WITHIN + 1);
    expect(await Promise.all(given)).toEqual(given.map(() => 'done'));
    expect(courier.isFull).toBe(false);
  });
});
