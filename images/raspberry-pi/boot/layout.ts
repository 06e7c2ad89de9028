/**
 * The disk of a gateway: where everything stands. `boot.cmd`, `system.conf`, the initial RAM disk and the tests all follow this file
 * (`layout.test.ts` compares them); a disagreement between them is what turns a gateway into a brick.
 */

/** Bytes of a disk sector: the unit of the partition table and of U-Boot's reads. */
export const SECTOR = 512;
/** Bytes of a block of the root file system and of its hash tree. */
export const BLOCK = 4096;
/** Partition table identifier ("HERL"); makes the PARTUUIDs the same on SD card, USB disk and virtio. */
export const DISK_ID = '4845524c';
/** What a bundle must be made for (RAUC's word). */
export const COMPATIBLE = 'hearthline-rpi-arm64';
/** Tries of a slot before the other one is taken. */
export const ATTEMPTS = 3;
/** First sector of each copy of the slot state: in the gap before the first partition, 32 KiB apart. */
export const STATE_SECTORS = [64, 128] as const;
/** Bytes of one copy: a single sector, which a card writes whole or not at all. */
export const STATE_BYTES = 512;

/** A partition: number, MBR type, first sector and number of sectors. */
export interface Partition {
  readonly number: number;
  readonly type: number;
  readonly start: number;
  readonly sectors: number;
}

const MIB = (1024 * 1024) / SECTOR;
/** p1 FAT `HL-BOOT`, p2 slot A, p3 slot B, p4 data (grown and formatted by the first boot). */
export const PARTITIONS: readonly Partition[] = [
  { number: 1, type: 0x0c, start: MIB, sectors: 64 * MIB },
  { number: 2, type: 0x83, start: 65 * MIB, sectors: 384 * MIB },
  { number: 3, type: 0x83, start: 449 * MIB, sectors: 384 * MIB },
  { number: 4, type: 0x83, start: 833 * MIB, sectors: 15 * MIB },
];
/** Sectors of the image file. */
export const IMAGE_SECTORS = 848 * MIB;

/** A slot's boot name. */
export type SlotName = 'A' | 'B';
/** Partition of each slot. */
export const SLOT_PARTITION: Readonly<Record<SlotName, number>> = { A: 2, B: 3 };

/** The partition of a number; throws where there is none. */
export function partition(number: number): Partition {
  const found = PARTITIONS.find((row) => row.number === number);
  if (found === undefined) throw new Error(`no partition ${number}`);
  return found;
}

/** Kernel name of a partition by its table (`4845524c-02`). */
export const partUuid = (number: number) => `${DISK_ID}-${String(number).padStart(2, '0')}`;
