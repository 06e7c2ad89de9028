import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hostDisk } from './disk.ts';
import { makeFolder } from './folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearthline-folder-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a folder', () => {
  it('is made with all above it, its owner’s alone, and again is nothing', async () => {
    const path = join(folder, 'a/b/c');
    await Promise.all([makeFolder(path), makeFolder(path), makeFolder(join(folder, 'a/b/d'))]);
    await makeFolder(path);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(existsSync(join(folder, 'a/b/d'))).toBe(true);
  });

  it('is not made where a file stands, nor below one', async () => {
    writeFileSync(join(folder, 'file'), '');
    await expect(makeFolder(join(folder, 'file'))).rejects.toMatchObject({ code: 'EEXIST' });
    await expect(makeFolder(join(folder, 'file/x'))).rejects.toMatchObject({ code: 'ENOTDIR' });
  });

  it.skipIf(!existsSync('/proc/self'))('in which nothing can be made is said so, and tried once', async () => {
    await expect(makeFolder('/proc/nothing/here')).rejects.toMatchObject({ code: 'ENOENT' });
    await expect(hostDisk().write('/proc/nothing/here/file', new Uint8Array())).rejects.toMatchObject({
      code: 'ENOENT',
    });
    await expect(hostDisk().append('/proc/nothing/here/file')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
