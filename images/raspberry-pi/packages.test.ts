import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { chooseModules } from './modules.ts';
import {
  debFile,
  debName,
  type LockedPackage,
  places,
  readLock,
  readPackageList,
  readStanzas,
  writeLock,
} from './packages.ts';

const own = (name: string) => readFileSync(join(import.meta.dirname, name), 'utf8');
const SUM = 'a'.repeat(64);

test('our list and lock can be read, and agree', () => {
  const list = readPackageList(own('packages.txt'));
  const lock = readLock(own('packages.lock'));
  if (!list.ok || !lock.ok) throw new Error('one cannot be read');
  for (const place of places)
    for (const name of list.value.wanted[place])
      expect(
        lock.value.some((one) => one.name === name && one.places.includes(place)),
        `${place}: ${name}`,
      ).toBe(true);
  for (const name of list.value.leftOut) expect(lock.value.filter((one) => one.name === name)).toEqual([]);
  expect(lock.value.filter(({ name }) => lock.value.filter((one) => one.name === name).length > 1)).toEqual([]);
  expect(writeLock(lock.value)).toBe(own('packages.lock'));
});

test.each([
  ['[roots]', 'line 1: there is no section [roots]'],
  ['# x\nnano', 'line 2: nano stands before the first section'],
  ['[root]\nna no', 'line 2: na no is no name of a package'],
  ['[root]\n-nano', 'line 2: -nano is no name of a package'],
])('a list is refused: %j', (text, fault) => {
  expect(readPackageList(text)).toEqual({ ok: false, fault });
});

test.each([
  `root nano 1.0 arm64 ${SUM}`,
  `root nano 1.0 amd64 ${SUM} 5`,
  `roof nano 1.0 arm64 ${SUM} 5`,
  `root,root2 nano 1.0 arm64 ${SUM} 5`,
  `root nano 1.0 arm64 ${SUM.slice(1)} 5`,
  `root nano 1.0 arm64 ${SUM.toUpperCase()} 5`,
  `root nano 1.0 arm64 ${SUM} 0`,
  `root ../nano 1.0 arm64 ${SUM} 5`,
  `root nano 1/0 arm64 ${SUM} 5`,
])('a lock is refused: %s', (line) => {
  expect(readLock(line)).toEqual({ ok: false, fault: 'line 1: is not "places name version architecture sha256 size"' });
});

const packages: fc.Arbitrary<LockedPackage> = fc.record({
  places: fc.subarray([...places], { minLength: 1 }),
  name: fc.stringMatching(/^[a-z0-9][a-z0-9+.-]{1,40}$/),
  version: fc.stringMatching(/^[0-9A-Za-z.+:~-]{1,40}$/),
  architecture: fc.constantFrom('arm64' as const, 'all' as const),
  sha256: fc.stringMatching(/^[0-9a-f]{64}$/),
  size: fc.integer({ min: 1, max: 999_999_999 }),
});

test('what is written is read again, in the order of the names', () => {
  fc.assert(
    fc.property(fc.uniqueArray(packages, { selector: ({ name }) => name }), (all) => {
      const read = readLock(writeLock(all));
      expect(read).toEqual({ ok: true, value: [...all].sort((a, b) => (a.name < b.name ? -1 : 1)) });
      for (const one of all) expect(debName(debFile(one))).toBe(one.name);
    }),
    { seed },
  );
});

test('stanzas: one map each, without what goes over several lines', () => {
  const text = 'Package: a\nVersion: 1:2\nDescription: x\n more\n\n\nPackage: b\n';
  expect(readStanzas(text).map((one) => Object.fromEntries(one))).toEqual([
    { Package: 'a', Version: '1:2', Description: 'x' },
    { Package: 'b' },
  ]);
  expect(debFile({ name: 'a', version: '1:2', architecture: 'all', places: ['root'], sha256: SUM, size: 1 })).toBe(
    'a_1%3a2_all.deb',
  );
});

test('modules come with what they depend on; one that the kernel lacks is an error', () => {
  const dep =
    'kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\nkernel/fs/jbd2/jbd2.ko.xz:\nkernel/lib/crc16.ko.xz:\nkernel/net/usb-net.ko:\n';
  expect(chooseModules(['ext4', 'usb_net', '?gone'], dep)).toEqual({
    ok: true,
    value: new Set([
      'kernel/fs/ext4/ext4.ko.xz',
      'kernel/fs/jbd2/jbd2.ko.xz',
      'kernel/lib/crc16.ko.xz',
      'kernel/net/usb-net.ko',
    ]),
  });
  expect(chooseModules(['ext4', 'gone', 'lost'], dep)).toEqual({
    ok: false,
    fault: 'the kernel has no module gone, lost',
  });
});
