/** Which packages a gateway lets run, each refusal named. */
import { beforeAll, describe, expect, it } from 'vitest';
import { hostCrypto } from '#shared/host/crypto.ts';
import { toBase64 } from '#shared/kernel/base64.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import type { AppPackage, Manifest } from '#shared/protocol/applet-manifest.ts';
import { makePackage, packageHash, signManifest, withHashes } from '#shared/protocol/applet-package.ts';
import { admitPackage, type Wanted } from './fetch.ts';

const crypto = hostCrypto();
let developer: KeyPair;
let operator: KeyPair;
let operatorKey: string;

const base: Omit<Manifest, 'cloud' | 'applet'> = {
  format: 1,
  id: 'doorbell',
  version: '1.2.0',
  name: 'Doorbell',
  about: 'Rings.',
  api: 1,
  matches: '^1.0.0',
  scopes: [],
  events: [],
  services: [],
  permissions: {},
};

async function make(
  change: Partial<Manifest> = {},
  bundles: { cloud?: string; applet?: string } = { applet: '1' },
): Promise<AppPackage> {
  const pack = await makePackage({ ...withHashes(base, bundles, crypto), ...change }, bundles, developer, crypto);
  return { ...pack, operator: await signManifest(pack.manifest, operator, crypto) };
}

const wantedFor = (pack: AppPackage, change: Partial<Wanted> = {}): Wanted => ({
  install: 'ins_1',
  application: 'doorbell',
  version: '1.2.0',
  matches: '^1.0.0',
  sha256: packageHash(pack, crypto),
  grants: [],
  ...change,
});

async function verdict(pack: unknown, wanted: Wanted, trusted = operatorKey): Promise<string> {
  const admitted = await admitPackage(pack, wanted, trusted, { crypto });
  return admitted.ok ? 'runs' : admitted.fault;
}

beforeAll(async () => {
  developer = await crypto.createKey('Ed25519');
  operator = await crypto.createKey('Ed25519');
  operatorKey = toBase64(operator.publicKey);
});

describe('a package', () => {
  it('of the application, in range, countersigned and named by its hash runs', async () => {
    const pack = await make();
    expect(await verdict(pack, wantedFor(pack))).toBe('runs');
  });

  it('of another application is refused; both are named', async () => {
    const pack = await make({ id: 'wake-up-radio' });
    expect(await verdict(pack, wantedFor(pack))).toBe(
      'The applet belongs to the application “wake-up-radio”; “doorbell” is installed.',
    );
  });

  it('outside the range of either half is refused; both versions are named', async () => {
    const pack = await make();
    expect(await verdict(pack, wantedFor(pack, { matches: '>=1.3.0 <2.0.0' }))).toMatch(
      /version 1\.2\.0 is outside the range >=1\.3\.0 <2\.0\.0/,
    );
    const narrow = await make({ matches: '^2.0.0' });
    expect(await verdict(narrow, wantedFor(narrow))).toMatch(
      /works with \^2\.0\.0 of its application; version 1\.2\.0/,
    );
    expect(await verdict(pack, wantedFor(pack, { version: '1.2.1' }))).toMatch(/version 1\.2\.0; 1\.2\.1 is installed/);
  });

  it('without the operator’s countersignature, or with somebody else’s, is refused', async () => {
    const pack = await make();
    const { operator: _, ...bare } = pack;
    const forged = {
      ...pack,
      operator: { ...(await signManifest(pack.manifest, developer, crypto)), key: operatorKey },
    };
    for (const one of [bare as AppPackage, forged]) expect(await verdict(one, wantedFor(one))).toMatch(/countersigned/);
    expect(await verdict(pack, wantedFor(pack), toBase64(developer.publicKey))).toMatch(/countersigned/);
  });

  it('that is not the one that the cloud named, was changed, or has no applet is refused', async () => {
    const pack = await make();
    expect(await verdict(pack, wantedFor(pack, { sha256: '0'.repeat(64) }))).toMatch(/SHA-256/);
    expect(await verdict({ ...pack, bundles: { applet: '2' } }, wantedFor(pack))).toMatch(/bundle/);
    const half = await make({}, { cloud: '1' });
    expect(await verdict(half, wantedFor(half))).toMatch(/no applet/);
    expect(await verdict('junk', wantedFor(pack))).toMatch(/form/);
  });
});
