/** Which disks are written, by facts read from a made-up kernel; and how progress is told. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { diskFacts, placeAt, type Roots } from './disks.ts';
import { pace, progressEvent, progressLine } from './progress.ts';
import { type DiskFacts, judgeTarget, LARGE, told } from './target.ts';

const GB = 10 ** 9;
const card: DiskFacts = {
  name: 'sdb',
  size: 32 * GB,
  model: 'Generic Card',
  removable: true,
  readOnly: false,
  bus: 'usb',
  used: [],
  holders: [],
};
const judge = (facts: Partial<DiskFacts>, consent = { yes: true, really: false }) =>
  judgeTarget({ ...card, ...facts }, 2 * GB, consent);

describe('a disk', () => {
  test.each<[string, Partial<DiskFacts>, string]>([
    ['that carries /', { used: ['/'] }, 'carries the system'],
    ['that carries /boot/efi', { used: ['/mnt', '/boot/efi'] }, 'carries the system'],
    ['that is swapped to', { used: ['/[swap]'] }, 'carries the system'],
    ['that is mounted', { used: ['/media/card'] }, 'umount /media/card'],
    ['that is a partition', { name: 'sdb1', partitionOf: 'sdb' }, '/dev/sdb.'],
    ['under a RAID', { holders: ['md0'] }, '/dev/md0'],
    ['that is write-protected', { readOnly: true }, 'switch'],
    ['without a medium', { size: 0 }, 'no medium'],
    ['that is too small', { size: 2 * GB - 512 }, 'too small'],
  ])('%s is refused, whatever is said', (_, facts, words) => {
    const judged = judge(facts, { yes: true, really: true });
    expect(judged.ok ? '' : judged.fault).toContain(words);
  });

  test.each<[string, Partial<DiskFacts>, string]>([
    ['that is large', { size: LARGE + 1 }, 'large'],
    ['that is built in', { removable: false, bus: 'other' }, 'built into'],
  ])('%s is written only when it is really meant', (_, facts, words) => {
    const judged = judge(facts);
    expect(judged.ok ? '' : judged.fault).toContain(words);
    expect(judged.ok ? '' : judged.fault).toContain('--yes-really');
    expect(judge(facts, { yes: true, really: true })).toEqual({ ok: true, value: [] });
  });

  test('that may be written is asked about, unless the person has said yes', () => {
    for (const facts of [
      {},
      { size: LARGE },
      { size: 2 * GB },
      { removable: false },
      { removable: false, bus: 'sd' as const },
    ]) {
      expect(judge(facts)).toEqual({ ok: true, value: [] });
      const asked = judge(facts, { yes: false, really: false });
      expect(asked.ok && asked.value[0]).toContain('will be lost');
    }
  });
});

describe('the kernel’s facts', () => {
  let folder: string;
  let roots: Roots;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'disks-'));
    roots = { sys: join(folder, 'sys'), proc: join(folder, 'proc') };
    put('proc/self/mountinfo', '20 1 0:18 / /proc rw - proc proc rw\n');
    put('proc/swaps', 'Filename Type Size Used Priority\n');
    disk('8:16', 'devices/pci0/usb1/1-1/block/sdb', {
      size: '62333952',
      removable: '1',
      ro: '0',
      'device/vendor': 'Generic ',
      'device/model': 'SD Reader',
    });
    disk('8:17', 'devices/pci0/usb1/1-1/block/sdb/sdb1', { partition: '1', size: '131072', ro: '0' });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function put(path: string, text: string): void {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  function disk(numbers: string, path: string, files: Readonly<Record<string, string>>): void {
    put(`sys/${path}/dev`, `${numbers}\n`);
    for (const [name, text] of Object.entries(files)) put(`sys/${path}/${name}`, `${text}\n`);
    for (const link of [`sys/dev/block/${numbers}`, `sys/class/block/${path.split('/').at(-1)}`]) {
      mkdirSync(dirname(join(folder, link)), { recursive: true });
      symlinkSync(join(folder, 'sys', path), join(folder, link));
    }
  }
  const facts = (major: number, minor: number) => {
    const read = diskFacts(major, minor, roots);
    if (!read.ok) throw new Error(read.fault);
    return read.value;
  };

  test('of a card reader', () => {
    expect(facts(8, 16)).toEqual({ ...card, size: 62_333_952 * 512, model: 'Generic SD Reader' });
    expect(facts(8, 17)).toMatchObject({ name: 'sdb1', partitionOf: 'sdb' });
    expect(diskFacts(8, 32, roots).ok).toBe(false);
  });

  test('of a slot for cards in the computer itself', () => {
    disk('179:0', 'devices/platform/mmc0/block/mmcblk0', {
      size: '100',
      removable: '0',
      ro: '1',
      'device/type': 'SD',
      'device/name': 'SC32G',
    });
    expect(facts(179, 0)).toMatchObject({ bus: 'sd', readOnly: true, model: 'SC32G' });
  });

  test.each<[string, string]>([
    ['by its number', '30 1 8:17 / /media/my\\040card rw - vfat /dev/sdb1 rw\n'],
    [
      'by its name, as btrfs shows numbers of its own',
      '30 1 0:44 / /media/my\\040card rw shared:1 - btrfs /dev/sdb1 rw\n',
    ],
  ])('that a partition is mounted, %s', (_, line) => {
    put('proc/self/mountinfo', line);
    expect(facts(8, 16).used).toEqual(['/media/my card']);
    expect(facts(8, 17).used).toEqual(['/media/my card']);
  });

  test('that something on it is mounted through encryption and a logical volume', () => {
    disk('254:0', 'devices/virtual/block/dm-0', { size: '9' });
    disk('254:1', 'devices/virtual/block/dm-1', { size: '9' });
    put('sys/devices/pci0/usb1/1-1/block/sdb/sdb1/holders/dm-0', '');
    put('sys/devices/virtual/block/dm-0/slaves/sdb1', '');
    put('sys/devices/virtual/block/dm-1/slaves/dm-0', '');
    put('proc/self/mountinfo', '30 1 254:1 / /srv rw - ext4 /dev/mapper/vg-srv rw\n');
    expect(facts(8, 16)).toMatchObject({ used: ['/srv'], holders: ['dm-0'] });
  });

  test('that it is swapped to', () => {
    put('proc/swaps', 'Filename Type Size Used Priority\n/dev/sdb1 partition 100 0 -2\n');
    expect(facts(8, 16).used).toEqual(['/[swap]']);
  });

  test('what stands at a path', () => {
    expect(placeAt(join(folder, 'proc/swaps'))).toEqual({ ok: true, value: { is: 'file' } });
    expect(placeAt(join(folder, 'new.img'))).toEqual({ ok: true, value: { is: 'nothing' } });
    for (const path of ['/dev/no-such-disk', '/dev/null', folder]) expect(placeAt(path).ok).toBe(false);
  });
});

describe('progress', () => {
  test.each([
    [{ phase: 'write', done: 0, total: 2 * GB, elapsed: 0 }, 'Writing        0 %  0 B of 2.0 GB'],
    [
      { phase: 'write', done: GB / 2, total: 2 * GB, elapsed: 25_000 },
      'Writing       25 %  500 MB of 2.0 GB  20.0 MB/s  1:15 left',
    ],
    [{ phase: 'verify', done: 7, total: 7, elapsed: 1_000 }, 'Reading back 100 %  7 B of 7 B  7 B/s  0:00 left'],
    [{ phase: 'check', done: 0, total: 0, elapsed: 0 }, 'Checking     100 %  0 B of 0 B'],
  ] as const)('%j', (step, line) => {
    expect(progressLine(step, false)).toBe(line);
    expect(progressLine(step, true)).toMatch(/\[[#-]{24}\]/);
    expect(progressEvent(step)).toMatchObject({ event: 'progress', done: step.done });
  });

  test('a rate is told only when it means something', () => {
    expect(pace({ phase: 'write', done: 10, total: 20, elapsed: 499 })).toBeUndefined();
    expect(pace({ phase: 'write', done: 10, total: 20, elapsed: 1_000 })).toEqual({ rate: 10, left: 1 });
    expect([told(999), told(1_000), told(123_456_789), told(31_900_000_000)]).toEqual([
      '999 B',
      '1.0 kB',
      '123 MB',
      '31.9 GB',
    ]);
  });
});
