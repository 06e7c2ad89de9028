/** Certificates and the verdict over a pairing, at the oamp server alone. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import { gatewayById } from '#cloud/store/directory.ts';
import { fromHex } from '#shared/kernel/bytes.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import {
  CERTIFICATE_BACKDATE,
  CERTIFICATE_LIFETIME,
  codeHash,
  FAIL_SAFE,
  gatewayId,
} from '#shared/protocol/pairing.ts';
import { makeOamp, type OampRig } from '#test/support/oamp.ts';
import { failSafeIn, timeoutCause, verdict } from './fail-safe.ts';

let rig: OampRig;
let home: string;
let device: KeyPair;
let id: string;
let applicant: Principal;
beforeEach(async () => {
  rig = await makeOamp();
  home = (await rig.must('home.create', { name: 'Elm Street 1' })).id;
  device = await rig.world.crypto.createKey();
  id = gatewayId(fromHex(device.keyHash) ?? new Uint8Array());
  applicant = { kind: 'applicant', keyHash: device.keyHash };
});
afterEach(() => rig.end());

async function claimed(): Promise<void> {
  const hash = codeHash((data) => rig.world.crypto.hash('sha256', data), 'BCDFGHJK');
  await rig.must('pairing.announce', { codeHash: hash, profile: 'personal-computer', version: '1' }, applicant);
  await rig.must('gateway.claim', { home, code: 'BCDF-GHJK' });
}

async function request(subject = id, key?: KeyPair) {
  const own = key ?? (await rig.world.crypto.createKey());
  const csr = await rig.world.crypto.createRequest(own, subject);
  return { key: own, outcome: await rig.ask('pairing.request', { request: csr }, applicant) };
}

const gateway = (): Principal => ({ kind: 'gateway', gateway: id, home });
const hello = () =>
  rig.ask(
    'gateway.hello',
    { version: '1', profile: 'personal-computer', applied: {}, outbox: { first: 0, last: 0, lost: 0 } },
    gateway(),
  );
const report = (doc: string, state: 'applied' | 'rejected' = 'applied') =>
  rig.ask('gateway.reported', { doc, applied: 1, state, body: {} }, gateway());

describe('a certificate', () => {
  test('is for the claimed gateway and its new key, 90 days long, and begins in the past', async () => {
    await claimed();
    const { key, outcome } = await request();
    if (!outcome.ok) throw new Error(outcome.fault.code);
    const now = rig.world.clock.wall();
    expect(outcome.value).toMatchObject({ gateway: id, home, authority: rig.config.authority.certificate });
    const facts = await rig.world.crypto.readCertificate(outcome.value.certificate);
    expect(facts).toMatchObject({
      subject: id,
      keyHash: key.keyHash,
      notBefore: now - CERTIFICATE_BACKDATE,
      notAfter: now + CERTIFICATE_LIFETIME,
    });
    expect((await gatewayById(rig.store, id))?.certificate_serial).toBe(facts?.serial);
  });

  test('asked for again (the answer was lost) replaces the first', async () => {
    await claimed();
    await request();
    const before = (await gatewayById(rig.store, id))?.certificate_serial;
    expect((await request()).outcome.ok).toBe(true);
    const row = await gatewayById(rig.store, id);
    expect(row?.certificate_serial).not.toBe(before);
    expect(row?.previous_serial).toBeNull();
  });

  test.each<[string, () => Promise<{ outcome: unknown }>]>([
    ['for another gateway', () => request('gw_other')],
    ['for the permanent key', () => request(id, device)],
    ['that is none', async () => ({ outcome: await rig.ask('pairing.request', { request: 'x' }, applicant) })],
  ])('%s ends the pairing, with its cause', async (_, ask) => {
    await claimed();
    expect((await ask()).outcome).toMatchObject({ fault: { code: 'pairing_request_invalid' } });
    expect(await rig.must('gateway.get', { home, gateway: id })).toMatchObject({
      state: 'failed',
      cause: 'pairing_request_invalid',
    });
    expect((await request()).outcome).toMatchObject({ fault: { code: 'pairing_timeout' } });
  });

  test('is not for a key that nobody claimed', async () => {
    expect((await request()).outcome).toMatchObject({ fault: { code: 'pairing_timeout' } });
    expect(await rig.must('pairing.standing', {}, applicant)).toEqual({ state: 'unknown' });
  });
});

describe('a pairing', () => {
  test('is done when every document is applied, and not before', async () => {
    await claimed();
    await request();
    const stage = async () => (await rig.must('gateway.get', { home, gateway: id })).stage;
    expect(await stage()).toBe('reconnecting');
    const greeted = await hello();
    expect(greeted.ok && greeted.value.documents.map(({ doc }) => doc)).toEqual(['system', 'voice']);
    expect(await stage()).toBe('configuring');
    await report('system');
    expect(await rig.must('pairing.standing', {}, gateway())).toEqual({ state: 'pairing' });
    await report('voice');
    expect(await rig.must('pairing.standing', {}, applicant)).toEqual({ state: 'paired' });
    await rig.virtual.run(2 * FAIL_SAFE);
    expect((await rig.must('gateway.get', { home, gateway: id })).state).toBe('paired');
  });

  test('refused by the gateway is undone at once; a later report does not bring it back', async () => {
    await claimed();
    await request();
    await hello();
    await report('voice', 'rejected');
    await rig.virtual.run(1);
    expect(await rig.must('pairing.standing', {}, applicant)).toEqual({
      state: 'failed',
      cause: 'pairing_document_rejected',
    });
    expect(await report('system')).toMatchObject({ fault: { code: 'not_found' } });
    expect(await hello()).toMatchObject({ fault: { code: 'not_found' } });
  });

  test('of a paired gateway survives a document that it refuses later', async () => {
    await claimed();
    await request();
    await hello();
    await report('system');
    await report('voice');
    await report('voice', 'rejected');
    await rig.virtual.run(1);
    expect((await rig.must('gateway.get', { home, gateway: id })).state).toBe('paired');
  });
});

test.each([
  [[], 'open'],
  [[{ doc: 'system', state: 'applied' }], 'open'],
  [
    [
      { doc: 'system', state: 'applied' },
      { doc: 'voice', state: 'applied' },
    ],
    'paired',
  ],
  [
    [
      { doc: 'system', state: 'applied' },
      { doc: 'other', state: 'applied' },
    ],
    'open',
  ],
  [
    [
      { doc: 'system', state: 'applied' },
      { doc: 'voice', state: 'rejected' },
    ],
    'rejected',
  ],
])('of the reports %j the verdict is %s', (reports, expected) => {
  expect(verdict(['system', 'voice'], reports)).toBe(expected);
});

test('the fail-safe names how far it came, and a clock that jumps makes it no longer', () => {
  expect(timeoutCause('claimed')).toBe('pairing_timeout');
  expect(timeoutCause('reconnecting')).toBe('pairing_not_connected');
  expect(timeoutCause('configuring')).toBe('pairing_timeout');
  expect(failSafeIn(1_000_000, 1_000_000)).toBe(FAIL_SAFE);
  expect(failSafeIn(1_000_000, 1_020_000)).toBe(FAIL_SAFE - 20_000);
  expect(failSafeIn(1_000_000, 9_000_000)).toBe(0);
  expect(failSafeIn(9_000_000, 1_000_000)).toBe(FAIL_SAFE);
});
