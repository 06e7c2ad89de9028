/** Checks a slot on a disk as U-Boot and the initial RAM disk would: header, sums of kernel and RAM disk, and every block of the root. */
import { readSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import {
  BLOCK,
  partition,
  SECTOR,
  SLOT_PARTITION,
  type SlotName,
  STATE_SECTORS,
} from '#images/raspberry-pi/boot/layout.ts';
import { newestState } from '#images/raspberry-pi/boot/state.ts';
import { hashTree } from '#images/raspberry-pi/verity.ts';

/** Reads so many bytes of an open disk. */
export function readAt(file: number, at: number, bytes: number): Buffer {
  const data = Buffer.alloc(bytes);
  readSync(file, data, 0, bytes, at);
  return data;
}

/** The slot state that counts on a disk; undefined where no copy can be read. */
export function diskState(file: number) {
  const found = newestState(STATE_SECTORS.map((sector) => readAt(file, sector * SECTOR, SECTOR)));
  return found.state.sequence === 0 ? undefined : found.state;
}

/** What is wrong with a slot; undefined where all of it is whole. */
export function slotFault(file: number, slot: SlotName): string | undefined {
  const { start, sectors } = partition(SLOT_PARTITION[slot]);
  const [base, limit] = [start * SECTOR, sectors * SECTOR];
  const first = readAt(file, base, SECTOR);
  if (first.toString('latin1', 0, 4) !== 'hsqs') return 'no root file system';
  const rootBytes = Math.ceil(first.readUInt32LE(40) / BLOCK) * BLOCK;
  if (rootBytes + BLOCK > limit) return 'a root file system longer than its partition';
  const header = readAt(file, base + rootBytes, BLOCK);
  if (header.readUInt32BE(0) !== 0x27051956) return 'no header';
  const length = header.readUInt32BE(12);
  if (length + 64 > BLOCK || crc32(header.subarray(64, 64 + length)) !== header.readUInt32BE(24))
    return 'a damaged header';
  const text = header.toString('utf8', 72, 64 + length);
  const loads = [...text.matchAll(/hl_start\} \+ ([0-9a-f]+)\n.* && crc32 \S+ ([0-9a-f]+) .*\n.* == ([0-9a-f]+);/g)];
  if (loads.length !== 2) return 'a header of another kind';
  for (const [, at = '', bytes = '', sum = ''] of loads) {
    const data = readAt(file, base + parseInt(at, 16) * SECTOR, parseInt(bytes, 16));
    if (crc32(data) !== parseInt(sum, 16)) return 'a damaged kernel or RAM disk';
  }
  const [, blocks, treeBlock, root, salt] = text.match(/hearthline\.root=(\d+):(\d+):([0-9a-f]+):([0-9a-f]+)/) ?? [];
  const made = hashTree(readAt(file, base, Number(blocks) * BLOCK), Buffer.from(salt ?? '', 'hex'));
  if (made.root !== root) return 'a damaged root file system';
  const tree = readAt(file, base + Number(treeBlock) * BLOCK, made.tree.length);
  return tree.equals(made.tree) ? undefined : 'a damaged hash tree';
}
