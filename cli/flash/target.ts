/** Whether a disk may be written: never the system's, never one in use; others by how easily they are mistaken. Pure. */
import { err, ok, type Result } from '#shared/kernel/result.ts';

/** A block device as the kernel describes it. Sizes are octets. */
export interface DiskFacts {
  /** The kernel's name: `sdb`, `mmcblk0`. */
  readonly name: string;
  readonly size: number;
  readonly model: string;
  readonly removable: boolean;
  readonly readOnly: boolean;
  /** How it is attached, as far as that says whether it is meant to be taken out. */
  readonly bus: 'usb' | 'sd' | 'loop' | 'other';
  /** The whole disk, where the name asked for is one of its partitions. */
  readonly partitionOf?: string;
  /** Where it or one of its partitions is mounted or used for swapping. */
  readonly used: readonly string[];
  /** Names of devices that are built on it: encryption, RAID, logical volumes. */
  readonly holders: readonly string[];
}

/** What the person has said beforehand. */
export interface Consent {
  /** No question is asked. */
  readonly yes: boolean;
  /** Disks that are large or built in are meant. */
  readonly really: boolean;
}

/** A card or stick is seldom larger; a disk with somebody's life on it often is. Octets. */
export const LARGE = 256 * 10 ** 9;

/** Mount points of the running system: a disk that carries one is never written, whatever is said. */
const SYSTEM = /^\/(|usr|var|home|boot|boot\/efi|boot\/firmware|etc|data|\[swap\])$/;

/** The warnings that a person has to confirm; or why this disk is not written at all. */
export function judgeTarget(
  disk: DiskFacts,
  needed: number,
  { yes, really }: Consent,
): Result<readonly string[], string> {
  const path = `/dev/${disk.name}`;
  if (disk.partitionOf !== undefined)
    return err(`${path} is a partition. Name the whole disk: /dev/${disk.partitionOf}.`);
  const system = disk.used.find((place) => SYSTEM.test(place));
  if (system !== undefined) return err(`${path} carries the system that runs here (${system}). It is never written.`);
  const [place] = disk.used;
  if (place !== undefined) return err(`${path} is in use (${place}). Unmount it first: umount ${place}.`);
  if (disk.holders.length > 0)
    return err(`${path} is part of ${disk.holders.map((name) => `/dev/${name}`).join(', ')}. Take that down first.`);
  if (disk.readOnly) return err(`${path} is write-protected. Look for the little switch at the side of the card.`);
  if (disk.size === 0) return err(`${path} has no medium. Put the card into the reader.`);
  if (disk.size < needed)
    return err(`${path} is too small: it has ${told(disk.size)}, the image needs ${told(needed)}.`);
  const doubts = [
    ...(disk.size > LARGE ? [`it is large (${told(disk.size)})`] : []),
    ...(disk.removable || disk.bus === 'usb' || disk.bus === 'sd' ? [] : ['it is built into this computer']),
  ];
  if (doubts.length > 0 && !really)
    return err(
      `${path} (${disk.model}) may not be what you mean: ${doubts.join(' and ')}. If it is, add --yes-really.`,
    );
  return ok(yes ? [] : [`Everything on ${path} (${disk.model}, ${told(disk.size)}) will be lost.`]);
}

/** Octets for people: `31.9 GB`. */
export function told(octets: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [value, unit] = [octets, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
