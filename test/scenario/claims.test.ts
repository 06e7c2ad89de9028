/** A claim on the boot partition pairs a gateway at its first boot without a code; both sides real, on the virtual world. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CODE_LIFETIME } from '#shared/protocol/pairing.ts';
import { CLAIM_LIFETIME } from '#shared/protocol/verbs/claim.ts';
import { type Gateway, PairingRig } from '#test/support/pairing-rig.ts';

let rig: PairingRig;
let home: string;
beforeEach(async () => {
  rig = await PairingRig.make(1);
  home = await rig.home();
});
afterEach(() => rig.end());

const make = async (lifetime?: number) =>
  (await rig.must('claim.create', { home, ...(lifetime === undefined ? {} : { lifetime }) })).claim ?? '';
const paired = (gateway: Gateway, within = 10_000) =>
  rig.virtual.until(() => gateway.pairing.status().at === 'paired', within, 'paired');
const kept = (name: string) => rig.settle(rig.virtual.host(name, ['10.0.1.1']).disk.read('/state/claim.json'));

test('a gateway with a claim is paired without anybody doing anything, and keeps no claim', async () => {
  const gateway = await rig.gateway('gw', '10.0.1.1', { claim: await make() });
  await paired(gateway);
  expect(gateway.pairing.status()).toMatchObject({ home, online: true });
  expect(gateway.pairing.status().code).toBeUndefined();
  expect(await kept('gw')).toBeUndefined();
  expect((await rig.must('claim.list', { home })).items).toMatchObject([
    { state: 'used', gateway: gateway.pairing.status().gateway },
  ]);
});

test('so is one whose clock stands at the image’s floor, years behind', async () => {
  rig.virtual.skew('gw', -3 * 365 * 86_400_000);
  await paired(await rig.gateway('gw', '10.0.1.1', { claim: await make() }));
});

test('and one whose cloud is not there yet', async () => {
  const claim = await make();
  await rig.stopPart('gateway-edge');
  const gateway = await rig.gateway('gw', '10.0.1.1', { claim });
  await rig.virtual.run(120_000);
  expect(gateway.pairing.status().at).not.toBe('paired');
  await rig.startPart('gateway-edge');
  await paired(gateway, 120_000);
});

test.each<[string, () => Promise<string>, string]>([
  ['unknown', async () => `hlc_${'0'.repeat(32)}`, 'claim_unknown'],
  [
    'expired',
    async () => {
      const claim = await make(CLAIM_LIFETIME.least);
      await rig.virtual.run(CLAIM_LIFETIME.least);
      return claim;
    },
    'claim_expired',
  ],
  [
    'used',
    async () => {
      const claim = await make();
      await paired(await rig.gateway('first', '10.0.1.9', { claim }));
      return claim;
    },
    'claim_used',
  ],
])('a claim that is %s: the gateway shows its code and says why', async (_, prepare, cause) => {
  const gateway = await rig.gateway('gw', '10.0.1.1', { claim: await prepare() });
  const code = await rig.code(gateway);
  expect(gateway.pairing.status().cause).toBe(cause);
  expect(await kept('gw')).toBeUndefined();
  await rig.must('gateway.claim', { home, code });
  await paired(gateway);
});

test('a home that is full: the code is shown, nobody is paired', async () => {
  for (let i = 0; i < 16; i++) await paired(await rig.gateway(`g${i}`, `10.0.2.${i + 1}`, { claim: await make() }));
  const gateway = await rig.gateway('gw', '10.0.1.1', { claim: await make() });
  await rig.code(gateway);
  expect(gateway.pairing.status().cause).toBe('limit_reached');
});

test('a power cut before any of its writes, and the claim still pairs it', async () => {
  for (let cut = 1; cut <= 8; cut++) {
    const claim = await make();
    const [name, address] = [`gw${cut}`, `10.0.3.${cut}`];
    let [writes, off] = [0, false];
    const beforeWrite = () => {
      if (off || ++writes !== cut + 1) return;
      off = true;
      first?.kill();
      throw new Error('no power');
    };
    let first: Gateway | undefined;
    first = await rig.gateway(name, address, { claim, beforeWrite }).catch(() => undefined);
    await rig.virtual.run(5_000);
    const again = off ? await rig.gateway(name, address) : first;
    if (again === undefined) throw new Error('no gateway');
    await paired(again, CODE_LIFETIME + 120_000);
    expect(again.pairing.status().home).toBe(home);
  }
});
