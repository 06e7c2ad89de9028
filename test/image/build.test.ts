/** `images/raspberry-pi/build` as its user runs it: twice at once, and every file is the same. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, inject, test } from 'vitest';
import { readManifest } from '#shared/protocol/image-manifest.ts';

const tree = resolve(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-build-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sums = (out: string) =>
  Object.fromEntries(
    readdirSync(join(folder, out))
      .sort()
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(folder, out, name)))
          .digest('hex'),
      ]),
  );

test('two builds are equal octet for octet, and say of themselves what they are', async () => {
  const { keyring } = inject('image').authority;
  const build = async (out: string) => {
    const words = ['--keyring', keyring, '--version', '1.2.3', '--out', join(folder, out)];
    const { stdout } = await promisify(execFile)(join(tree, 'images/raspberry-pi/build'), words, {
      env: { ...process.env, SOURCE_DATE_EPOCH: '1790000000' },
    });
    return stdout;
  };
  const [said = ''] = await Promise.all([build('a'), build('b')]);
  const files = sums('a');
  expect(sums('b')).toEqual(files);
  const name = 'hearthline-1.2.3-rpi-arm64';
  const image = `${name}.img.zst`;
  expect(Object.keys(files)).toEqual([
    `${name}.cdx.json`,
    image,
    `${image}.sha256`,
    `${name}.manifest.json`,
    `${name}.slot`,
  ]);
  expect(readFileSync(join(folder, 'a', `${image}.sha256`), 'utf8')).toBe(`${files[image]}  ${image}\n`);
  expect(said).toContain(files[image]);
  expect(readManifest(readFileSync(join(folder, 'a', `${name}.manifest.json`), 'utf8'))).toMatchObject({
    ok: true,
    value: {
      url: image,
      image_download_sha256: files[image],
      release_date: '2026-09-21',
      hearthline: { version: '1.2.3' },
    },
  });
}, 900_000);
