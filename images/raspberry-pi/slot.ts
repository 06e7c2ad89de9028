/**
 * A slot as one raw image: squashfs, header, hash tree, kernel, initial RAM disk. The header is a U-Boot script with U-Boot's own CRC;
 * it carries offsets, lengths and sums of what follows, and the root hash, so that all of them change together.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { crc32, gzipSync } from 'node:zlib';
import { BLOCK, SECTOR } from './boot/layout.ts';
import { hashTree } from './verity.ts';

/** The root folder as a squashfs image at `path`: every file root's, every time `epoch` (seconds since 1970). */
export function packRoot(folder: string, path: string, epoch: number, level = 15): Uint8Array {
  rmSync(path, { force: true });
  const times = ['-mkfs-time', String(epoch), '-all-time', String(epoch)];
  const form = [
    '-noappend',
    '-all-root',
    '-no-xattrs',
    '-b',
    '128K',
    '-comp',
    'zstd',
    '-Xcompression-level',
    String(level),
  ];
  execFileSync('mksquashfs', [folder, path, ...form, ...times, '-quiet', '-no-progress'], {
    stdio: 'pipe',
    env: withoutEpoch(),
  });
  return readFileSync(path);
}

/** mksquashfs refuses its own time options beside the variable. */
function withoutEpoch(): NodeJS.ProcessEnv {
  const { SOURCE_DATE_EPOCH: _, ...rest } = process.env;
  return rest;
}

/** A kernel (`Image`) as U-Boot unpacks it. */
export const packKernel = (image: Uint8Array): Uint8Array => gzipSync(image, { level: 9 });

/** What goes into a slot. */
export interface SlotParts {
  /** Root file system: a squashfs image. */
  readonly root: Uint8Array;
  /** arm64 kernel, packed by `packKernel`. */
  readonly kernel: Uint8Array;
  readonly initrd: Uint8Array;
  /** Seconds since 1970 that the header carries. */
  readonly epoch: number;
}

/** What a header says; units are bytes from the start of the slot. */
export interface SlotHeader {
  readonly blocks: number;
  readonly treeAt: number;
  readonly salt: string;
  readonly rootHash: string;
  readonly kernelAt: number;
  readonly kernelBytes: number;
  readonly kernelSum: number;
  readonly initrdAt: number;
  readonly initrdBytes: number;
  readonly initrdSum: number;
}

const aligned = (bytes: number) => Math.ceil(bytes / BLOCK) * BLOCK;
const hex = (value: number) => value.toString(16);
const swapped = (sum: number) => {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, sum);
  return hex(view.getUint32(0, true));
};

/**
 * The script that U-Boot runs out of a header: loads, compares, boots; sets `hl_fault` where it comes back. A U-Boot with several kinds of
 * sums (qemu's board) stores a CRC-32 with its highest octet first, one with this kind alone (the Raspberry Pi's) as a number of its own.
 */
export function slotScript(header: SlotHeader): string {
  const part = (name: string, address: string, at: number, bytes: number, sum: number) => [
    `setenv hl_fault "has a damaged ${name}"`,
    `setexpr hl_at \${hl_start} + ${hex(at / SECTOR)}`,
    `if \${devtype} read \${${address}} \${hl_at} ${hex(Math.ceil(bytes / SECTOR))} && crc32 \${${address}} ${hex(bytes)} \${hl_sum}; then`,
    `if itest.l *\${hl_sum} == ${swapped(sum)} || itest.l *\${hl_sum} == ${hex(sum)}; then`,
  ];
  const words = [
    `\${hl_console} panic=10 net.ifnames=0 quiet loglevel=4 rdinit=/init`,
    `rauc.slot=\${hl_slot} hearthline.slot=\${hl_slot} hearthline.attempt=\${hl_attempt}`,
    `hearthline.root=${header.blocks}:${header.treeAt / BLOCK}:${header.rootHash}:${header.salt}`,
  ];
  return [
    ...part('kernel', 'hl_kernel', header.kernelAt, header.kernelBytes, header.kernelSum),
    ...part('initial RAM disk', 'hl_initrd', header.initrdAt, header.initrdBytes, header.initrdSum),
    `setenv bootargs "${words.join(' ')}"`,
    'setenv hl_fault "has a kernel that does not start"',
    `booti \${hl_kernel} \${hl_initrd}:${hex(header.initrdBytes)} \${hl_fdt}`,
    'fi',
    'fi',
    'fi',
    'fi',
    '',
  ].join('\n');
}

/** A text as an image that U-Boot's `source` takes (legacy image, type script; header fields are big-endian). */
export function scriptImage(text: string, name: string, epoch: number): Uint8Array {
  const script = new TextEncoder().encode(text);
  const image = new Uint8Array(64 + 8 + script.length);
  const view = new DataView(image.buffer);
  view.setUint32(64, script.length);
  image.set(script, 72);
  view.setUint32(0, 0x27051956);
  view.setUint32(8, epoch);
  view.setUint32(12, 8 + script.length);
  view.setUint32(24, crc32(image.subarray(64)));
  image.set([5, 22, 6, 0], 28);
  image.set(new TextEncoder().encode(name).subarray(0, 31), 32);
  view.setUint32(4, crc32(image.subarray(0, 64)));
  return image;
}

/** The slot image of its parts; `limit` in bytes is the partition's size (throws above 85 % of it). */
export function makeSlot(parts: SlotParts, limit: number): { image: Uint8Array; header: SlotHeader } {
  const root = new Uint8Array(aligned(parts.root.length));
  root.set(parts.root);
  const { kernel } = parts;
  const salt = createHash('sha256').update('hearthline slot').update(root).digest();
  const { tree, root: rootHash } = hashTree(root, salt);
  const treeAt = root.length + BLOCK;
  const kernelAt = treeAt + tree.length;
  const initrdAt = kernelAt + aligned(kernel.length);
  const header: SlotHeader = {
    blocks: root.length / BLOCK,
    treeAt,
    salt: salt.toString('hex'),
    rootHash,
    kernelAt,
    kernelBytes: kernel.length,
    kernelSum: crc32(kernel),
    initrdAt,
    initrdBytes: parts.initrd.length,
    initrdSum: crc32(parts.initrd),
  };
  const bytes = initrdAt + aligned(parts.initrd.length);
  if (bytes > limit * 0.85) throw new Error(`slot of ${bytes} bytes is over 85 % of its partition of ${limit}`);
  const script = scriptImage(slotScript(header), 'hearthline slot', parts.epoch);
  if (script.length > BLOCK) throw new Error('slot header is over one block');
  const image = new Uint8Array(bytes);
  image.set(root);
  image.set(script, root.length);
  image.set(tree, treeAt);
  image.set(kernel, kernelAt);
  image.set(parts.initrd, initrdAt);
  return { image, header };
}
