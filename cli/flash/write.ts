/**
 * Writes an image to a disk or file and reads it back. The first MiB, with the partition table, comes last: a disk whose writing was
 * cut off has none and starts nothing, instead of starting half a system.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Area } from './fat.ts';
import { BLOCK, ImageError, type Told, type Unpacked, unpack } from './image.ts';
import { told } from './target.ts';

/** Octets that are written last. */
const HEAD = 1024 * 1024;
const ZERO = Buffer.alloc(BLOCK);

/** An open disk or file. */
export class Target {
  readonly path: string;
  readonly #file: FileHandle;
  readonly #block: boolean;

  private constructor(path: string, file: FileHandle, block: boolean) {
    this.path = path;
    this.#file = file;
    this.#block = block;
  }

  /** Opens for reading and writing. A disk is opened exclusively: the kernel refuses one that is mounted or held meanwhile (open(2), O_EXCL). */
  static async open(path: string, block: boolean): Promise<Target> {
    try {
      const flags = constants.O_RDWR | (block ? constants.O_EXCL : constants.O_CREAT);
      return new Target(path, await open(path, flags, 0o644), block);
    } catch (error) {
      throw explained(error, path, 0);
    }
  }

  /** Makes a file empty, so that what it held cannot show through. Disks are left as they are. */
  async clear(): Promise<void> {
    if (!this.#block) await this.#file.truncate(0);
  }

  async write(at: number, data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length; ) {
      try {
        const { bytesWritten } = await this.#file.write(data, done, data.length - done, at + done);
        if (bytesWritten === 0) throw Object.assign(new Error('nothing was taken'), { code: 'ENOSPC' });
        done += bytesWritten;
      } catch (error) {
        throw explained(error, this.path, at + done);
      }
    }
  }

  /** Writes a block of an image; in a file, zeros are left out: they stand there already. */
  async writeBlock(at: number, data: Buffer): Promise<void> {
    if (!this.#block && data.equals(ZERO.subarray(0, data.length))) return;
    await this.write(at, data);
  }

  async read(at: number, length: number): Promise<Buffer> {
    const data = Buffer.alloc(length);
    try {
      const { bytesRead } = await this.#file.read(data, 0, length, at);
      return data.subarray(0, bytesRead);
    } catch (error) {
      throw explained(error, this.path, at);
    }
  }

  /** A file gets its whole length, a disk has it. */
  async stretch(size: number): Promise<void> {
    if (!this.#block) await this.#file.truncate(size);
  }

  async sync(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      throw explained(error, this.path, undefined);
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** What can be told of a failed read or write, for the person with the card in hand. */
function explained(error: unknown, path: string, at: number | undefined): Error {
  const place = at === undefined ? '' : ` at ${told(at)}`;
  switch ((error as { code?: unknown }).code) {
    case 'ENOSPC':
    case 'EFBIG':
      return new ImageError(`${path} is full${place}: it is smaller than the image, or than it says.`);
    case 'EIO':
      return new ImageError(`${path} failed${place}: the card is worn out, or sits badly in the reader. Try another.`);
    case 'ENXIO':
    case 'ENODEV':
    case 'ENOENT':
    case 'ENOMEDIUM':
      return new ImageError(`${path} is gone${place}: it was pulled out. Put it back and begin again.`);
    case 'EROFS':
      return new ImageError(`${path} is write-protected. Look for the little switch at the side of the card.`);
    case 'EBUSY':
      return new ImageError(`${path} is in use. Unmount it and close what has it open.`);
    case 'EACCES':
    case 'EPERM':
      return new ImageError(`${path} may be written by root only. Run the command with sudo.`);
    default:
      return error instanceof Error ? error : new Error(String(error));
  }
}

export interface WriteJob {
  readonly image: FileHandle;
  /** Octets of the content, at the most. */
  readonly size: number;
  readonly told: Told;
  /** Asked between blocks; true ends the work. */
  readonly stopped: () => boolean;
}

/** What was written: the file's and the content's hash, and one of each block, to find the place of a fault. */
export interface Written extends Unpacked {
  readonly blocks: readonly string[];
}

/** Thrown when the person has interrupted. */
export class Interrupted extends Error {}

/** Writes the whole image but its first MiB, which comes with `finish`. */
export async function writeImage(target: Target, job: WriteJob): Promise<Written & { finish(): Promise<void> }> {
  const blocks: string[] = [];
  let head: Buffer = Buffer.alloc(0);
  await target.clear();
  await target.write(0, ZERO.subarray(0, HEAD));
  const unpacked = await unpack(job.image, job.size, async (block, at) => {
    if (job.stopped()) throw new Interrupted();
    blocks.push(createHash('sha256').update(block).digest('hex'));
    if (at === 0) {
      head = Buffer.from(block.subarray(0, HEAD));
      await target.writeBlock(HEAD, block.subarray(HEAD));
    } else await target.writeBlock(at, block);
    job.told(at + block.length);
  });
  await target.stretch(unpacked.size);
  await target.sync();
  const finish = async () => {
    await target.write(0, head);
    await target.sync();
  };
  return { ...unpacked, blocks, finish };
}

/** Compares a target with what was written; the offset of the first block that differs, undefined where none does. */
export async function firstDifference(
  target: Target,
  { blocks, size }: Written,
  { told: tell, stopped }: Pick<WriteJob, 'told' | 'stopped'>,
): Promise<number | undefined> {
  for (const [i, hash] of blocks.entries()) {
    if (stopped()) throw new Interrupted();
    const at = i * BLOCK;
    const data = await target.read(at, Math.min(BLOCK, size - at));
    if (createHash('sha256').update(data).digest('hex') !== hash) return at;
    tell(at + data.length);
  }
  return undefined;
}

/** A stretch of a target as the FAT writer wants it; nothing outside of it can be reached. */
export function areaOf(target: Target, { at, size }: { readonly at: number; readonly size: number }): Area {
  const within = (from: number, length: number) => {
    if (from < 0 || from + length > size) throw new ImageError('The boot partition’s file system is damaged.');
  };
  return {
    async read(from, length) {
      within(from, length);
      return target.read(at + from, length);
    },
    async write(from, data) {
      within(from, data.length);
      await target.write(at + from, data);
    },
  };
}
