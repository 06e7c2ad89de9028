import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { hostCrypto } from '#shared/host/crypto.ts';
import { fromBase64, toBase64 } from '#shared/kernel/base64.ts';
import type { KeyPair } from '#shared/kernel/world.ts';
import { type AppPackage, type Manifest, PACKAGE_LIMIT } from './applet-manifest.ts';
import { isApproved, makePackage, packageHash, readPackage, signManifest, withHashes } from './applet-package.ts';
import { rightsDifference, rightsOf } from './applet-rights.ts';
import { canonical } from './canonical.ts';
import { compareVersions, inRange, isRange, isVersion } from './version.ts';

describe('canonical JSON', () => {
  // RFC 8785, section 3.2.3 and appendix B.
  it.each([
    [{ b: 1, a: [true, null, 'x'] }, '{"a":[true,null,"x"],"b":1}'],
    [{ '\u20ac': 1, '\r': 2, '1': 3, '\u0080': 4 }, '{"\\r":2,"1":3,"\u0080":4,"\u20ac":1}'],
    [[333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0], '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]'],
    [{ a: undefined }, '{}'],
  ])('%j', (value, text) => expect(canonical(value)).toBe(text));

  it('is the same for every order of members and survives a round trip', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = canonical(value);
        expect(canonical(JSON.parse(text))).toBe(text);
        expect(canonical(reversed(value))).toBe(text);
      }),
    );
  });

  it.each([[Number.NaN], [() => 1], [[undefined]], [1n]])('refuses %s', (value) =>
    expect(() => canonical(value)).toThrow(),
  );

  it('refuses nesting without end', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 33; i++) deep = [deep];
    expect(() => canonical(deep)).toThrow('nested');
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, part]) => [name, reversed(part)]),
  );
}

describe('versions', () => {
  it.each([
    ['1.2.3', '^1.2.0', true],
    ['2.0.0', '^1.2.0', false],
    ['1.1.9', '^1.2.0', false],
    ['0.2.5', '^0.2.1', true],
    ['0.3.0', '^0.2.1', false],
    ['1.2.9', '~1.2.3', true],
    ['1.3.0', '~1.2.3', false],
    ['1.9.9', '>=1.0.0 <2.0.0', true],
    ['2.0.0', '>=1.0.0 <2.0.0', false],
    ['1.0.0', '1.0.0', true],
    ['1.0.1', '=1.0.0', false],
    ['9.9.9', '*', true],
    ['1.0', '*', false],
    ['1.0.0', 'latest', false],
    ['1.0.0', '', false],
    ['1.0.0-beta', '*', false],
  ])('%s in %s: %s', (version, range, expected) => expect(inRange(version, range)).toBe(expected));

  it('are ordered by number, and what is none comes first', () => {
    expect(['1.10.0', 'x', '1.9.0', '2.0.0'].sort(compareVersions)).toEqual(['x', '1.9.0', '1.10.0', '2.0.0']);
    expect([
      isVersion('01.0.0'),
      isVersion('1000000.0.0'),
      isRange('>= 1.0.0'),
      isRange(`${'1.0.0 '.repeat(11)}1.0.0`),
    ]).toEqual([false, false, false, false]);
  });
});

it('base 64 is what Node writes, and only that is read', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), (octets) => {
      expect(toBase64(octets)).toBe(Buffer.from(octets).toString('base64'));
      expect(fromBase64(toBase64(octets))).toEqual(Uint8Array.from(octets));
    }),
  );
  for (const text of ['a', 'ab', 'abc', 'ab=c', 'a===', 'ab!=', 'YR==']) expect(fromBase64(text)).toBeUndefined();
});

describe('a package', () => {
  const crypto = hostCrypto();
  let key: KeyPair;
  let operator: KeyPair;
  let good: AppPackage;
  const base: Omit<Manifest, 'cloud' | 'applet'> = {
    format: 1,
    id: 'doorbell',
    version: '1.0.0',
    name: 'Doorbell',
    about: 'Rings.',
    api: 1,
    matches: '^1.0.0',
    scopes: ['calls:write'],
    events: ['home.session.v1.*'],
    services: ['weather'],
    permissions: { 'call.events': {}, storage: { kb: 8 } },
  };
  const make = (bundles: { cloud?: string; applet?: string }, change: Partial<Manifest> = {}) =>
    makePackage({ ...withHashes(base, bundles, crypto), ...change }, bundles, key, crypto);
  const refusal = async (value: unknown) => {
    const read = await readPackage(value, crypto);
    return read.ok ? 'taken' : read.fault;
  };

  beforeAll(async () => {
    key = await crypto.createKey('Ed25519');
    operator = await crypto.createKey('Ed25519');
    good = await make({ cloud: '1', applet: '2' });
  });

  it('that was just made is taken, and its hash is that of its canonical text', async () => {
    expect(await refusal(good)).toBe('taken');
    expect(await refusal(JSON.parse(JSON.stringify(good)))).toBe('taken');
    expect(packageHash(good, crypto)).toBe(packageHash(reversed(good) as AppPackage, crypto));
  });

  it('that was changed anywhere is refused with words', async () => {
    const { manifest, bundles, developer } = good;
    const other = await crypto.createKey('Ed25519');
    const table: [unknown, RegExp][] = [
      [undefined, /form/],
      [{ ...good, more: 1 }, /form/],
      [{ ...good, hearthline: 'application/2' }, /form/],
      [{ ...good, manifest: { ...manifest, permissions: { ...manifest.permissions, 'fs.read': {} } } }, /form/],
      [{ ...good, manifest: { ...manifest, permissions: { storage: { kb: 1024 } } } }, /signature/],
      [{ ...good, manifest: { ...manifest, version: '1.0.1' } }, /signature/],
      [{ ...good, bundles: { ...bundles, applet: '3' } }, /applet bundle/],
      [{ ...good, bundles: { cloud: '1' } }, /differ about the applet/],
      [{ ...good, developer: { ...developer, key: toBase64(other.publicKey) } }, /signature/],
      [{ ...good, developer: { ...developer, signature: '' } }, /signature/],
      [await make({ cloud: '1' }, { api: 2 }), /API level/],
      [await make({ cloud: '1' }, { matches: 'latest' }), /range/],
      [await make({}), /neither/],
      [await make({ cloud: 'x'.repeat(PACKAGE_LIMIT - 100) }), /octets/],
    ];
    for (const [value, words] of table) expect(await refusal(value)).toMatch(words);
  });

  it('is approved by the operator’s key alone', async () => {
    const approved = { ...good, operator: await signManifest(good.manifest, operator, crypto) };
    const trusted = toBase64(operator.publicKey);
    expect(await isApproved(approved, trusted, crypto)).toBe(true);
    expect(await isApproved(good, trusted, crypto)).toBe(false);
    expect(await isApproved(approved, toBase64(key.publicKey), crypto)).toBe(false);
    expect(await isApproved({ ...good, operator: { ...good.developer, key: trusted } }, trusted, crypto)).toBe(false);
  });

  it('says what it asks for, and what a new version asks beyond', () => {
    const { manifest } = good;
    expect(rightsOf(manifest).map((right) => right.key)).toEqual([
      'permission:call.events',
      'permission:storage',
      'scope:calls:write',
      'event:home.session.v1.*',
      'service:weather',
    ]);
    const wider = { ...manifest, permissions: { storage: { kb: 9 } }, scopes: ['calls:write', 'calls:read'] };
    const { added, removed } = rightsDifference(manifest, wider);
    expect(added.map((right) => right.key)).toEqual(['permission:storage', 'scope:calls:read']);
    expect(removed.map((right) => right.key)).toEqual(['permission:call.events']);
    expect(rightsDifference(undefined, manifest).added).toHaveLength(5);
    expect(rightsDifference(manifest, manifest)).toEqual({ added: [], removed: [] });
  });
});
