/** Releases and rollouts at the oamp server alone: uploads, tickets, gateways that answer as they like. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import { bundlePath } from '#cloud/store/bundle.ts';
import { sql } from '#cloud/store/store.ts';
import { toBase64 } from '#shared/kernel/base64.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { BUNDLE_LIMIT, UPLOAD_PART } from '#shared/protocol/verbs/rollout.ts';
import { account, makeOamp, type OampRig } from '#test/support/oamp.ts';
import { RELEASES } from './releases.ts';
import { UPDATES } from './updates.ts';

let rig: OampRig;
let home: string;
/** What gateways are asked, and how they answer. */
let asked: { readonly gateway: string; readonly verb: string; readonly body: unknown }[];
let answer: (gateway: string) => VerbReply<'update.start.local'> | 'offline' | 'busy' | 'impossible';

beforeEach(async () => {
  rig = await makeOamp();
  home = (await rig.must('home.create', { name: 'Elm Street 1' })).id;
  asked = [];
  answer = () => ({ state: 'downloading' });
  rig.bus.serve('gateway-edge', {
    'gateway.command': async ({ gateway, verb, body }: VerbRequest<'gateway.command'>) => {
      asked.push({ gateway, verb, body });
      const said = answer(gateway);
      if (said === 'offline') return err(fault('gateway_offline'));
      if (said === 'busy') return err(fault('update_busy'));
      if (said === 'impossible') return err(fault('update_not_possible'));
      return ok({ body: said });
    },
  } as never);
});
afterEach(() => rig.end());

const BOARD = 'hearthline-test';
const bundle = new Uint8Array(UPLOAD_PART + 1000).map((_one, i) => i % 251);
const AS: (gateway: string) => Principal = (gateway) => ({ kind: 'gateway', gateway, home });
const EDGE: Principal = { kind: 'part', part: 'application-server' };

const digest = (octets: Uint8Array) => hex(rig.world.crypto.hash('sha256', octets));
const create = (version: string, more: Partial<VerbRequest<'release.create'>> = {}) =>
  rig.must('release.create', { version, board: BOARD, sha256: digest(bundle), size: bundle.length, ...more });
const part = (release: string, offset: number, octets: Uint8Array = bundle.subarray(offset, offset + UPLOAD_PART)) =>
  rig.ask('release.upload', { release, offset, data: toBase64(octets) });

async function ready(version = '1.1.0'): Promise<string> {
  const { id } = await create(version, { url: 'https://example.net/x.raucb' });
  return id;
}

async function gateways(count: number, online = 1): Promise<string[]> {
  const ids = Array.from({ length: count }, (_one, i) => `gw_${i}`);
  await rig.store.commit(
    ids.map((id) =>
      sql(
        "INSERT INTO gateway (id, home, key_hash, state, claimed_at, online) VALUES (?, ?, ?, 'paired', 0, ?)",
        ...[id, home, `key-${id}`, online],
      ),
    ),
  );
  return ids;
}

const report = (gateway: string, job: string, more: Partial<VerbRequest<'update.report'>>) =>
  rig.must('update.report', { job, at: 1, state: 'good', ...more }, AS(gateway));
const rollout = (id: string) => rig.must('rollout.get', { rollout: id });

describe('a release', () => {
  test('comes part by part, and goes on where it was cut', async () => {
    const { id } = await create('1.1.0');
    expect(await part(id, UPLOAD_PART)).toMatchObject({ ok: false, fault: { code: 'conflict' } });
    expect(await part(id, 0)).toMatchObject({ ok: true, value: { state: 'waiting', uploaded: UPLOAD_PART } });
    expect(await part(id, 0)).toMatchObject({ ok: true, value: { uploaded: UPLOAD_PART } });
    expect(await rig.must('release.get', { release: id })).toMatchObject({ state: 'waiting', uploaded: UPLOAD_PART });
    expect(await part(id, UPLOAD_PART)).toMatchObject({ ok: true, value: { state: 'ready' } });
    const kept = await rig.world.disk.read(bundlePath(rig.config.data, id));
    expect(kept === undefined ? '' : digest(kept)).toBe(digest(bundle));
    expect(await part(id, 0)).toMatchObject({ ok: true, value: { state: 'ready' } });
  });

  test('that is another file than was named is thrown away, and can be uploaded anew', async () => {
    const { id } = await create('1.1.0', { sha256: '0'.repeat(64) });
    await part(id, 0);
    expect(await part(id, UPLOAD_PART)).toMatchObject({ fault: { code: 'update_damaged' } });
    expect(await rig.must('release.get', { release: id })).toMatchObject({ state: 'waiting' });
    expect(await rig.world.disk.read(bundlePath(rig.config.data, id))).toBeUndefined();
  });

  test('refuses one octet too many: in a part, beyond its size, beyond any bundle', async () => {
    const { id } = await create('1.1.0', { size: 10 });
    expect(await part(id, 0, bundle.subarray(0, 11))).toMatchObject({ fault: { code: 'update_damaged' } });
    expect(await part(id, 0, new Uint8Array(UPLOAD_PART + 3))).toMatchObject({ ok: false });
    expect(await part(id, 0, new Uint8Array(0))).toMatchObject({ fault: { code: 'bad_request' } });
    expect(BUNDLE_LIMIT).toBe(1024 ** 3);
  });

  test('stands once for a version and a board; a withdrawn one is gone for good', async () => {
    const { id } = await create('1.1.0');
    const again = { version: '1.1.0', board: BOARD, sha256: digest(bundle), size: 5 };
    expect(await rig.ask('release.create', again)).toMatchObject({ fault: { code: 'release_exists' } });
    expect(await rig.must('release.withdraw', { release: id })).toMatchObject({ state: 'withdrawn' });
    expect(await part(id, 0)).toMatchObject({ fault: { code: 'release_not_ready' } });
    expect(await rig.ask('rollout.create', { release: id })).toMatchObject({ fault: { code: 'release_not_ready' } });
    expect((await rig.must('release.list', {})).items.map(({ state }) => state)).toEqual(['withdrawn']);
  });

  test(`is one of ${RELEASES}`, async () => {
    const insert =
      "INSERT INTO release (id, version, board, sha256, size, state, created_at) VALUES (?, ?, 'b', '', 1, 'withdrawn', 0)";
    await rig.store.commit(Array.from({ length: RELEASES - 1 }, (_one, i) => sql(insert, `rel_${i}`, `0.0.${i}`)));
    const { id } = await create('1.1.0');
    expect(id).toMatch(/^rel_/);
    const more = { version: '1.2.0', board: BOARD, sha256: '0'.repeat(64), size: 5 };
    expect(await rig.ask('release.create', more)).toMatchObject({ fault: { code: 'limit_reached' } });
  });

  test('opens by a ticket of a gateway that was asked, for five minutes', async () => {
    const [first = '', second = ''] = await gateways(2);
    const { id } = await create('1.1.0');
    await part(id, 0);
    await part(id, UPLOAD_PART);
    expect(await rig.ask('release.ticket', { release: id }, AS(first))).toMatchObject({ ok: false });
    await rig.must('rollout.create', { release: id, stages: [50, 100] });
    await rig.virtual.run(100);
    const [chosen] = asked.map(({ gateway }) => gateway);
    const { path = '' } = await rig.must('release.ticket', { release: id }, AS(chosen ?? ''));
    expect(await rig.ask('release.ticket', { release: id }, AS(chosen === first ? second : first))).toMatchObject({
      ok: false,
    });
    const ticket = decodeURIComponent(/ticket=(.*)$/.exec(path)?.[1] ?? '');
    expect(await rig.must('release.open', { release: id, ticket }, EDGE)).toMatchObject({ size: bundle.length });
    expect(await rig.ask('release.open', { release: 'rel_2', ticket }, EDGE)).toMatchObject({
      fault: { code: 'ticket_invalid' },
    });
    expect(await rig.ask('release.open', { release: id, ticket }, account('subscriber', [home]))).toMatchObject({
      ok: false,
    });
    await rig.virtual.run(300_001);
    expect(await rig.ask('release.open', { release: id, ticket }, EDGE)).toMatchObject({
      fault: { code: 'ticket_invalid' },
    });
  });
});

describe('a rollout', () => {
  test('asks in an order that anybody can compute, stage by stage, and is done', async () => {
    await gateways(10);
    const { id } = await rig.must('rollout.create', { release: await ready(), stages: [10, 50, 100] });
    const sizes: number[] = [];
    for (let i = 0; i < 20 && (await rollout(id)).state === 'running'; i++) {
      await rig.virtual.run(100);
      sizes.push(asked.length);
      const seen = asked.map(({ gateway }) => gateway);
      for (const gateway of seen) await report(gateway, id, { version: '1.1.0', from: '1.0.0' });
    }
    expect([...new Set(sizes)]).toEqual([1, 5, 10]);
    const byHash = asked.map(({ gateway }) => digest(new TextEncoder().encode(`${id} ${gateway}`)));
    expect(byHash[0]).toBe([...byHash].sort()[0]);
    expect(await rollout(id)).toMatchObject({ state: 'done', stage: 3, gateways: { good: 10 } });
    expect((await rollout(id)).stages.map(({ started, good }) => [started, good])).toEqual([
      [1, 1],
      [5, 5],
      [10, 10],
    ]);
    const types = await rig.store.all<{ type: string }>(
      "SELECT type FROM event WHERE type LIKE 'home.rollout%' ORDER BY position",
    );
    expect(types.map(({ type }) => type.split('.').at(-1))).toEqual(['started', 'stage', 'stage', 'done']);
  });

  test('stops at the first that comes back, with its story and an alarm; the next one may begin', async () => {
    await gateways(10);
    const { id } = await rig.must('rollout.create', { release: await ready() });
    expect(await rig.ask('rollout.create', { release: await ready('1.2.0') })).toMatchObject({
      fault: { code: 'rollout_running' },
    });
    await rig.virtual.run(100);
    const [{ gateway } = { gateway: '' }] = asked;
    const story = { reason: 'update_not_started', stage: 'kernel' as const, attempts: 3, lines: ['panic'] };
    await report(gateway, id, { state: 'back', version: '1.1.0', from: '1.0.0', ...story });
    await rig.virtual.run(6_000);
    expect(await rollout(id)).toMatchObject({
      state: 'stopped',
      why: '1 of the 1 gateways of stage 1 failed; none may.',
    });
    expect(asked).toHaveLength(1);
    expect((await rig.must('rollout.gateways', { rollout: id, state: 'back' })).items).toMatchObject([
      { gateway, reached: 'kernel', attempts: 3, lines: ['panic'], reason: 'update_not_started', stage: 1 },
    ]);
    const [alarm] = (await rig.must('alarm.list', { open: true })).items;
    expect(alarm).toMatchObject({ cause: 'update.failed', gateway });
    expect(alarm?.text).toMatch(/1\.1\.0 was undone.*never came up.*“kernel” in 3 starts/);
    expect((await rig.must('gateway.updates', { gateway })).items).toMatchObject([{ job: id, state: 'back' }]);
    await rig.must('rollout.create', { release: await ready('1.3.0') });
    await report(gateway, 'other', { state: 'good' });
    await rig.virtual.run(100);
    expect((await rig.must('alarm.list', { open: true })).items).toEqual([]);
  });

  test('counts silence as a failure after its time, not before, and a late word still', async () => {
    await gateways(4);
    const { id } = await rig.must('rollout.create', { release: await ready(), silence: 60_000, errorRate: 1 });
    await rig.virtual.run(59_000);
    expect(await rollout(id)).toMatchObject({ state: 'running', gateways: { active: 1 } });
    await rig.virtual.run(8_000);
    expect(await rollout(id)).toMatchObject({ state: 'stopped', gateways: { failed: 1 } });
    await report(asked[0]?.gateway ?? '', id, { state: 'good' });
    expect(await rollout(id)).toMatchObject({ state: 'stopped', gateways: { failed: 0, good: 1 } });
  });

  test('waits for gateways that are away or busy, and passes over those it is not for', async () => {
    const ids = await gateways(3, 0);
    const { id } = await rig.must('rollout.create', { release: await ready(), stages: [100] });
    await rig.virtual.run(10_000);
    expect([asked.length, (await rollout(id)).gateways.waiting]).toEqual([0, 3]);
    answer = (gateway) => (gateway === 'gw_0' ? 'impossible' : gateway === 'gw_1' ? 'busy' : 'offline');
    await rig.store.commit([sql('UPDATE gateway SET online = 1')]);
    await rig.virtual.run(5_100);
    expect((await rollout(id)).gateways).toMatchObject({ waiting: 2, skipped: 1, failed: 0 });
    answer = () => ({ state: 'downloading' });
    await rig.virtual.run(10_100);
    for (const gateway of ids.slice(1)) await report(gateway, id, {});
    await rig.virtual.run(100);
    expect(await rollout(id)).toMatchObject({ state: 'done', gateways: { good: 2, skipped: 1 } });
  });

  test('pauses, goes on, stops by hand; then it takes no more orders, and says so', async () => {
    await gateways(4);
    const { id } = await rig.must('rollout.create', { release: await ready() });
    await rig.virtual.run(100);
    await rig.must('rollout.pause', { rollout: id });
    expect(await rig.must('rollout.pause', { rollout: id })).toMatchObject({ state: 'paused' });
    await report(asked[0]?.gateway ?? '', id, {});
    await rig.virtual.run(10_000);
    expect(asked).toHaveLength(1);
    await rig.must('rollout.resume', { rollout: id });
    await rig.virtual.run(100);
    expect(asked.length).toBeGreaterThan(1);
    await rig.must('rollout.stop', { rollout: id });
    await rig.virtual.run(100);
    expect(asked.at(-1)).toMatchObject({ verb: 'update.stop.local', body: { job: id } });
    expect(await rig.ask('rollout.resume', { rollout: id })).toMatchObject({ fault: { code: 'rollout_over' } });
    expect(await rig.ask('rollout.get', { rollout: 'rol_no' })).toMatchObject({ fault: { code: 'not_found' } });
  });

  test('is one for each key: a repeated command makes no second', async () => {
    await gateways(1);
    const release = await ready();
    const once = { idempotency: { scope: 's', key: 'k', bodyHash: 'h' } };
    const first = await rig.ask('rollout.create', { release }, undefined, once);
    expect(await rig.ask('rollout.create', { release }, undefined, once)).toEqual(first);
    expect((await rig.must('rollout.list', {})).items).toHaveLength(1);
  });

  test('ends with its release; stages that do not rise are refused; other homes are left alone', async () => {
    await gateways(2);
    const release = await ready();
    expect(await rig.ask('rollout.create', { release, stages: [10, 10] })).toMatchObject({
      fault: { pointer: '/stages' },
    });
    const { id, gateways: none } = await rig.must('rollout.create', { release, homes: ['home_other'] });
    expect(none.all).toBe(0);
    await rig.virtual.run(100);
    expect(await rollout(id)).toMatchObject({ state: 'done' });
    const second = await rig.must('rollout.create', { release, homes: [home] });
    await rig.must('release.withdraw', { release });
    expect(await rollout(second.id)).toMatchObject({ state: 'stopped', why: 'The release was withdrawn.' });
  });
});

test(`${UPDATES} updates of a gateway are kept, the newest first; another home sees none`, async () => {
  await gateways(1);
  for (let i = 0; i <= UPDATES; i++) await report('gw_0', `job${i}`, {});
  const { items } = await rig.must('gateway.updates', { gateway: 'gw_0' });
  expect([items.length, items[0]?.job, items.at(-1)?.job]).toEqual([UPDATES, `job${UPDATES}`, 'job1']);
  expect(await rig.ask('gateway.updates', { gateway: 'gw_0' }, account('subscriber', ['home_other']))).toMatchObject({
    fault: { code: 'not_found' },
  });
  expect(
    await rig.ask('update.report', { job: 'j', at: 0, state: 'good' }, account('subscriber', [home])),
  ).toMatchObject({ fault: { code: 'forbidden' } });
});
