/** The root of the image as it was built: what is in it, what may not be, and its bill of materials. */
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, inject, test } from 'vitest';
import { neededLibraries } from '#images/raspberry-pi/elf.ts';
import { licencesOf } from '#images/raspberry-pi/licences.ts';
import { readLock } from '#images/raspberry-pi/packages.ts';
import { readNotices, writeBill } from '#images/raspberry-pi/sbom.ts';
import { walk } from '#images/raspberry-pi/unpack.ts';

const root = join(inject('image').folder, 'tree/root');
const tree = resolve(import.meta.dirname, '../..');
const text = (path: string) => readFileSync(join(root, path), 'utf8');

/** Where a path of the root ends, links of the root followed inside it; undefined where it ends nowhere. */
function target(path: string, depth = 0): string | undefined {
  if (depth > 20) return undefined;
  let at = '';
  for (const part of path.split('/').filter((one) => one !== '')) {
    const next = `${at}/${part}`;
    const state = lstatSync(join(root, next), { throwIfNoEntry: false });
    if (state === undefined) return undefined;
    if (!state.isSymbolicLink()) at = next;
    else {
      const to = readlinkSync(join(root, next));
      const followed = target(to.startsWith('/') ? to : resolve('/', dirname(next), to), depth + 1);
      if (followed === undefined) return undefined;
      at = followed;
    }
  }
  return at;
}

test('links lead to something, but for those that come to life at the boot', () => {
  const later = /^\/?(?:run|data|proc|dev|sys)(?:\/|$)/;
  const dangling: string[] = [];
  for (const path of walk(root)) {
    if (!lstatSync(join(root, path)).isSymbolicLink()) continue;
    const to = readlinkSync(join(root, path));
    const whole = to.startsWith('/') ? to : resolve('/', dirname(path), to);
    if (!later.test(whole) && target(whole) === undefined) dangling.push(`${path} -> ${to}`);
  }
  expect(dangling).toEqual([]);
});

test('nothing gives rights, nothing is a device, no key is private, no image shares a secret', () => {
  for (const path of walk(root)) {
    const state = lstatSync(join(root, path));
    expect(state.isFile() || state.isDirectory() || state.isSymbolicLink(), path).toBe(true);
    if (!state.isFile()) continue;
    expect(state.mode & 0o6000, path).toBe(0);
    if (state.mode & 0o002) throw new Error(`${path} may be written by anybody`);
    if (path.startsWith('etc/')) expect(text(path), path).not.toMatch(/PRIVATE KEY|psk=|passphrase=/);
  }
  expect(text('etc/machine-id')).toBe('');
  expect(readdirSync(join(root, 'var')).sort()).toEqual(['cache', 'lib', 'lock', 'log', 'run', 'spool', 'tmp']);
});

test('it says what it is', () => {
  expect(text('usr/lib/os-release')).toMatch(/^VERSION_ID=1\.0\.0$/m);
  expect(JSON.parse(text('etc/hearthline/image.json'))).toMatchObject({ version: '1.0.0', board: 'rpi-arm64' });
  expect(text('etc/rauc/keyring.pem')).toMatch(/^-----BEGIN CERTIFICATE-----/);
  expect(lstatSync(join(root, 'usr/lib/clock-epoch')).size).toBe(0);
});

test('every package brought its copyright, and stands in the bill of materials', () => {
  const lock = readLock(readFileSync(join(tree, 'images/raspberry-pi/packages.lock'), 'utf8'));
  if (!lock.ok) throw new Error(lock.fault);
  const debian = lock.value.map((locked) => {
    const path = target(`usr/share/doc/${locked.name}/copyright`);
    expect(path, locked.name).toBeDefined();
    return { locked, licences: licencesOf(text(path ?? '')) };
  });
  const notices = readNotices(
    text('usr/share/doc/hearthline/copyright'),
    readFileSync(join(tree, 'package-lock.json'), 'utf8'),
  );
  expect(notices.npm.length).toBeGreaterThan(10);
  const bill = JSON.parse(
    writeBill({ version: '1.0.0', epoch: 0, debian, ...notices, executable: { sha256: '0'.repeat(64) } }),
  ) as { components: { name: string; licenses: unknown[] }[] };
  expect(bill.components).toHaveLength(debian.length + notices.npm.length + 2);
  for (const { name, licenses } of bill.components) expect(licenses.length, name).toBeGreaterThan(0);
});

test('names of systemd units, of accounts on the message bus, and of time servers are what the image knows', () => {
  const accounts = new Set(
    text('etc/passwd')
      .split('\n')
      .map((line) => line.split(':')[0]),
  );
  const wanted = [...walk(join(root, 'etc/systemd/system'))].filter((path) => /\.wants\/[^/]+\.service$/.test(path));
  expect(wanted.length).toBeGreaterThan(15);
  for (const path of wanted)
    for (const [, user = ''] of text(target(join('etc/systemd/system', path)) ?? '').matchAll(/^User=(.*)$/gm))
      expect(accounts, path).toContain(user);
  expect(existsSync(join(root, 'usr/lib/firmware/brcm'))).toBe(true);
  expect(target('usr/lib/firmware/regulatory.db')).toBeDefined();
});

test('libraries are read from programs', () => {
  const needed = neededLibraries(readFileSync(join(root, 'usr/bin/rauc'))) ?? [];
  expect(needed).toEqual(expect.arrayContaining(['libc.so.6', 'libcrypto.so.3', 'libglib-2.0.so.0']));
  expect(neededLibraries(readFileSync(join(root, 'usr/bin/busybox')))).toEqual([]);
});
