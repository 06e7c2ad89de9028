/** The same image on an emulated Raspberry Pi 3, from its card, by the U-Boot of real boards: to its kernel; in the long suite to its agent. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, inject, test } from 'vitest';
import { isLong } from '../peers.ts';
import { Machine, overlay } from './machine.ts';

const image = inject('image');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-pi3-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('a Raspberry Pi 3 boots for the first time', async () => {
  const machine = await Machine.start({
    ...{ folder, uboot: image.uboot.rpi, pi3: join(image.firmware, 'bcm2837-rpi-3-b.dtb') },
    disk: overlay(image.disk, join(folder, 'card.qcow2'), 2 * 1024 ** 3),
  });
  try {
    await machine.line(/slot A, attempt 1: root and data are ready/, 900_000);
    if (isLong) await machine.line(/stage \d of 9/, 900_000);
    expect(machine.console.text).not.toMatch(/Kernel panic|running from memory/);
  } finally {
    await machine.cut();
  }
}, 1_800_000);
