/** The disk image: partition table, slot state, boot partition, slot A; B stays empty and the data partition is made by the first boot. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DISK_ID, IMAGE_SECTORS, PARTITIONS, partition, SECTOR, SLOT_PARTITION, STATE_SECTORS } from './boot/layout.ts';
import { encodeState, FRESH } from './boot/state.ts';
import { scriptImage } from './slot.ts';

/** What goes onto a disk. */
export interface DiskParts {
  /** Folder whose files go to the boot partition as they are (firmware, device trees, overlays, config.txt). */
  readonly firmware: string;
  /** U-Boot for the Raspberry Pi (`u-boot.bin`). */
  readonly uboot: string;
  /** Slot image. */
  readonly slot: Uint8Array;
  /** Seconds since 1970 for every time in the image. */
  readonly epoch: number;
}

/** The first sector: our identifier and four partitions (cylinder fields unused, as with LBA). */
export function partitionTable(): Uint8Array {
  const sector = new Uint8Array(SECTOR);
  const view = new DataView(sector.buffer);
  view.setUint32(440, parseInt(DISK_ID, 16), true);
  for (const { number, type, start, sectors } of PARTITIONS) {
    const at = 446 + (number - 1) * 16;
    sector.set([number === 1 ? 0x80 : 0, 0xfe, 0xff, 0xff, type, 0xfe, 0xff, 0xff], at);
    view.setUint32(at + 8, start, true);
    view.setUint32(at + 12, sectors, true);
  }
  sector.set([0x55, 0xaa], 510);
  return sector;
}

/** The boot script as U-Boot loads it. */
export const bootScript = (epoch: number): Uint8Array =>
  scriptImage(readFileSync(join(import.meta.dirname, 'boot/boot.cmd'), 'utf8'), 'hearthline boot', epoch);

/** The boot partition as bytes. */
function bootPartition(parts: DiskParts): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-boot-'));
  const file = join(folder, 'boot.vfat');
  const env = { ...process.env, SOURCE_DATE_EPOCH: String(parts.epoch), TZ: 'UTC', MTOOLS_SKIP_CHECK: '1' };
  try {
    const bytes = partition(1).sectors * SECTOR;
    writeFileSync(file, '');
    execFileSync('truncate', ['-s', String(bytes), file]);
    execFileSync('mkfs.vfat', ['--invariant', '-F', '32', '-s', '1', '-n', 'HL-BOOT', '-i', DISK_ID, file], {
      env,
      stdio: 'pipe',
    });
    const script = join(folder, 'boot.scr');
    writeFileSync(script, bootScript(parts.epoch));
    const names = readdirSync(parts.firmware).sort();
    if (names.length > 0)
      execFileSync('mcopy', ['-i', file, '-s', ...names.map((name) => join(parts.firmware, name)), '::'], { env });
    execFileSync('mcopy', ['-i', file, '-o', parts.uboot, '::u-boot.bin'], { env });
    const own = ['config.txt', 'cmdline.txt'].map((name) => join(import.meta.dirname, 'boot', name));
    execFileSync('mcopy', ['-i', file, '-o', ...own, '::'], { env });
    execFileSync('mcopy', ['-i', file, '-o', script, '::boot.scr'], { env });
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the disk image to `path` as a sparse file. */
export function writeDisk(parts: DiskParts, path: string): void {
  const file = openSync(path, 'w');
  const put = (bytes: Uint8Array, sector: number) => writeSync(file, bytes, 0, bytes.length, sector * SECTOR);
  try {
    ftruncateSync(file, IMAGE_SECTORS * SECTOR);
    put(partitionTable(), 0);
    put(encodeState(FRESH), STATE_SECTORS[0]);
    put(bootPartition(parts), partition(1).start);
    put(parts.slot, partition(SLOT_PARTITION.A).start);
  } finally {
    closeSync(file);
  }
}
