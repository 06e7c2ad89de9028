/** Pairing from code to "paired", both sides real, on the virtual world. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import { gatewayByCertificate } from '#cloud/store/directory.ts';
import { CODE_LIFETIME, codeHash, FAIL_SAFE, readPairingLink } from '#shared/protocol/pairing.ts';
import { type Gateway, PairingRig } from '#test/support/pairing-rig.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

let rig: PairingRig;
let home: string;
beforeEach(async () => {
  rig = await PairingRig.make(1);
  home = await rig.home();
});
afterEach(() => rig.end());

async function claim(gateway: Gateway): Promise<string> {
  return (await rig.must('gateway.claim', { home, code: await rig.code(gateway) })).id;
}

async function pair(gateway: Gateway): Promise<string> {
  const id = await claim(gateway);
  await rig.virtual.until(() => gateway.pairing.status().at === 'paired', 10_000, 'paired');
  return id;
}

/** Days go by with everything off; then it is on for an hour, in which the gateway looks at its certificate. */
async function later(gateway: Gateway, days: number): Promise<Gateway> {
  await gateway.stop();
  await rig.stopPart('oamp');
  await rig.stopPart('gateway-edge');
  await rig.virtual.run(days * DAY);
  await rig.startCloud();
  const again = await rig.gateway('gw', '10.0.1.1');
  await rig.virtual.run(61 * MINUTE);
  return again;
}

const back = (gateway: Gateway, within: number) =>
  rig.virtual.until(() => gateway.pairing.status().online, within, 'the gateway to come back');

describe('a gateway pairs', () => {
  test('by its code, however it is typed', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const code = (await rig.code(gateway)).toLowerCase().replace('-', ' ');
    const claimed = await rig.must('gateway.claim', { home, code });
    expect(claimed).toMatchObject({ state: 'waiting', stage: 'claimed', checkWords: gateway.pairing.status().words });
    await rig.virtual.until(() => gateway.pairing.status().at === 'paired', 10_000, 'paired');
    expect(await rig.must('gateway.get', { home, gateway: claimed.id })).toMatchObject({
      state: 'paired',
      stage: 'done',
      online: true,
    });
    expect(gateway.pairing.status()).toMatchObject({ home, homeName: 'Elm Street', gateway: claimed.id });
    expect(gateway.pairing.status().code).toBeUndefined();
  });

  test('by its QR, and not by one that names another key', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    await rig.code(gateway);
    const link = readPairingLink(gateway.pairing.status().qr ?? '');
    const wrong = await rig.ask('gateway.claim', { home, code: link?.code ?? '', key: '0'.repeat(64) });
    expect(wrong).toMatchObject({ ok: false, fault: { code: 'pairing_key_mismatch' } });
    await rig.must('gateway.claim', { home, code: link?.code ?? '', key: link?.key ?? '' });
    await rig.virtual.until(() => gateway.pairing.status().at === 'paired', 10_000, 'paired');
  });

  test('with its clock 300 days behind', async () => {
    rig.virtual.skew('gw', -300 * DAY);
    await pair(await rig.gateway('gw', '10.0.1.1'));
  });

  test('and stays paired over its restart and that of the cloud', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    await pair(gateway);
    await gateway.stop();
    const again = await rig.gateway('gw', '10.0.1.1');
    await back(again, 10_000);
    expect(again.pairing.status().at).toBe('paired');
    await rig.stopPart('gateway-edge');
    await rig.stopPart('oamp');
    await rig.virtual.run(5 * MINUTE);
    await rig.startCloud();
    await back(again, 10 * MINUTE);
    expect(again.pairing.status().at).toBe('paired');
  });

  test('and gets its lines as they change', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await pair(gateway);
    await rig.must('line.create', { home, name: 'Kitchen' });
    await rig.virtual.run(1_000);
    const reported = await rig.store.one('SELECT applied, state FROM reported WHERE gateway = ? AND doc = ?', [
      id,
      'voice',
    ]);
    expect(reported).toEqual({ applied: 2, state: 'applied' });
  });
});

describe('a code', () => {
  const subscriber = (account: string): Principal => ({
    kind: 'account',
    account,
    role: 'subscriber',
    homes: [home],
    scopes: 'all',
  });

  test('that is unknown, used, expired or none gets one answer', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const used = await rig.code(gateway);
    await pair(gateway);
    const other = await rig.gateway('other', '10.0.1.2');
    const expired = await rig.code(other);
    other.kill();
    await rig.virtual.run(CODE_LIFETIME);
    for (const code of ['BCDF-GHJK', used, expired, 'no code at all', '?']) {
      expect(await rig.ask('gateway.claim', { home, code }, subscriber(code))).toEqual({
        ok: false,
        fault: { code: 'pairing_code_invalid' },
      });
      await rig.must('gateway.list', { home });
    }
  });

  test('changes every 15 minutes', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const first = await rig.code(gateway);
    await rig.virtual.run(CODE_LIFETIME);
    const second = await rig.code(gateway);
    expect(second).not.toBe(first);
    expect(await rig.ask('gateway.claim', { home, code: first })).toMatchObject({ ok: false });
    await pair(gateway);
  });

  test('may be guessed five times, then the wait doubles; restarts do not shorten it', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const wrong = () => rig.ask('gateway.claim', { home, code: 'ZZZZ-ZZZZ' }, subscriber('acc_1'));
    for (let i = 0; i < 5; i++) expect(await wrong()).toMatchObject({ fault: { code: 'pairing_code_invalid' } });
    for (const minutes of [1, 2, 4]) {
      expect(await wrong()).toMatchObject({ fault: { code: 'pairing_back_off', retryAfter: minutes * MINUTE } });
      await rig.stopPart('oamp');
      await rig.startPart('oamp');
      await rig.virtual.run(minutes * MINUTE - 1_000);
      // Not even the right code is looked at, nor does another account of the same home get further.
      const right = await rig.ask('gateway.claim', { home, code: await rig.code(gateway) }, subscriber('acc_2'));
      expect(right).toMatchObject({ fault: { code: 'pairing_back_off' } });
      await rig.virtual.run(1_000);
      expect(await wrong()).toMatchObject({ fault: { code: 'pairing_code_invalid' } });
    }
    await rig.virtual.run(8 * MINUTE);
    await pair(gateway);
    expect(await wrong()).toMatchObject({ fault: { code: 'pairing_code_invalid' } });
  });

  test('guessed many times at once counts each time', async () => {
    const all = Array.from({ length: 30 }, () =>
      rig.bus.request('gateway.claim', { home, code: 'ZZZZ-ZZZZ' }, { principal: subscriber('acc_1') }),
    );
    const codes = (await rig.settle(Promise.all(all))).map((outcome) => (outcome.ok ? 'ok' : outcome.fault.code));
    expect(codes.filter((code) => code === 'pairing_code_invalid').length).toBe(5);
    expect(codes.filter((code) => code === 'pairing_back_off').length).toBe(25);
  });

  test('of a home’s paired gateway does not take it to another home', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await pair(gateway);
    await gateway.stop();
    rig.virtual.disk('gw').files.delete('/state/pairing.json');
    const row = await rig.row(id);
    await rig
      .must('pairing.announce', { codeHash: '0'.repeat(64), profile: 'personal-computer', version: '1' })
      .catch(() => undefined);
    const applicant: Principal = { kind: 'applicant', keyHash: row?.key_hash ?? '' };
    const hash = codeHash((data) => rig.virtual.host('x', []).crypto.hash('sha256', data), 'BCDFGHJK');
    await rig.ask('pairing.announce', { codeHash: hash, profile: 'personal-computer', version: '1' }, applicant);
    const elsewhere = await rig.home('Oak Street 2');
    expect(await rig.ask('gateway.claim', { home: elsewhere, code: 'BCDFGHJK' })).toMatchObject({
      fault: { code: 'pairing_code_invalid' },
    });
    expect((await rig.row(id))?.home).toBe(home);
  });
});

describe('not done in 60 s, both sides undo and name the cause', () => {
  async function undone(gateway: Gateway, id: string, cause: string): Promise<void> {
    await rig.virtual.run(FAIL_SAFE + 20_000);
    expect(await rig.must('gateway.get', { home, gateway: id })).toMatchObject({
      state: 'failed',
      cause,
      online: false,
    });
    expect(await rig.row(id)).toMatchObject({ certificate_serial: null, previous_serial: null });
    rig.virtual.heal();
    await rig.code(gateway);
    expect(gateway.pairing.status()).toMatchObject({ at: 'announced', cause });
  }

  test('the gateway lost its network before it heard of the claim', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const code = await rig.code(gateway);
    rig.virtual.partition(['gw']);
    const { id } = await rig.must('gateway.claim', { home, code });
    await rig.virtual.run(FAIL_SAFE + 20_000);
    expect(await rig.must('gateway.get', { home, gateway: id })).toMatchObject({
      state: 'failed',
      cause: 'pairing_timeout',
    });
    rig.virtual.heal();
    expect(await rig.must('gateway.get', { home, gateway: id })).toMatchObject({ state: 'failed' });
  });

  test('the gateway lost its network after it heard of the claim', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await claim(gateway);
    await rig.virtual.until(() => gateway.pairing.status().at === 'claimed', 5_000);
    rig.virtual.partition(['gw']);
    await undone(gateway, id, 'pairing_timeout');
    await pair(gateway);
  });

  test('the gateway did not come back with its certificate', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await claim(gateway);
    await rig.virtual.until(() => gateway.pairing.status().at === 'reconnecting', 5_000);
    rig.virtual.partition(['gw']);
    await undone(gateway, id, 'pairing_not_connected');
    await pair(gateway);
  });

  test('the gateway refused its first document', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1', { refusesVoice: 'no room for phones' });
    await undone(gateway, await claim(gateway), 'pairing_document_rejected');
    expect([...rig.virtual.disk('gw').files.keys()].filter((path) => path.includes('desired'))).toEqual([]);
  });

  test('with the cloud stopped meanwhile, too', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await claim(gateway);
    await rig.virtual.until(() => gateway.pairing.status().at === 'reconnecting', 5_000);
    await rig.stopPart('oamp');
    await rig.virtual.run(2 * FAIL_SAFE);
    await rig.startPart('oamp');
    await undone(gateway, id, 'pairing_not_connected');
  });
});

test('a full disk holds a pairing up; the cloud undoes it, and with room again both sides agree', async () => {
  const gateway = await rig.gateway('gw', '10.0.1.1');
  const code = await rig.code(gateway);
  rig.virtual.disk('gw').faults.capacity = 0;
  const { id } = await rig.must('gateway.claim', { home, code });
  await rig.virtual.run(2 * FAIL_SAFE);
  expect((await rig.row(id))?.state).toBe('failed');
  delete rig.virtual.disk('gw').faults.capacity;
  await rig.code(gateway);
  expect(gateway.pairing.status()).toMatchObject({ at: 'announced', cause: 'pairing_timeout' });
  await pair(gateway);
});

describe('a paired gateway', () => {
  test('that is removed while it cannot be told finds out by itself', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await pair(gateway);
    rig.virtual.partition(['gw']);
    await rig.virtual.run(MINUTE);
    await rig.must('gateway.remove', { home, gateway: id });
    await rig.virtual.run(MINUTE);
    rig.virtual.heal();
    await rig.virtual.until(() => gateway.pairing.status().code !== undefined, 10 * MINUTE, 'a code');
    expect(gateway.pairing.status()).toMatchObject({ at: 'announced', cause: 'removed' });
  });

  test('changes its certificate at two thirds of its life; the old one then opens nothing', async () => {
    let gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await pair(gateway);
    const before = await rig.row(id);
    const old = gateway.pairing.identity();
    gateway = await later(gateway, 58);
    expect((await rig.row(id))?.certificate_serial).toBe(before?.certificate_serial);
    gateway = await later(gateway, 13);
    const after = await rig.row(id);
    expect(after?.certificate_serial).not.toBe(before?.certificate_serial);
    expect(after?.previous_serial).toBeNull();
    expect(gateway.pairing.status()).toMatchObject({ at: 'paired', online: true });
    const serial = (await rig.virtual.host('x', []).crypto.readCertificate(old?.certificate ?? ''))?.serial ?? '';
    expect(await gatewayByCertificate(rig.store, id, serial)).toBeUndefined();
  });

  test('follows the cloud to another port; so does one that is not paired yet', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    await pair(gateway);
    const other = await rig.gateway('other', '10.0.1.2');
    await rig.code(other);
    await rig.moveEdge(8884);
    await back(gateway, 10 * MINUTE);
    await rig.virtual.run(2 * CODE_LIFETIME);
    await pair(other);
  });

  test('keeps its old certificate where the new one does not connect', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await pair(gateway);
    const old = gateway.pairing.identity();
    const renewal = gateway.pairing.renew();
    await rig.virtual.until(() => gateway.agent()?.status.at !== 'ready', 5_000);
    rig.virtual.partition(['gw']);
    await rig.virtual.run(61_000);
    rig.virtual.heal();
    expect(await rig.settle(renewal)).toMatchObject({ ok: false });
    await back(gateway, 10 * MINUTE);
    expect(gateway.pairing.identity()).toEqual(old);
    expect(await rig.settle(gateway.pairing.renew())).toMatchObject({ ok: true });
    expect((await rig.row(id))?.previous_serial).toBeNull();
  });

  test('off for 200 days comes back by itself', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    await pair(gateway);
    const again = await later(gateway, 200);
    expect(again.pairing.status()).toMatchObject({ at: 'paired', online: true });
  });

  test('that lost its state, but not its key, comes back by itself', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await pair(gateway);
    await gateway.stop();
    for (const path of [...rig.virtual.disk('gw').files.keys()]) {
      if (path !== '/state/device-key.json') rig.virtual.disk('gw').files.delete(path);
    }
    const again = await rig.gateway('gw', '10.0.1.1');
    await back(again, MINUTE);
    await rig.virtual.run(2_000);
    expect(again.pairing.status()).toMatchObject({ at: 'paired', gateway: id, home });
  });

  test('that is removed is cut off, forgets its home and shows a code', async () => {
    const gateway = await rig.gateway('gw', '10.0.1.1');
    const id = await pair(gateway);
    await rig.must('gateway.remove', { home, gateway: id });
    await rig.virtual.until(() => gateway.pairing.status().code !== undefined, 5_000, 'a code');
    expect(gateway.pairing.status().online).toBe(false);
    expect(gateway.pairing.status()).toMatchObject({ at: 'announced', cause: 'removed' });
    expect([...rig.virtual.disk('gw').files.keys()].filter((path) => path.includes('/agent/'))).toEqual([]);
    expect(await rig.ask('gateway.get', { home, gateway: id })).toMatchObject({ fault: { code: 'not_found' } });
    await pair(gateway);
  });
});
