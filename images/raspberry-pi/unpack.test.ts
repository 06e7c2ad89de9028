import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { listLines, pathMatcher } from './glob.ts';
import { dropSetuid, prune, walk } from './unpack.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearthline-unpack-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (path: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), path);
};

test.each([
  ['usr/share/man/**', 'usr/share/man', true],
  ['usr/share/man/**', 'usr/share/man/man1/a.1.gz', true],
  ['usr/share/man/**', 'usr/share/manual', false],
  ['usr/lib/*.so', 'usr/lib/a.so', true],
  ['usr/lib/*.so', 'usr/lib/x/a.so', false],
  ['usr/bin/{a,b}', 'usr/bin/b', true],
  ['usr/bin/{a,b}', 'usr/bin/ab', false],
  ['x/y@.service', 'x/y@.service', true],
  ['a.b', 'aXb', false],
  ['a+b', 'aab', false],
  ['x/*.wants/**', 'x/multi-user.target.wants/a.service', true],
  ['x/*.d/**', 'x/y/z.d/a', false],
])('%s names %s: %s', (pattern, path, named) => {
  expect(pathMatcher([pattern])(path)).toBe(named);
});

test('lists have comments and blank lines', () => {
  expect(listLines('# a\n\n b \nc # d\n')).toEqual(['b', 'c # d']);
});

test('what is named goes, with folders that it leaves empty; the rest stays', () => {
  for (const path of ['a/b/c', 'a/b/d', 'e/f/g', 'e/h']) put(path);
  mkdirSync(join(folder, 'empty/before'), { recursive: true });
  symlinkSync('nowhere', join(folder, 'a/link'));
  prune(folder, pathMatcher(['a/**', 'e/f/g']));
  expect([...walk(folder)]).toEqual(['e', 'e/h', 'empty', 'empty/before']);
});

test('a link is removed, never what it leads to', () => {
  put('kept/file');
  mkdirSync(join(folder, 'gone'));
  symlinkSync('../kept', join(folder, 'gone/link'));
  prune(folder, pathMatcher(['gone/**']));
  expect(existsSync(join(folder, 'kept/file'))).toBe(true);
});

test('no file gives more than its caller has; folders keep their bits', () => {
  put('bin/mount');
  chmodSync(join(folder, 'bin/mount'), 0o6755);
  chmodSync(join(folder, 'bin'), 0o2755);
  dropSetuid(folder);
  expect(statSync(join(folder, 'bin/mount')).mode & 0o7777).toBe(0o755);
  expect(statSync(join(folder, 'bin')).mode & 0o7777).toBe(0o2755);
});
