import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { hostDisk } from './disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-disk-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('a file that cannot be written leaves nothing behind', async () => {
  const disk = hostDisk();
  await disk.write(join(folder, 'taken/file'), Uint8Array.of(1));
  await expect(disk.write(join(folder, 'taken'), Uint8Array.of(2))).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(['taken']);
  expect(await disk.read(join(folder, 'taken/file'))).toEqual(Uint8Array.of(1));
});
