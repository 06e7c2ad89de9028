/**
 * The life of a gateway in one machine with a clock chip that has lost its time: first boot, its own proof, a damaged update, a good
 * one, a bad one and the way back. Every write to its disk is recorded; power cuts out of that record follow at the end.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import type { SlotName } from '#images/raspberry-pi/boot/layout.ts';
import { bootSteps } from '#images/raspberry-pi/boot/model.ts';
import { writeBundle } from '#images/raspberry-pi/bundle.ts';
import { portFaults, readOwnedPorts } from '#images/raspberry-pi/ports.ts';
import { seed } from '#test/support/seed.ts';
import { isLong } from '../peers.ts';
import { testSlot } from './image.ts';
import { Machine, overlay } from './machine.ts';
import { type CutDisk, cuts, numbers, wholeDisk } from './power-cut.ts';
import { diskState, slotFault } from './slot-check.ts';

const image = inject('image');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-life-'));
const at = (name: string) => join(folder, name);
const DISK_BYTES = 1280 * 1024 * 1024;
/** A gateway that does not know the time: older than everything that signs. */
const CLOCK = '2026-01-01T00:00:00';
const random = numbers(seed);
let machine: Machine;

beforeAll(async () => {
  execFileSync('mkdir', [at('bundles')]);
  const bundle = (name: string) => at(`bundles/${name}.raucb`);
  writeBundle(testSlot(image, { version: '1.1.0' }), '1.1.0', image.authority, bundle('good'));
  writeBundle(testSlot(image, { version: '1.2.0', broken: true }), '1.2.0', image.authority, bundle('bad'));
  const damaged = readFileSync(bundle('good'));
  const place = Math.floor(damaged.length / 2);
  damaged[place] = (damaged[place] ?? 0) ^ 1;
  writeFileSync(bundle('damaged'), damaged);
  execFileSync('mksquashfs', [
    at('bundles'),
    at('bundles.squashfs'),
    '-noI',
    '-noD',
    '-noF',
    '-noX',
    '-quiet',
    '-no-progress',
  ]);
  execFileSync('cp', ['--sparse=always', image.disk, at('base.img')]);
  truncateSync(at('base.img'), DISK_BYTES);
  execFileSync('cp', ['--sparse=always', at('base.img'), at('disk.img')]);
  writeFileSync(at('writes.log'), '');
  machine = await Machine.start({
    folder,
    uboot: image.uboot.qemu,
    clock: CLOCK,
    disk: [
      ...['-blockdev', `driver=file,filename=${at('disk.img')},node-name=file0`],
      ...['-blockdev', `driver=file,filename=${at('writes.log')},node-name=log0`],
      ...['-blockdev', 'driver=blklogwrites,node-name=d0,file=file0,log=log0'],
    ],
    network: ['-netdev', 'user,id=wan', '-device', 'virtio-net-pci,netdev=wan,romfile='],
    more: [
      ...['-drive', `file=${at('bundles.squashfs')},format=raw,if=none,id=d1,readonly=on`],
      ...['-device', 'virtio-blk-device,drive=d1'],
    ],
  });
});
afterAll(async () => {
  await machine?.cut();
  rmSync(folder, { recursive: true, force: true });
});

const state = async () => (await machine.run('/usr/lib/hearthline/slot-state show')).out.replace(/^sequence=\d+ /, '');
/** Waits until the agent has proved itself: all tries of its slot are back. */
async function proved(expected: string): Promise<void> {
  const told = await machine.run(
    `n=0; until /usr/lib/hearthline/slot-state show | grep -q '${expected}$' || [ $n = 400 ]; do n=$((n + 1)); sleep 2; done`,
    900_000,
  );
  expect(told.code).toBe(0);
  expect(await state()).toBe(expected);
}
const install = (name: string) =>
  machine.run(
    `mkdir -p /run/stick; mount -t squashfs -o ro /dev/vdb /run/stick || mount -t squashfs -o ro /dev/vda /run/stick; rauc install /run/stick/${name}.raucb; code=$?; umount /run/stick; (exit $code)`,
    300_000,
  );

describe('a gateway', () => {
  test('boots for the first time to "ready to pair", with no internet, from a clock that is wrong', async () => {
    await machine.line(/slot A, attempt 1, 2 left/);
    await machine.line(/making the data partition/);
    await machine.line(/ready to pair/, 900_000);
    expect((await machine.run('cat /etc/hearthline/image.json')).out).toContain('"version":"1.0.0"');
    expect(Number((await machine.run('date +%Y')).out)).toBeGreaterThanOrEqual(2026);
    expect(machine.console.text).not.toMatch(/Kernel panic|damaged/);
  });

  test('has exactly the ports open that have an owner', async () => {
    const owned = readOwnedPorts(
      readFileSync(join(import.meta.dirname, '../../images/raspberry-pi/ports.txt'), 'utf8'),
    );
    expect(portFaults((await machine.run('ss -lntup')).out, owned, 'client')).toEqual([]);
  });

  test('proves itself', () => proved('order=A B A=3 B=0'));

  test('refuses a bundle with one wrong bit in its content, and stays as it is', async () => {
    const told = await install('damaged');
    expect(told.code).not.toBe(0);
    expect(told.out).toMatch(/failed|error/i);
    expect(await state()).toBe('order=A B A=3 B=0');
  });

  test('takes a good update into the other slot and proves itself there', async () => {
    const told = await install('good');
    expect(told).toMatchObject({ code: 0 });
    expect(await state()).toBe('order=B A A=3 B=3');
    machine.shell.send('systemctl reboot\n');
    machine.restarted();
    await machine.line(/slot B, attempt 1, 2 left, order B A/);
    await machine.line(/ready to pair/, 900_000);
    expect((await machine.run('cat /etc/hearthline/image.json')).out).toContain('"version":"1.1.0"');
    await proved('order=B A A=3 B=3');
  });

  test('gives a bad update three boots and comes back', async () => {
    expect(await install('bad')).toMatchObject({ code: 0 });
    machine.shell.send('systemctl reboot\n');
    machine.restarted();
    for (const attempt of [1, 2, 3])
      await machine.line(new RegExp(`slot A, attempt ${attempt}, ${3 - attempt} left, order A B`), 900_000);
    await machine.line(/slot B, attempt 1, 2 left, order A B/, 900_000);
    await machine.line(/ready to pair/, 900_000);
    expect((await machine.run('cat /etc/hearthline/image.json')).out).toContain('"version":"1.1.0"');
    await proved('order=A B A=0 B=3');
    const { out } = await machine.run('cat /data/log/boot-A.log');
    const stages = out.split('\n').map((line) => line.split(' ').slice(0, 2).join(' '));
    const failed = stages.slice(stages.lastIndexOf('1 kernel'));
    expect(failed.filter((line) => line.endsWith('kernel'))).toEqual(['1 kernel', '2 kernel', '3 kernel']);
    expect(failed.filter((line) => line.endsWith('session'))).toEqual([]);
  }, 1_200_000);
});

/** What init would do with a data partition, and whether what it finds afterwards is usable. */
function dataFault(cut: CutDisk): string | undefined {
  const copy = at('data-check.img');
  execFileSync('cp', ['--sparse=always', cut.data, copy]);
  // As data.sh: what never carried its name is made anew; a superblock torn between its sectors is repaired from a copy of it.
  const head = Buffer.alloc(2048);
  const file = openSync(copy, 'r');
  readSync(file, head, 0, 2048, 0);
  closeSync(file);
  if (head.readUInt16LE(1080) === 0 || head.toString('latin1', 1144, 1150) === 'HL-NEW') return undefined;
  const check = (...words: string[]) => spawnSync('e2fsck', [...words, copy], { encoding: 'utf8' });
  if ((check('-p').status ?? 8) >= 4 && (check('-y').status ?? 8) >= 4) check('-y', '-b', '32768');
  const left = check('-f', '-n');
  if (left.status !== 0) return `e2fsck: ${left.stdout}${left.stderr}`;
  for (const name of ['/lib/machine-id', '/hearthline/device.json']) {
    const text = spawnSync('debugfs', ['-R', `cat ${name}`, copy], { encoding: 'utf8' });
    if (/not found/.test(text.stderr)) continue;
    if (name.endsWith('-id') ? !/^[0-9a-f]{32}\n$/.test(text.stdout) : !parses(text.stdout))
      return `${name}: ${text.stdout}`;
  }
  return undefined;
}
const parses = (text: string) => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('the power fails', () => {
  const points = isLong ? 1000 : 220;
  const boots = isLong ? 6 : 1;

  test(`at any of ${points} points of that life, and old or new starts, never neither`, async () => {
    await machine.cut();
    const judged = new Map<string, string | undefined>();
    let kept = 0;
    let number = 0;
    for (const cut of cuts(at('base.img'), at('writes.log'), at('cuts'), points, random)) {
      const where = `cut ${number} after ${cut.entries} writes, ${cut.kept} loose ones kept`;
      number += 1;
      const fault = (slot: SlotName) => {
        const key = `${slot} ${cut.touched[slot]}`;
        if (!judged.has(key)) judged.set(key, slotFault(cut.front, slot));
        return judged.get(key);
      };
      const found = diskState(cut.front);
      expect(found, where).toBeDefined();
      if (found === undefined) continue;
      const steps = bootSteps(found, {
        A: fault('A') === undefined ? 'starts' : 'damaged',
        B: fault('B') === undefined ? 'starts' : 'damaged',
      });
      expect(steps.at(-1)?.do, where).toBe('start');
      expect(dataFault(cut), where).toBeUndefined();
      if (kept < boots && number >= (points / (boots + 1)) * (kept + 1)) {
        wholeDisk(cut, at('cuts'), at(`cut-${kept}.img`));
        kept += 1;
      }
    }
    expect(kept).toBe(boots);
  }, 600_000);

  test.each(Array.from({ length: boots }, (_, index) => index))('and disk %d of those boots', async (index) => {
    const after = await Machine.start({
      ...{ folder, uboot: image.uboot.qemu, clock: CLOCK },
      disk: overlay(at(`cut-${index}.img`), at(`cut-${index}.qcow2`), DISK_BYTES),
    });
    try {
      await after.line(/root and data are ready/, 600_000);
      await after.line(/ready to pair/, 900_000);
    } finally {
      await after.cut();
    }
  });
});
