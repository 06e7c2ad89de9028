import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { fetchPackages } from './debian.ts';
import { neededLibraries } from './elf.ts';
import type { LockedPackage } from './packages.ts';
import { BuildError, checkSize, IMAGE_LIMIT, missingPackages, run } from './tools.ts';

let cache = '';
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'hearthline-debs-'));
  mkdirSync(join(cache, 'debs'));
});
afterEach(() => rmSync(cache, { recursive: true }));

const content = 'a package';
const locked: LockedPackage = {
  ...{ places: ['root'], name: 'thing', version: '1:2', architecture: 'all', size: content.length },
  sha256: createHash('sha256').update(content).digest('hex'),
};

test('a package that the cache has is taken from there, if it is the one of the lock', () => {
  const path = join(cache, 'debs/thing_1%3a2_all.deb');
  writeFileSync(path, content);
  expect(fetchPackages([locked], cache)).toEqual(new Map([['thing', path]]));
  writeFileSync(path, `${content}.`);
  expect(() => fetchPackages([locked], cache)).toThrow(/is not the file that packages.lock pins/);
  expect(existsSync(path)).toBe(false);
});

test('what the host lacks is told as one line to type', () => {
  expect(missingPackages(() => true)).toBeUndefined();
  expect(missingPackages((path) => !path.endsWith('mksquashfs') && !path.endsWith('/mcopy'))).toBe(
    'apt-get install --no-install-recommends mtools squashfs-tools',
  );
  expect(missingPackages((path) => !path.endsWith('.gpg'))).toBe(
    'apt-get install --no-install-recommends debian-archive-keyring',
  );
});

test('a command that fails says why', () => {
  expect(run('sh', ['-c', 'echo out; echo err >&2'])).toBe('out\n');
  expect(() => run('sh', ['-c', 'echo why >&2; exit 4'])).toThrow(
    new BuildError('sh -c echo why >&2; exit 4 failed (4): why'),
  );
  expect(() => run('hearthline-no-such-command', [])).toThrow(BuildError);
});

test('an image may be so large, and no octet larger', () => {
  expect(() => checkSize('x', IMAGE_LIMIT)).not.toThrow();
  expect(() => checkSize('x', IMAGE_LIMIT + 1)).toThrow(BuildError);
});

test('what is no program of arm64 needs nothing', () => {
  expect(neededLibraries(new TextEncoder().encode('#!/bin/sh\n'.repeat(20)))).toBeUndefined();
  expect(neededLibraries(new Uint8Array(10))).toBeUndefined();
  if (process.arch !== 'arm64') expect(neededLibraries(readFileSync(process.execPath))).toBeUndefined();
});
