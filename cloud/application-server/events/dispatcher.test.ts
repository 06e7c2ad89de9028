/** Webhooks over hours and days, on a world of their own: order, retries, death, replay, restarts. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import { eventRow, type PlatformEvent } from '#cloud/store/event-log.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { HttpReply, World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Platform, startPlatform } from '../platform.ts';
import { WAITING_LIMIT } from './dispatcher.ts';

interface Posted {
  readonly id: string;
  readonly body: string;
}

const AT = '10.0.9.9:8000';
const operator: Context = {
  principal: { kind: 'account', account: 'operator', role: 'operator', homes: 'all', scopes: 'all' },
};
let virtual: VirtualWorld;
let world: World;
let store: Store;
let bus: InProcessBus;
let platform: Platform;
let posted: Posted[];
let answer: (one: Posted) => number | Promise<number>;

beforeEach(async () => {
  virtual = new VirtualWorld({ seed: 3 });
  world = virtual.host('cloud', ['10.0.0.1']);
  store = openLocalStore(':memory:');
  posted = [];
  await store.commit([sql("INSERT INTO home (id, name, created_at) VALUES ('home_1', 'Elm', 0)")]);
  virtual.host('receiver', ['10.0.9.9']);
  virtual.serveHttp('receiver', AT, async ({ headers = {}, body = '' }): Promise<HttpReply> => {
    const one = { id: headers['webhook-id'] ?? '', body };
    const status = await answer(one);
    posted.push(one);
    return { status, headers: {}, body: '' };
  });
  start();
});
afterEach(async () => {
  await virtual.settle(platform.stop());
  virtual[Symbol.dispose]();
});

function start(): void {
  bus = createBus(world);
  platform = startPlatform({ world, bus, store, config: {} as CloudConfig });
}

type Verb = 'webhook.create' | 'webhook.get' | 'webhook.update' | 'delivery.list' | 'delivery.replay';

async function call<V extends Verb>(verb: V, request: Parameters<Platform['handlers'][V]>[0]) {
  const handler = platform.handlers[verb] as unknown as (request: unknown, asked: Context) => Promise<Outcome<V>>;
  const outcome = await virtual.settle(handler(request, operator));
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.fault));
  return outcome.value;
}

const hook = () => call('webhook.create', { home: 'home_1', url: `http://${AT}/hook` });

async function happen(event: Partial<PlatformEvent> & { readonly subject: string }): Promise<void> {
  const whole: PlatformEvent = { type: 'home.thing.v1.happened', home: 'home_1', data: {}, ...event };
  await store.commit([eventRow(world, whole)]);
  bus.publish('event.appended', {});
}

const subjects = () => posted.map((one) => (JSON.parse(one.body) as { subject: string }).subject);

describe('webhooks', () => {
  test('a failing event holds back its own session alone; all arrive in order', async () => {
    posted.length = 0;
    let down = true;
    answer = (one) => (down && one.body.includes('"a1"') ? 500 : 200);
    await hook();
    await happen({ session: 'ses_a', subject: 'a1' });
    await happen({ session: 'ses_a', subject: 'a2' });
    await happen({ session: 'ses_b', subject: 'b1' });
    await happen({ session: 'ses_b', subject: 'b2' });
    await virtual.run(1000);
    expect(subjects().filter((subject) => subject !== 'a1')).toEqual(['b1', 'b2']);
    down = false;
    await virtual.run(60_000);
    const got = subjects();
    expect(got.filter((subject) => subject.startsWith('a')).slice(-2)).toEqual(['a1', 'a2']);
    const counts = new Map(posted.map((one) => [one.id, posted.filter((two) => two.id === one.id).length]));
    expect([...counts.values()].sort()).toEqual([1, 1, 1, 2]);
  });

  test('a receiver that is down for an hour gets everything, in order per session, soon after it is back', async () => {
    answer = () => 503;
    const { id } = await hook();
    for (let n = 0; n < 60; n++) {
      await happen({ session: `ses_${n % 3}`, subject: `${n % 3}.${String(n).padStart(2, '0')}` });
      await virtual.run(60_000);
    }
    const tries = posted.length;
    expect(tries).toBeLessThan(200);
    posted.length = 0;
    answer = () => 200;
    await virtual.run(90_000);
    expect(posted).toHaveLength(60);
    for (const lane of ['0', '1', '2']) {
      const got = subjects().filter((subject) => subject.startsWith(lane));
      expect(got).toEqual([...got].sort());
    }
    expect(await call('webhook.get', { webhook: id })).toMatchObject({ pending: 0, dead: 0 });
  });

  test('after 24 hours a delivery is dead, and can be replayed with the same webhook-id', async () => {
    posted.length = 0;
    answer = () => 500;
    const { id } = await hook();
    await happen({ subject: 'late' });
    await virtual.run(24 * 3600_000 + 120_000);
    expect(await call('webhook.get', { webhook: id })).toMatchObject({ pending: 0, dead: 1 });
    const tried = new Set(posted.map((one) => one.id));
    expect(tried.size).toBe(1);
    posted.length = 0;
    answer = () => 200;
    const [dead] = (await call('delivery.list', { webhook: id, state: 'dead' })).items;
    expect(dead?.error).toBe('the receiver answered 500');
    await call('delivery.replay', { webhook: id, delivery: dead?.id ?? '' });
    await virtual.run(1000);
    expect(posted.map((one) => one.id)).toEqual([...tried]);
    expect((await call('delivery.list', { webhook: id })).items).toMatchObject([{ state: 'delivered', status: 200 }]);
  });

  test('an answer that never comes holds nobody up, and 410 pauses the webhook', async () => {
    posted.length = 0;
    answer = (one) => (one.body.includes('"slow"') ? new Promise<number>(() => {}) : 410);
    const { id } = await hook();
    await happen({ subject: 'slow' });
    await happen({ subject: 'gone' });
    await virtual.run(15_000);
    expect(await call('webhook.get', { webhook: id })).toMatchObject({ state: 'paused', pending: 2 });
    const list = (await call('delivery.list', { webhook: id })).items;
    expect(list.map((one) => one.error).sort()).toEqual(['no answer within 10 s', 'the receiver answered 410']);
    answer = () => 200;
    await call('webhook.update', { webhook: id, state: 'active' });
    await virtual.run(120_000);
    expect(await call('webhook.get', { webhook: id })).toMatchObject({ pending: 0 });
  });

  test('after a restart what waited is sent, what was sent is not, and what happened meanwhile is heard', async () => {
    answer = () => 200;
    await hook();
    await virtual.run(10);
    await happen({ subject: 'sent' });
    await virtual.run(100);
    answer = () => 500;
    await happen({ subject: 'waits' });
    await virtual.run(100);
    await virtual.settle(platform.stop());
    await happen({ subject: 'meanwhile' });
    posted.length = 0;
    answer = () => 200;
    start();
    await virtual.run(60_000);
    expect(subjects().sort()).toEqual(['meanwhile', 'waits']);
    expect(await store.one('SELECT journal, log FROM event_cursor')).toEqual({ journal: 0, log: 3 });
  });

  test(`more than ${WAITING_LIMIT} do not wait: the next is dead at once, and can be replayed`, async () => {
    answer = () => 200;
    const { id } = await hook();
    await call('webhook.update', { webhook: id, state: 'paused' });
    const many = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)';
    const now = world.clock.wall();
    await store.commit([
      sql(
        `INSERT INTO delivery (id, webhook, event, type, lane, body, state, attempts, created_at, next_at, give_up_at) ${many} SELECT 'dlv_' || i, ?, 'evt_' || i, 't', 'l' || i, '{}', 'pending', 0, ?, 0, ? FROM n`,
        ...[WAITING_LIMIT, id, now, now + 86_400_000],
      ),
    ]);
    await happen({ subject: 'too much' });
    await virtual.run(100);
    const [dead] = (await call('delivery.list', { webhook: id, state: 'dead' })).items;
    expect(dead?.error).toBe('too many deliveries wait');
    expect(await call('delivery.replay', { webhook: id, delivery: dead?.id ?? '' })).toMatchObject({
      state: 'pending',
    });
  });
});
