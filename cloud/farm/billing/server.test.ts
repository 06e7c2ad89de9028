import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { RunningPart } from '#cloud/bus/part.ts';
import { chargeRow } from '#cloud/store/charge.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type SqlValue, type Store, sql } from '#cloud/store/store.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { BALANCE_LIMIT, setBalance } from './accounts.ts';
import { listCdrs } from './cdr-list.ts';
import { billing } from './server.ts';

let world: VirtualWorld;
let store: Store;
let bus: InProcessBus;
let part: RunningPart;
let position = 0;

const account = (role: 'operator' | 'subscriber', ...homes: string[]): Context => ({
  principal: { kind: 'account', account: 'a', role, homes: role === 'operator' ? 'all' : homes, scopes: 'all' },
});
const OPERATOR = account('operator');
const ask = <V extends VerbName>(verb: V, request: VerbRequest<V>, context = OPERATOR) =>
  world.settle(bus.request(verb, request, context));
async function get<V extends VerbName>(verb: V, request: VerbRequest<V>, context = OPERATOR): Promise<VerbReply<V>> {
  const outcome = await ask(verb, request, context);
  if (!outcome.ok) throw new Error(JSON.stringify(outcome.fault));
  return outcome.value as VerbReply<V>;
}

beforeEach(async () => {
  world = new VirtualWorld({ seed: 1 });
  const host = world.host('cloud', ['10.0.0.1']);
  store = openLocalStore(':memory:');
  bus = createBus({ log: host.log, clock: host.clock });
  position = 0;
  await store.commit([
    ...[1, 2].map((n) => sql('INSERT INTO home (id, name, created_at) VALUES (?, ?, 0)', `home_${n}`, 'h')),
    ...[1, 2].map((n) =>
      sql(
        "INSERT INTO line (id, home, number, username, class, kind, ha1_md5, ha1_sha256, created_at) VALUES (?, ?, ?, ?, 'standard', 'phone', '', '', 0)",
        `line_${n}`,
        `home_${n}`,
        `+1555010000${n}`,
        `u${n}`,
      ),
    ),
  ]);
  part = await billing.start({ world: host, bus, store, config: {} as CloudConfig });
});
afterEach(async () => {
  await part.stop();
  await store.close();
  world[Symbol.dispose]();
});

/** A row of the journal that ends legs of a session. */
function ended(session: string, legs: object[], seq = 1) {
  const records = legs.map((leg, i) => ({
    leg: `leg_${i}`,
    from: '+15550100001',
    to: '+15550100002',
    start: 1_000,
    end: 61_000,
    reason: 'hangup',
    ...leg,
  }));
  return sql(
    "INSERT INTO journal (session, seq, position, at, type, leg, cause, data) VALUES (?, ?, ?, 0, 'ended', NULL, NULL, ?)",
    session,
    seq,
    ++position,
    JSON.stringify({ records }),
  );
}
const paid = { payer: 'home_1', home: 'home_2', answer: 1_000 };
const prepaid = (add: number) => get('balance.set', { home: 'home_1', mode: 'prepaid', add });
const reserve = (leg: string, more: object = {}) =>
  ask('billing.reserve', { session: 's', leg, home: 'home_1', to: '+15550100002', pays: true, ...more });

describe('records', () => {
  it('one per leg, answered or not, only the paying one priced', async () => {
    await store.commit([ended('s1', [{ home: 'home_1' }, paid, { reason: 'callee_busy', payer: 'home_1' }])]);
    const { items } = await get('cdr.list', {});
    expect(items.map((cdr) => [cdr.leg, cdr.seconds, cdr.price, cdr.reason]).toSorted()).toEqual([
      ['leg_0', 0, 0, 'hangup'],
      ['leg_1', 60, 10_000, 'hangup'],
      ['leg_2', 0, 0, 'callee_busy'],
    ]);
    expect((await get('balance.get', { home: 'home_1' })).balance).toBe(-10_000);
  });

  it('come without any event, within five seconds', async () => {
    await world.run(1_000);
    await store.commit([ended('s1', [paid])]);
    await world.run(5_000);
    expect(await store.all('SELECT id FROM cdr')).toHaveLength(1);
  });

  it('come soon after an event, which says what the journal says', async () => {
    await world.run(1_000);
    await store.commit([ended('s1', [paid])]);
    const record = { leg: 'leg_0', from: '+1', to: '+2', start: 1_000, answer: 1_000, end: 9_000, reason: 'told' };
    bus.publish('session.changed', { session: 's1', seq: 1, ended: { after: 0, position: 1, records: [record] } });
    await world.run(100);
    expect(await store.all('SELECT id, reason FROM cdr')).toEqual([{ id: 'cdr_0', reason: 'told' }]);
    // The journal is behind the cursor, and read by nobody any more.
    expect((await get('cdr.list', {})).items).toHaveLength(1);
  });

  it('come from the journal where an event was missed', async () => {
    await world.run(1_000);
    await store.commit([ended('s1', [paid]), ended('s2', [paid])]);
    bus.publish('session.changed', { session: 's2', seq: 1, ended: { after: 1, position: 2, records: [] } });
    await world.run(100);
    expect(await store.all('SELECT session FROM cdr ORDER BY session')).toEqual([{ session: 's1' }, { session: 's2' }]);
  });

  it('a leg is billed once, even if its end stands in two rows, before and after a restart', async () => {
    await prepaid(100_000);
    await store.commit([ended('s1', [paid]), ended('s1', [paid], 2)]);
    await get('cdr.list', {});
    await store.commit([ended('s1', [paid], 3)]);
    await store.commit([sql("UPDATE billing_cursor SET position = 0 WHERE name = 'journal'")]);
    await part.stop();
    const host = world.host('cloud', ['10.0.0.1']);
    part = await billing.start({ world: host, bus, store, config: {} as CloudConfig });
    await store.commit([ended('s2', [paid])]);
    expect((await get('cdr.list', {})).items).toHaveLength(2);
    expect((await get('balance.get', { home: 'home_1' })).balance).toBe(80_000);
  });

  it('of what ended while billing was away come soon after its start', async () => {
    await part.stop();
    await store.commit([ended('s1', [paid])]);
    const host = world.host('cloud', ['10.0.0.1']);
    part = await billing.start({ world: host, bus, store, config: {} as CloudConfig });
    await world.run(100);
    expect(await store.all('SELECT id FROM cdr')).toHaveLength(1);
  });

  it('uses besides calls are taken from the balance once, whatever their number', async () => {
    await prepaid(1_000_000);
    await store.commit(Array.from({ length: 1_203 }, (_, n) => chargeRow(`home_${(n % 2) + 1}`, 100, n)));
    await Promise.all([get('balance.get', { home: 'home_1' }), get('balance.get', { home: 'home_2' })]);
    expect((await get('balance.get', { home: 'home_1' })).balance).toBe(1_000_000 - 60_200);
    expect(await get('balance.get', { home: 'home_2' })).toMatchObject({ balance: -60_100, mode: 'postpaid' });
    expect(await store.all('SELECT n FROM charge')).toEqual([]);
  });

  it('are many at once, each once, and the balance is their sum', async () => {
    const rows = Array.from({ length: 450 }, (_, n) => ended(`s${n}`, [paid]));
    await store.commit(rows);
    await get('cdr.list', {});
    expect(await store.one('SELECT COUNT(*) AS n, SUM(price) AS sum FROM cdr')).toMatchObject({
      n: 450,
      sum: 4_500_000,
    });
    expect((await get('balance.get', { home: 'home_1' })).balance).toBe(-4_500_000);
  });

  it('are listed newest end first, by page, session and home, to those concerned', async () => {
    await store.commit([
      ended('s1', [{ ...paid, end: 70_000 }]),
      ended('s2', [{ home: 'home_2', end: 80_000 }]),
      ended('s3', [{ end: 90_000 }]),
    ]);
    const sessions = async (request: object, who = OPERATOR) =>
      (await get('cdr.list', request, who)).items.map((cdr) => cdr.session);
    expect(await sessions({})).toEqual(['s3', 's2', 's1']);
    const page = await get('cdr.list', { limit: 2 });
    expect(await sessions({ limit: 2, after: page.next })).toEqual(['s1']);
    expect(await sessions({ session: 's2' })).toEqual(['s2']);
    expect(await sessions({ home: 'home_1' })).toEqual(['s1']);
    expect(await sessions({}, account('subscriber', 'home_1'))).toEqual(['s1']);
    expect(await sessions({}, account('subscriber', 'home_2'))).toEqual(['s2', 's1']);
    expect(await sessions({}, account('subscriber'))).toEqual([]);
    expect(await ask('cdr.list', { home: 'home_2' }, account('subscriber', 'home_1'))).toMatchObject({
      fault: { code: 'not_found' },
    });
  });
});

describe('reservations', () => {
  it('a home that pays afterwards reserves nothing, whatever it calls', async () => {
    expect(await reserve('l1')).toMatchObject({ value: { metered: false, reserved: 0, perMinute: 10_000 } });
    expect((await get('billing.reservation.list', {})).items).toEqual([]);
  });

  it('a prepaid home holds back five minutes, the same leg again the same', async () => {
    await prepaid(80_000);
    const first = await reserve('l1');
    expect(first).toMatchObject({ value: { metered: true, reserved: 50_000, until: 300_000 } });
    expect(await reserve('l1')).toEqual(first);
    expect(await get('balance.get', { home: 'home_1' })).toMatchObject({ balance: 80_000, reserved: 50_000 });
    expect(await reserve('l2')).toMatchObject({ value: { reserved: 30_000, until: 180_000 } });
    expect(await reserve('l3')).toMatchObject({ ok: false, fault: { code: 'insufficient_credit' } });
    await get('billing.release', { session: 's', leg: 'l1' });
    await get('billing.release', { session: 's', leg: 'l1' });
    expect(await reserve('l3')).toMatchObject({ value: { reserved: 50_000 } });
  });

  it('many at once never hold back more than there is', async () => {
    await prepaid(120_000);
    const replies = await Promise.all(Array.from({ length: 10 }, (_, n) => reserve(`l${n}`)));
    expect(replies.filter((one) => one.ok)).toHaveLength(3);
    expect((await get('balance.get', { home: 'home_1' })).reserved).toBe(120_000);
  });

  it('free calls need no money', async () => {
    await prepaid(0);
    for (const to of ['+15550100001', 'room', '700']) {
      expect(await reserve('l1', { to })).toMatchObject({ value: { metered: false } });
    }
    expect(await reserve('l1', { pays: false })).toMatchObject({ value: { metered: false, perMinute: 0 } });
  });

  it('are extended with the talk as far as the money goes, and then no further', async () => {
    await prepaid(70_000);
    await reserve('l1');
    expect(await reserve('l1', { talked: 60_000 })).toMatchObject({ value: { reserved: 60_000, until: 360_000 } });
    expect(await reserve('l1', { talked: 300_000 })).toMatchObject({ value: { reserved: 70_000, until: 420_000 } });
    expect(await reserve('l1', { talked: 420_000 })).toMatchObject({ value: { reserved: 70_000, until: 420_000 } });
  });

  it('are given back when nobody extends or releases them', async () => {
    await prepaid(50_000);
    await reserve('l1');
    await world.run(300_000);
    expect((await get('balance.get', { home: 'home_1' })).reserved).toBe(50_000);
    await world.run(200_000);
    expect((await get('balance.get', { home: 'home_1' })).reserved).toBe(0);
  });

  it('that are given back at the end of a leg leave no money that it has spent', async () => {
    await prepaid(20_000);
    await ask('billing.reserve', { session: 's1', leg: 'leg_0', home: 'home_1', to: '+15550100002', pays: true });
    await store.commit([ended('s1', [paid])]);
    await get('billing.release', { session: 's1', leg: 'leg_0' });
    expect(await reserve('l1')).toMatchObject({ value: { reserved: 10_000, until: 60_000 } });
  });

  it('end with the record of their leg', async () => {
    await prepaid(50_000);
    await ask('billing.reserve', { session: 's1', leg: 'leg_0', home: 'home_1', to: '+15550100002', pays: true });
    await store.commit([ended('s1', [paid])]);
    expect(await get('balance.get', { home: 'home_1' })).toMatchObject({ balance: 40_000, reserved: 0 });
  });
});

describe('balance.set', () => {
  it('refuses what would pass the limit of a balance, and keeps what was', async () => {
    await store.commit([setBalance('home_1', 'prepaid', BALANCE_LIMIT - 1)]);
    expect((await get('balance.set', { home: 'home_1', mode: 'prepaid', add: 1 })).balance).toBe(BALANCE_LIMIT);
    expect(await ask('balance.set', { home: 'home_1', mode: 'prepaid', add: 1 })).toMatchObject({
      fault: { code: 'limit_reached' },
    });
    expect((await get('balance.get', { home: 'home_1' })).balance).toBe(BALANCE_LIMIT);
    expect((await get('balance.set', { home: 'home_1', mode: 'postpaid' })).mode).toBe('postpaid');
  });

  it('refuses it also to two at once', async () => {
    const add = BALANCE_LIMIT - 1;
    const both = await Promise.all([prepaid(1), ask('balance.set', { home: 'home_1', mode: 'prepaid', add })]);
    expect(both).toMatchObject([{ balance: 1 }, { value: { balance: BALANCE_LIMIT } }]);
    const more = () => ask('balance.set', { home: 'home_1', mode: 'prepaid', add: -1 });
    await Promise.all([more(), more()]);
    const refused = await Promise.all(
      [1, 1, 1].map((one) => ask('balance.set', { home: 'home_1', mode: 'prepaid', add: one })),
    );
    expect(refused.map((one) => one.ok)).toEqual([true, true, false]);
    expect((await get('balance.get', { home: 'home_1' })).balance).toBe(BALANCE_LIMIT);
  });

  it('adds once per idempotency key, and only to homes that exist and are seen', async () => {
    const keyed = { ...OPERATOR, idempotency: { scope: 't', key: 'k', bodyHash: 'h' } };
    const request = { home: 'home_1', mode: 'prepaid', add: 500 } as const;
    expect((await get('balance.set', request, keyed)).balance).toBe(500);
    expect((await get('balance.set', request, keyed)).balance).toBe(500);
    expect((await get('balance.set', request)).balance).toBe(1_000);
    expect(await ask('balance.get', { home: 'home_9' })).toMatchObject({ fault: { code: 'not_found' } });
    expect(await ask('balance.set', { home: 'home_9', mode: 'prepaid' })).toMatchObject({
      fault: { code: 'not_found' },
    });
    const stranger = account('subscriber', 'home_2');
    expect(await ask('balance.get', { home: 'home_1' }, stranger)).toMatchObject({ fault: { code: 'not_found' } });
  });
});

it('a home’s records are found by its own, not among those of all', async () => {
  const plans: string[] = [];
  const looking: Store = {
    ...store,
    async all<T extends object>(text: string, params: readonly SqlValue[] = []) {
      for (const { detail } of await store.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${text}`, params))
        plans.push(detail);
      return store.all<T>(text, params);
    },
  };
  const { principal } = account('subscriber', 'home_1');
  await listCdrs(looking, principal, {});
  await listCdrs(looking, principal, { home: 'home_1', after: '9.cdr_1' });
  expect(plans.filter((plan) => plan.includes('cdr_home'))).toHaveLength(2);
  expect(plans.filter((plan) => plan.includes('SCAN') || plan.includes('cdr_age'))).toEqual([]);
});

it('who asks after a look that the disk refused gets the answer: nobody waits for the next look of our own', async () => {
  await prepaid(100_000);
  await store.commit([ended('ses_1', [paid])]);
  const commit = store.commit.bind(store);
  store.commit = () => Promise.reject(new Error('disk full'));
  expect(await ask('cdr.list', {})).toMatchObject({ ok: false });
  store.commit = commit;
  expect((await get('cdr.list', {})).items).toHaveLength(1);
  expect(await reserve('leg_9')).toMatchObject({ ok: true });
});
