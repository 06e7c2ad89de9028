/** U-Boot itself, without a kernel: `boot.cmd` makes the choices that the model makes, and writes the same states. */
import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, inject, test } from 'vitest';
import {
  BLOCK,
  partition,
  SECTOR,
  SLOT_PARTITION,
  type SlotName,
  STATE_SECTORS,
} from '#images/raspberry-pi/boot/layout.ts';
import { bootSteps, type SlotHealth } from '#images/raspberry-pi/boot/model.ts';
import { encodeState, FRESH, LOST, newestState, type SlotState } from '#images/raspberry-pi/boot/state.ts';
import { writeDisk } from '#images/raspberry-pi/disk.ts';
import { scriptImage } from '#images/raspberry-pi/slot.ts';
import { Machine } from './machine.ts';

const image = inject('image');
const folder = mkdtempSync(join(tmpdir(), 'hearthline-uboot-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
mkdirSync(join(folder, 'none'));
const fine = { A: 'starts', B: 'starts' } as const;
const torn = (index: number): Uint8Array => {
  const sector = encodeState({ ...FRESH, sequence: 99, order: ['B', 'A'], left: { A: 1, B: 1 } });
  sector[SECTOR - 1 - index] = 7;
  return sector;
};

/** A slot whose "kernel" says its name and restarts; or one with a header that fails its check; behind one block of root. */
function fakeSlot(health: SlotHealth): Uint8Array {
  const slot = new Uint8Array(2 * BLOCK);
  slot.set(new TextEncoder().encode('hsqs'));
  new DataView(slot.buffer).setUint32(40, 97, true);
  slot.set(scriptImage(`echo "STARTED \${hl_slot} \${hl_attempt}"\nreset\n`, 'slot', 0), BLOCK);
  if (health === 'damaged') slot[BLOCK + 80] = 1;
  return slot;
}

function writeTestDisk(
  path: string,
  copies: readonly (Uint8Array | undefined)[],
  health: Record<SlotName, SlotHealth>,
) {
  writeDisk({ firmware: join(folder, 'none'), uboot: image.uboot.rpi, slot: fakeSlot(health.A), epoch: 0 }, path);
  const file = openSync(path, 'r+');
  const put = (bytes: Uint8Array, sector: number) => writeSync(file, bytes, 0, bytes.length, sector * SECTOR);
  put(fakeSlot(health.B), partition(SLOT_PARTITION.B).start);
  STATE_SECTORS.forEach((at, index) => {
    put(copies[index] ?? new Uint8Array(SECTOR), at);
  });
  closeSync(file);
}

function stateOn(path: string) {
  const file = openSync(path, 'r');
  const copies = STATE_SECTORS.map((at) => {
    const sector = new Uint8Array(SECTOR);
    readSync(file, sector, 0, SECTOR, at * SECTOR);
    return sector;
  });
  closeSync(file);
  return newestState(copies).state;
}

/** What the model does over so many power-ons (a restart is one too): lines that U-Boot says, and the state at the end. */
function expected(from: SlotState, health: Record<SlotName, SlotHealth>) {
  const lines: string[] = [];
  let state = from;
  for (;;) {
    const steps = bootSteps(state, health);
    for (const step of steps) if (step.do === 'save') state = step.state;
    const end = steps.at(-1);
    if (end?.do !== 'start') return { lines: [...lines, 'RECOVERY STOP'], state };
    lines.push(`STARTED ${end.slot} ${end.attempt}`);
  }
}

// Beside each other: a boot loader waits more than it works.
describe.concurrent('boot.cmd in U-Boot', () => {
  const rows: readonly (readonly [string, readonly (Uint8Array | undefined)[], Record<SlotName, SlotHealth>])[] = [
    ['a new image, then a slot that never proves itself', [encodeState(FRESH), undefined], fine],
    [
      'an update in B',
      [undefined, encodeState({ sequence: 15, order: ['B', 'A'], left: { A: 3, B: 3 }, stopped: false })],
      fine,
    ],
    ['both copies lost', [undefined, undefined], { A: 'damaged', B: 'starts' }],
    ['a torn copy that would be the newer one', [encodeState({ ...FRESH, sequence: 16 }), torn(0)], fine],
    [
      'the second copy is newer',
      [encodeState(FRESH), encodeState({ ...FRESH, sequence: 0xff, left: { A: 1, B: 2 } })],
      fine,
    ],
    [
      'power after a recovery stop',
      [encodeState({ ...FRESH, left: { A: 0, B: 0 }, stopped: true }), undefined],
      { A: 'starts', B: 'damaged' },
    ],
  ];
  test.each(rows)('%s', async (name, copies, health) => {
    const path = join(folder, `${name.replaceAll(/\W/g, '-')}.img`);
    writeTestDisk(path, copies, health);
    const { state } = newestState(copies);
    const plan = expected(state.sequence === 0 ? LOST : state, health);
    // A second disk, which U-Boot finds first, must not be taken for ours.
    writeFileSync(`${path}.other`, new Uint8Array(1024 * 1024));
    const other = ['-drive', `file=${path}.other,format=raw,if=none,id=d1`];
    const machine = await Machine.start({
      ...{ folder, uboot: image.uboot.qemu, disk: { file: path, format: 'raw' } },
      more: [...other, '-device', 'virtio-blk-device,drive=d1'],
      processors: 1,
    });
    try {
      await machine.line(/RECOVERY STOP/, 300_000);
      const said = [...machine.console.text.matchAll(/STARTED [AB] \d|RECOVERY STOP/g)].map(([line]) => line);
      expect(said).toEqual(plan.lines);
    } finally {
      await machine.cut();
    }
    expect(stateOn(path)).toEqual(plan.state);
  });
});
