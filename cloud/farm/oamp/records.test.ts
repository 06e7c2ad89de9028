/** Homes, accounts, alarms, audit and what keeps them small. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import { checkPassword } from '#cloud/store/passwords.ts';
import { sql } from '#cloud/store/store.ts';
import { account, makeOamp, type OampRig } from '#test/support/oamp.ts';
import { OPEN_ALARMS } from './alarms.ts';
import { ALARMS_KEPT, AUDIT_KEPT, GATEWAY_IDS_KEPT, KEYS_KEPT } from './audit.ts';
import { GATEWAYS_PER_HOME } from './claim.ts';
import { LIVE_CODES } from './pairing.ts';
import { REPORT_LIMIT, REPORTS } from './presence.ts';

let rig: OampRig;
let home: string;
beforeEach(async () => {
  rig = await makeOamp();
  home = (await rig.must('home.create', { name: 'Elm Street 1' })).id;
});
afterEach(() => rig.end());

const MEDIA: Principal = { kind: 'part', part: 'media' };
const gateway = (id: string): Principal => ({ kind: 'gateway', gateway: id, home });

async function addGateway(id: string, state = 'paired'): Promise<void> {
  await rig.store.commit([
    sql(
      'INSERT INTO gateway (id, home, key_hash, state, claimed_at) VALUES (?, ?, ?, ?, 0)',
      id,
      home,
      `key-${id}`,
      state,
    ),
  ]);
}

test('lists come in pages that together hold everything once', async () => {
  for (let i = 0; i < 6; i++) await rig.must('home.create', { name: `Home ${i}` });
  const seen: string[] = [];
  let after: string | undefined;
  do {
    const page = await rig.must('home.list', { limit: 3, ...(after === undefined ? {} : { after }) });
    expect(page.items.length).toBeLessThanOrEqual(3);
    seen.push(...page.items.map(({ id }) => id));
    after = page.next;
  } while (after !== undefined);
  expect(seen.length).toBe(7);
  expect(new Set(seen).size).toBe(7);
});

describe('accounts', () => {
  const ada = { name: 'ada', password: 'correct horse', role: 'subscriber' as const };

  test('are made once, and open with their password alone', async () => {
    const made = await rig.must('account.create', { ...ada, homes: [home, home] });
    expect(made).toMatchObject({ name: 'ada', role: 'subscriber', homes: [home] });
    expect(await rig.ask('account.create', { ...ada, homes: [] })).toMatchObject({ fault: { code: 'account_taken' } });
    expect((await checkPassword(rig.store, rig.world, 'ada', 'correct horse'))?.id).toBe(made.id);
    expect(await checkPassword(rig.store, rig.world, 'ada', 'correct house')).toBeUndefined();
    expect(await checkPassword(rig.store, rig.world, 'eve', 'correct horse')).toBeUndefined();
    expect((await rig.must('account.list', {})).items).toEqual([made]);
  });

  test('of operators and technicians have no homes of their own; others only homes that exist', async () => {
    for (const role of ['operator', 'technician'] as const) {
      expect(await rig.ask('account.create', { ...ada, role, homes: [home] })).toMatchObject({
        fault: { code: 'bad_request', pointer: '/homes' },
      });
    }
    expect(await rig.ask('account.create', { ...ada, homes: ['home_none'] })).toMatchObject({
      fault: { code: 'not_found' },
    });
    expect((await rig.must('account.list', {})).items).toEqual([]);
  });
});

describe('alarms', () => {
  const late = { cause: 'media.late', severity: 'minor', text: 'late' } as const;

  test('of one source and cause are one until they are cleared', async () => {
    await rig.must('alarm.raise', late, MEDIA);
    await rig.must('alarm.raise', { ...late, severity: 'major', text: 'later' }, MEDIA);
    await rig.must('alarm.raise', late, { kind: 'part', part: 'qos' });
    await addGateway('gw_1');
    await rig.must('alarm.raise', { ...late, home: 'home_forged', gateway: 'gw_forged' }, gateway('gw_1'));
    const open = (await rig.must('alarm.list', {})).items;
    expect(open.length).toBe(3);
    expect(open.find(({ text }) => text === 'later')).toMatchObject({ severity: 'major' });
    expect(open.find(({ gateway: from }) => from !== undefined)).toMatchObject({ gateway: 'gw_1', home });
    await rig.must('alarm.clear', { cause: 'media.late' }, MEDIA);
    await rig.must('alarm.raise', late, MEDIA);
    const all = (await rig.must('alarm.list', {})).items;
    expect(all.map(({ clearedAt }) => clearedAt !== undefined)).toEqual([false, false, false, true]);
    expect((await rig.must('alarm.list', { open: false })).items.length).toBe(1);
    expect((await rig.must('alarm.list', { open: true })).items.length).toBe(3);
  });

  test('come in pages, open ones first', async () => {
    for (let i = 0; i < 5; i++) await rig.must('alarm.raise', { ...late, cause: `c${i}` }, MEDIA);
    for (const i of [1, 3]) await rig.must('alarm.clear', { cause: `c${i}` }, MEDIA);
    const seen: string[] = [];
    let after: string | undefined;
    do {
      const page = await rig.must('alarm.list', { limit: 2, ...(after === undefined ? {} : { after }) });
      seen.push(...page.items.map(({ cause }) => cause));
      after = page.next;
    } while (after !== undefined);
    expect(seen.slice(0, 3).sort()).toEqual(['c0', 'c2', 'c4']);
    expect(seen.slice(3).sort()).toEqual(['c1', 'c3']);
  });

  test('of homes are not for technicians without consent, and raising is not for accounts', async () => {
    await rig.must('alarm.raise', late, MEDIA);
    await rig.must('alarm.raise', { ...late, home }, MEDIA);
    expect((await rig.must('alarm.list', {}, account('technician', []))).items.length).toBe(1);
    expect((await rig.must('alarm.list', {}, account('technician', [home]))).items.length).toBe(2);
    expect(await rig.ask('alarm.raise', late)).toMatchObject({ fault: { code: 'forbidden' } });
  });

  test(`of one source stop at ${OPEN_ALARMS}`, async () => {
    for (let i = 0; i < OPEN_ALARMS; i++) await rig.must('alarm.raise', { ...late, cause: `c${i}` }, MEDIA);
    expect(await rig.ask('alarm.raise', { ...late, cause: 'one more' }, MEDIA)).toMatchObject({
      fault: { code: 'limit_reached' },
    });
    await rig.must('alarm.raise', { ...late, cause: 'c0' }, MEDIA);
    await rig.must('alarm.raise', late, { kind: 'part', part: 'qos' });
  });
});

describe('limits of pairing', () => {
  const announce = (key: string, hash: string) =>
    rig.ask(
      'pairing.announce',
      { codeHash: hash.padStart(64, '0'), profile: 'personal-computer', version: '1' },
      { kind: 'applicant', keyHash: key },
    );

  test('one code per key, and no code for two keys', async () => {
    expect(await announce('a', '1')).toMatchObject({ ok: true });
    expect(await announce('a', '2')).toMatchObject({ ok: true });
    expect((await rig.store.all('SELECT code_hash FROM pairing_code')).length).toBe(1);
    expect(await announce('b', '2')).toMatchObject({ fault: { code: 'conflict' } });
    expect(await announce('b', '1')).toMatchObject({ ok: true });
  });

  test(`${LIVE_CODES} live codes; expired ones make room`, async () => {
    const now = rig.world.clock.wall();
    const insert =
      'INSERT INTO pairing_code (code_hash, key_hash, profile, version, expires_at) VALUES (?, ?, ?, ?, ?)';
    await rig.store.commit(
      Array.from({ length: LIVE_CODES }, (_, i) => sql(insert, `h${i}`, `k${i}`, 'p', '1', now + 1_000)),
    );
    expect(await announce('a', '1')).toMatchObject({ fault: { code: 'rate_limited' } });
    await rig.virtual.run(1_000);
    expect(await announce('a', '1')).toMatchObject({ ok: true });
  });

  test(`${GATEWAYS_PER_HOME} gateways in a home, failed ones aside`, async () => {
    for (let i = 0; i < GATEWAYS_PER_HOME - 1; i++) await addGateway(`gw_${i}`);
    await addGateway('gw_failed', 'failed');
    const claim = async (key: string) => {
      const { codeHash } = await import('#shared/protocol/pairing.ts');
      await announce(
        key,
        codeHash((data) => rig.world.crypto.hash('sha256', data), 'BCDFGHJK'),
      );
      return rig.ask('gateway.claim', { home, code: 'BCDFGHJK' });
    };
    expect(await claim('aa'.repeat(32))).toMatchObject({ ok: true });
    expect(await claim('bb'.repeat(32))).toMatchObject({ fault: { code: 'limit_reached' } });
  });

  test('only applicants announce and ask for certificates, only gateways greet, report and renew', async () => {
    await addGateway('gw_1');
    const csr = { request: 'x' };
    const hello = {
      version: '1',
      profile: 'personal-computer',
      applied: {},
      outbox: { first: 0, last: 0, lost: 0 },
    } as const;
    const report = { doc: 'system', applied: 1, state: 'applied', body: {} } as const;
    const applicant: Principal = { kind: 'applicant', keyHash: 'a' };
    for (const outcome of [
      await rig.ask(
        'pairing.announce',
        { codeHash: '0'.repeat(64), profile: 'personal-computer', version: '1' },
        gateway('gw_1'),
      ),
      await rig.ask('pairing.request', csr, gateway('gw_1')),
      await rig.ask('certificate.renew', csr, applicant),
      await rig.ask('gateway.hello', hello, applicant),
      await rig.ask('gateway.reported', report, applicant),
      await rig.ask('gateway.hello', hello),
      await rig.ask('gateway.seen', { gateway: 'gw_1', online: true, epoch: 1 }, gateway('gw_1')),
      await rig.ask('audit.record', { account: 'a', verb: 'v', outcome: 'ok' }),
    ]) {
      expect(outcome).toMatchObject({ fault: { code: 'forbidden' } });
    }
  });
});

describe('reports', () => {
  const report = (doc: string, body: unknown = {}) =>
    rig.ask('gateway.reported', { doc, applied: 1, state: 'applied', body }, gateway('gw_1'));

  test(`are at most ${REPORTS} per gateway, and of a bounded size`, async () => {
    await addGateway('gw_1');
    for (let i = 0; i < REPORTS; i++) expect(await report(`d${i}`)).toMatchObject({ ok: true });
    expect(await report('one more')).toMatchObject({ fault: { code: 'limit_reached' } });
    expect(await report('d0', 'x'.repeat(REPORT_LIMIT - 2))).toMatchObject({ ok: true });
    expect(await report('d0', 'x'.repeat(REPORT_LIMIT - 1))).toMatchObject({ fault: { code: 'too_large' } });
  });
});

test('presence goes by epoch: what is older changes nothing', async () => {
  await addGateway('gw_1');
  const edge: Principal = { kind: 'part', part: 'gateway-edge' };
  const seen = (online: boolean, epoch: number) => rig.must('gateway.seen', { gateway: 'gw_1', online, epoch }, edge);
  const online = async () => (await rig.must('gateway.get', { home, gateway: 'gw_1' })).online;
  await seen(true, 3);
  await seen(false, 2);
  expect(await online()).toBe(true);
  await seen(false, 3);
  expect(await online()).toBe(false);
  await seen(true, 2);
  expect(await online()).toBe(false);
});

test('the audit trail is newest first, and old records go', async () => {
  const part: Principal = { kind: 'part', part: 'application-server' };
  for (const verb of ['home.create', 'line.create']) {
    await rig.must('audit.record', { account: 'acc_1', verb, outcome: 'ok' }, part);
    await rig.virtual.run(10);
  }
  expect((await rig.must('audit.list', {})).items.map(({ verb }) => verb)).toEqual(['line.create', 'home.create']);
  const now = rig.world.clock.wall();
  const audit = 'UPDATE audit SET at = ? WHERE verb = ?';
  const alarm =
    'INSERT INTO alarm (id, source, severity, cause, text, raised_at, cleared_at) VALUES (?, ?, ?, ?, ?, 0, ?)';
  const key = 'INSERT INTO idempotency (scope, key, body_hash, reply, at) VALUES (?, ?, ?, ?, ?)';
  const hour = 3_600_000;
  await rig.store.commit([
    sql(audit, now - AUDIT_KEPT, 'home.create'),
    sql(audit, now - AUDIT_KEPT + 2 * hour, 'line.create'),
    sql(alarm, 'alm_old', 's', 'minor', 'c', 't', now - ALARMS_KEPT),
    sql(alarm, 'alm_new', 's', 'minor', 'c', 't', now - ALARMS_KEPT + 2 * hour),
    sql(key, 'gw:gw_1', 'old', 'h', '{}', now - GATEWAY_IDS_KEPT),
    sql(key, 'gw:gw_1', 'new', 'h', '{}', now - GATEWAY_IDS_KEPT + 2 * hour),
    sql(key, 'messaging', 'mail-old', 'h', '{}', now - KEYS_KEPT),
    sql(key, 'messaging', 'mail-new', 'h', '{}', now - KEYS_KEPT + 2 * hour),
  ]);
  await rig.virtual.run(hour + 1_000);
  const ids = async (table: string, column = 'id') =>
    (await rig.store.all<Record<string, string>>(`SELECT ${column} FROM ${table}`)).map((row) => row[column]);
  expect(await ids('audit', 'verb')).not.toContain('home.create');
  expect(await ids('audit', 'verb')).toContain('line.create');
  expect(await ids('alarm')).toEqual(['alm_new']);
  expect((await ids('idempotency', 'key')).toSorted()).toEqual(['mail-new', 'new']);
});

test('a gateway that may repeat itself is known by its ids for as long as it may', async () => {
  const key = 'INSERT INTO idempotency (scope, key, body_hash, reply, at) VALUES (?, ?, ?, ?, ?)';
  const hello = (id: string, first: number, last: number) =>
    rig.must(
      'gateway.hello',
      { version: '1', profile: 'residential-gateway', applied: {}, outbox: { first, last, lost: 0 } },
      gateway(id),
    );
  for (const id of ['gw_told', 'gw_cut', 'gw_new']) await addGateway(id);
  const taken = rig.world.clock.wall();
  for (const id of ['gw_told', 'gw_cut', 'gw_new'])
    await rig.store.commit([sql(key, `gw:${id}`, id, 'h', '{}', taken)]);
  await rig.virtual.run(1_000);
  for (const [first, last] of [
    [3, 7],
    [8, 9],
    [9, 10],
  ] as const)
    await hello('gw_told', first, last);
  // Its report stays in its outbox, whatever else it has told since.
  for (const [first, last] of [
    [3, 7],
    [3, 90],
    [3, 91],
  ] as const)
    await hello('gw_cut', first, last);
  const left = async () =>
    (await rig.store.all<{ key: string }>('SELECT key FROM idempotency ORDER BY key')).map((row) => row.key);
  await rig.store.commit([sql('UPDATE idempotency SET at = at - ?', 400 * 86_400_000)]);
  await rig.store.commit([sql('UPDATE gateway_told SET told_at = MAX(0, told_at - ?)', 400 * 86_400_000)]);
  await rig.virtual.run(3_600_000);
  expect(await left()).toEqual(['gw_cut', 'gw_new']);
  await rig.must('gateway.remove', { home, gateway: 'gw_cut' });
  await rig.virtual.run(3_600_000);
  expect(await left()).toEqual(['gw_new']);
  expect(await rig.store.all('SELECT gateway FROM gateway_told')).toEqual([{ gateway: 'gw_told' }]);
});
