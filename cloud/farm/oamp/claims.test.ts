/** Claims at the oamp server alone: who may make and see them, what uses them up, what a guesser gets. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Principal } from '#cloud/bus/bus.ts';
import { gatewayById } from '#cloud/store/directory.ts';
import { misfit } from '#shared/protocol/check.ts';
import { FAIL_SAFE } from '#shared/protocol/pairing.ts';
import { CLAIM_LIFETIME } from '#shared/protocol/verbs/claim.ts';
import { verbs } from '#shared/protocol/verbs/index.ts';
import { account, makeOamp, type OampRig } from '#test/support/oamp.ts';
import { CLAIMS_KEPT, CLAIMS_PER_HOME, TRIES_OF_KEY } from './claims.ts';

let rig: OampRig;
let home: string;
beforeEach(async () => {
  rig = await makeOamp();
  home = (await rig.must('home.create', { name: 'Elm Street 1' })).id;
});
afterEach(() => rig.end());

const key = (n: number): Principal => ({ kind: 'applicant', keyHash: n.toString(16).padStart(64, '0') });
const make = async (more: { lifetime?: number } = {}) =>
  (await rig.must('claim.create', { home, ...more })).claim ?? '';
const use = (claim: string, by: Principal = key(1)) =>
  rig.ask('pairing.claim', { claim, profile: 'residential-gateway', version: '1' }, by);
const list = async () => (await rig.must('claim.list', { home })).items;

describe('a claim', () => {
  test('is told once, kept as a hash, and listed without its text', async () => {
    const made = await rig.must('claim.create', { home, name: 'Cellar' });
    expect(made).toMatchObject({
      home,
      name: 'Cellar',
      state: 'open',
      expiresAt: made.createdAt + CLAIM_LIFETIME.usual,
    });
    expect(made.claim).toMatch(/^hlc_.{32}$/);
    const { claim, ...rest } = made;
    expect(await list()).toEqual([rest]);
    expect(JSON.stringify(await rig.store.all('SELECT * FROM gateway_claim'))).not.toContain(claim);
  });

  test('is for those who see the home, and taken away by them', async () => {
    const stranger = account('subscriber', ['home_other']);
    const owner = account('subscriber', [home]);
    const text = await make();
    const [{ id } = { id: '' }] = await list();
    for (const outcome of [
      await rig.ask('claim.create', { home }, stranger),
      await rig.ask('claim.list', { home }, stranger),
      await rig.ask('claim.remove', { home, claim: id }, stranger),
      await rig.ask('claim.remove', { home, claim: 'clm_other' }, owner),
    ])
      expect(outcome).toMatchObject({ fault: { code: 'not_found' } });
    expect(await rig.ask('claim.remove', { home, claim: id }, owner)).toMatchObject({ ok: true });
    expect(await use(text)).toMatchObject({ fault: { code: 'claim_unknown' } });
  });

  test(`is one of ${CLAIMS_PER_HOME} open ones at the most; used and expired ones do not count`, async () => {
    const first = await make();
    await make({ lifetime: CLAIM_LIFETIME.least });
    for (let i = 2; i < CLAIMS_PER_HOME; i++) await make();
    expect(await rig.ask('claim.create', { home })).toMatchObject({ fault: { code: 'limit_reached' } });
    await use(first);
    await make();
    expect(await rig.ask('claim.create', { home })).toMatchObject({ fault: { code: 'limit_reached' } });
    await rig.virtual.run(CLAIM_LIFETIME.least);
    await make();
    expect(await rig.ask('claim.create', { home })).toMatchObject({ fault: { code: 'limit_reached' } });
  });

  test('begins a pairing of the key that shows it', async () => {
    const outcome = await use(await make());
    if (!outcome.ok) throw new Error(outcome.fault.code);
    expect(outcome.value.home).toBe(home);
    expect(await rig.must('gateway.get', { home, gateway: outcome.value.gateway })).toMatchObject({ state: 'waiting' });
    expect(await list()).toMatchObject([{ state: 'used', gateway: outcome.value.gateway }]);
    expect((await rig.must('audit.list', {})).items).toMatchObject([{ verb: 'pairing.claim', outcome: 'ok' }]);
  });

  test('is only for applicants', async () => {
    const text = await make();
    for (const by of [account('subscriber', []), { kind: 'gateway', gateway: 'gw_1', home } as const])
      expect(await use(text, by)).toMatchObject({ fault: { code: 'forbidden' } });
  });

  test('pairs one key: another gets claim_used, the same one may show it again until its pairing is done', async () => {
    const text = await make();
    const first = await use(text);
    expect(await use(text)).toEqual(first);
    expect(await use(text, key(2))).toMatchObject({ fault: { code: 'claim_used' } });
    await rig.virtual.run(FAIL_SAFE + 1);
    const gateway = first.ok ? first.value.gateway : '';
    expect(await gatewayById(rig.store, gateway)).toMatchObject({ state: 'failed' });
    expect(await use(text)).toEqual(first);
    expect(await gatewayById(rig.store, gateway)).toMatchObject({ state: 'waiting' });
  });

  test('used at the same time by two keys pairs one', async () => {
    const claim = await make();
    const body = { claim, profile: 'residential-gateway', version: '1' } as const;
    const outcomes = await rig.virtual.settle(
      Promise.all([1, 2, 3].map((n) => rig.bus.request('pairing.claim', body, { principal: key(n) }))),
    );
    expect(outcomes.filter(({ ok }) => ok).length).toBe(1);
    expect((await rig.must('gateway.list', { home })).items.length).toBe(1);
  });

  test('does not pair again the gateway that was removed from its home', async () => {
    const text = await make();
    const outcome = await use(text);
    await rig.must('gateway.remove', { home, gateway: outcome.ok ? outcome.value.gateway : '' });
    expect(await use(text)).toMatchObject({ fault: { code: 'claim_used' } });
  });

  test('takes no gateway from another home', async () => {
    const other = (await rig.must('home.create', { name: 'Other' })).id;
    await use(await make());
    const theirs = (await rig.must('claim.create', { home: other })).claim ?? '';
    expect(await use(theirs)).toMatchObject({ fault: { code: 'claim_used' } });
    expect((await rig.must('gateway.list', { home: other })).items).toEqual([]);
  });

  test('expires, is forgotten later, and may not live longer than a year', async () => {
    const text = await make({ lifetime: CLAIM_LIFETIME.least });
    await rig.virtual.run(CLAIM_LIFETIME.least);
    expect(await use(text)).toMatchObject({ fault: { code: 'claim_expired' } });
    expect(await list()).toMatchObject([{ state: 'expired' }]);
    await rig.virtual.run(CLAIMS_KEPT + 3_600_000);
    expect(await list()).toEqual([]);
    const form = verbs['claim.create'].request;
    for (const lifetime of [CLAIM_LIFETIME.least - 1, CLAIM_LIFETIME.most + 1])
      expect(misfit(form, { home, lifetime })).toMatchObject({ code: 'bad_request' });
    expect(misfit(form, { home, lifetime: CLAIM_LIFETIME.most })).toBeUndefined();
  });

  test(`is guessed ${TRIES_OF_KEY.burst} times by one key, then once a minute; guesses leave no trace`, async () => {
    const guess = (n: number) => use(`hlc_${n.toString().padStart(32, '0')}`);
    for (let n = 0; n < TRIES_OF_KEY.burst; n++)
      expect(await guess(n)).toMatchObject({ fault: { code: 'claim_unknown' } });
    expect(await guess(99)).toMatchObject({ fault: { code: 'rate_limited' } });
    expect(await use(await make())).toMatchObject({ fault: { code: 'rate_limited' } });
    expect(await use(await make(), key(2))).toMatchObject({ ok: true });
    await rig.virtual.run(60_000);
    expect(await guess(100)).toMatchObject({ fault: { code: 'claim_unknown' } });
    expect((await rig.must('audit.list', {})).items.length).toBe(1);
  });
});
