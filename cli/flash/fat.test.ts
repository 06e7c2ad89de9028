/** The FAT writer against mkfs.vfat, mtools and fsck.vfat: what it writes, others read, and find nothing wrong with. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { latin1, utf8 } from '#shared/kernel/bytes.ts';
import { type Area, bootPartition, FAT_FILE_LIMIT, openFat } from './fat.ts';

const tools = ['/usr/sbin/mkfs.vfat', '/usr/sbin/fsck.vfat', '/usr/bin/mcopy'].every((tool) => existsSync(tool));
const NAME = 'hearthline.json';
const TIME = Date.UTC(2026, 10, 22, 6, 30, 8);

let folder: string;
let image: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'fat-'));
  image = join(folder, 'fat.img');
});
afterEach(() => rmSync(folder, { recursive: true }));

const quiet = { stdio: ['ignore', 'pipe', 'pipe'] as ['ignore', 'pipe', 'pipe'] };
const run = (program: string, ...words: string[]) => execFileSync(program, words, quiet).toString();
/** fsck's own words: it ends with an error where it finds any fault. */
const check = () => run('/usr/sbin/fsck.vfat', '-n', image);
const typed = (name: string) => execFileSync('/usr/bin/mtype', ['-i', image, `::${name}`], quiet);

function make(bits: 16 | 32, mebibytes: number, ...more: string[]): void {
  writeFileSync(image, new Uint8Array(0));
  execFileSync('/usr/bin/truncate', ['-s', `${mebibytes}M`, image]);
  run('/usr/sbin/mkfs.vfat', '-F', String(bits), '-n', 'HL-BOOT', ...more, image);
}

/** The image in memory; `save` puts it back on the disk for the tools. */
function memory(octets: Uint8Array): Area {
  return {
    read: async (at, length) => octets.slice(at, at + length),
    async write(at, data) {
      octets.set(data, at);
    },
  };
}

async function put(files: readonly (readonly [string, Uint8Array])[]): Promise<void> {
  const octets = new Uint8Array(readFileSync(image));
  for (const [name, data] of files) {
    const volume = await openFat(memory(octets));
    if (!volume.ok) throw new Error(volume.fault);
    const done = await volume.value.write(name, data, TIME);
    if (!done.ok) throw new Error(done.fault);
  }
  writeFileSync(image, octets);
}

async function get(name: string): Promise<Uint8Array | undefined> {
  const volume = await openFat(memory(new Uint8Array(readFileSync(image))));
  const read = volume.ok ? await volume.value.read(name) : volume;
  if (!read.ok) throw new Error(read.fault);
  return read.value;
}

describe.skipIf(!tools)('a file on the boot partition', () => {
  test.each<[string, 16 | 32, number, string[]]>([
    ['FAT16', 16, 16, []],
    ['FAT16 with large clusters', 16, 64, ['-s', '8']],
    ['FAT32 of 64 MiB', 32, 64, ['-s', '1']],
    ['FAT32 with one table', 32, 36, ['-s', '1', '-f', '1']],
  ])('on %s is read by others, and fsck finds nothing', async (_, bits, size, more) => {
    make(bits, size, ...more);
    execFileSync('/usr/bin/mcopy', ['-i', image, '/etc/os-release', '::A long name of another file.txt']);
    const text = utf8(JSON.stringify({ x: 'y'.repeat(3_000) }));
    await put([[NAME, text]]);
    check();
    expect(new Uint8Array(typed(NAME))).toEqual(text);
    expect(run('/usr/bin/mdir', '-i', image, '::')).toMatch(/HEARTH~1 JSO +\d+ 2026-11-22 +6:30 +hearthline\.json/);
    expect(typed('A long name of another file.txt')).toEqual(readFileSync('/etc/os-release'));
    expect(await get('HearthLine.JSON')).toEqual(text);
    expect(await get('other.json')).toBeUndefined();
    expect(latin1((await get('A long name of another file.txt')) ?? new Uint8Array())).toContain('NAME');
  });

  test('gives way to a newer one, larger, smaller or empty, without losing a cluster', async () => {
    make(32, 34, '-s', '1');
    for (const size of [1, 5_000, 512, 0, 70, FAT_FILE_LIMIT]) {
      const data = new Uint8Array(size).fill(size & 0xff);
      await put([[NAME, data]]);
      check();
      expect(await get(NAME)).toEqual(data);
      expect(new Uint8Array(typed(NAME))).toEqual(data);
    }
  });

  test('one that others have written is replaced, and its neighbours stay', async () => {
    make(16, 16);
    writeFileSync(join(folder, NAME), 'old '.repeat(9_000));
    execFileSync('/usr/bin/mcopy', ['-i', image, join(folder, NAME), '::']);
    execFileSync('/usr/bin/mcopy', ['-i', image, '/etc/os-release', '::hearth~1.jso.txt']);
    await put([
      [NAME, utf8('new')],
      ['hearthline-status.txt', utf8('fine')],
    ]);
    check();
    expect(typed(NAME).toString()).toBe('new');
    expect(typed('hearthline-status.txt').toString()).toBe('fine');
    expect(typed('hearth~1.jso.txt')).toEqual(readFileSync('/etc/os-release'));
  });

  test('any files in any order stay whole', { timeout: 30_000 }, async () => {
    const name = fc.constantFrom(NAME, 'hearthline.txt', 'a', 'hearth.jso', 'user-data', 'x'.repeat(60));
    const files = fc.array(fc.tuple(name, fc.uint8Array({ maxLength: 4_000 })), { minLength: 1, maxLength: 12 });
    make(16, 8, '-s', '1');
    const fresh = readFileSync(image);
    await fc.assert(
      fc.asyncProperty(files, async (list) => {
        writeFileSync(image, fresh);
        await put(list);
        check();
        for (const [file, data] of new Map(list.map(([file, data]) => [file.toLowerCase(), data])))
          expect(await get(file)).toEqual(data);
      }),
      { numRuns: 8 },
    );
  });

  test('that is too large, or for which there is no room, is refused before anything is written', async () => {
    make(16, 8, '-s', '1');
    const octets = new Uint8Array(readFileSync(image));
    const before = Uint8Array.from(octets);
    const volume = await openFat(memory(octets));
    const write = async (size: number) => (volume.ok ? volume.value.write(NAME, new Uint8Array(size), TIME) : volume);
    expect(await write(FAT_FILE_LIMIT + 1)).toEqual({ ok: false, fault: 'hearthline.json is too large' });
    expect(octets).toEqual(before);
    writeFileSync(join(folder, 'fill'), new Uint8Array(7_900_000));
    execFileSync('/usr/bin/mcopy', ['-i', image, join(folder, 'fill'), '::fill']);
    await expect(
      put([
        [NAME, new Uint8Array(FAT_FILE_LIMIT)],
        ['two', new Uint8Array(FAT_FILE_LIMIT)],
        ['three', new Uint8Array(FAT_FILE_LIMIT)],
        ['four', new Uint8Array(FAT_FILE_LIMIT)],
        ['five', new Uint8Array(FAT_FILE_LIMIT)],
        ['six', new Uint8Array(FAT_FILE_LIMIT)],
        ['seven', new Uint8Array(FAT_FILE_LIMIT)],
        ['eight', new Uint8Array(FAT_FILE_LIMIT)],
      ]),
    ).rejects.toThrow('full');
    check();
  });
});

test('what is no FAT, or a damaged one, gets words and throws nothing', async () => {
  expect(bootPartition(new Uint8Array(512))).toEqual({ ok: false, fault: 'there is no partition table' });
  const mbr = new Uint8Array(512);
  mbr.set([0x55, 0xaa], 510);
  expect(bootPartition(mbr).ok).toBe(false);
  mbr[450] = 0x0c;
  mbr.set([0, 8, 0, 0, 0, 0, 2, 0], 454);
  expect(bootPartition(mbr)).toEqual({ ok: true, value: { at: 1_048_576, size: 67_108_864 } });
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 510, maxLength: 510 }), fc.boolean(), async (junk, plausible) => {
      const octets = new Uint8Array(200_000);
      octets.set(junk);
      octets.set([0x55, 0xaa], 510);
      // A start that looks right, so that the rest is looked at as well.
      if (plausible) octets.set([0, 2, 1, 4, 0, 2, 0, 2, 0, 0, 0xf8, 32, 0], 11);
      const volume = await openFat(memory(octets));
      if (volume.ok) {
        await volume.value.read(NAME);
        await volume.value.write(NAME, utf8('x'), TIME).catch(() => undefined);
      }
    }),
  );
});
