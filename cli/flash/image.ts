/** An image file: what it must be by its manifest, and its content as it comes out of zstd (RFC 8878). */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';

/** Octets that are handled at once. */
export const BLOCK = 4 * 1024 * 1024;

/** Hears how many octets are done. */
export type Told = (done: number) => void;

/** SHA-256 of a file's octets, lower-case hex. */
export async function fileHash(file: FileHandle, told: Told): Promise<string> {
  const hash = createHash('sha256');
  const block = Buffer.alloc(BLOCK);
  for (let at = 0; ; ) {
    const { bytesRead } = await file.read(block, 0, BLOCK, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(block.subarray(0, bytesRead));
    at += bytesRead;
    told(at);
  }
}

/** Whether a file is compressed by zstd: its magic number. */
export async function isZstd(file: FileHandle): Promise<boolean> {
  const start = Buffer.alloc(4);
  await file.read(start, 0, 4, 0);
  return start.readUInt32LE() === 0xfd2fb528;
}

/** The first octets of the content, at most 512: enough to see what it is. */
export async function headOf(file: FileHandle): Promise<Buffer> {
  const start = Buffer.alloc(1024 * 1024);
  const { bytesRead } = await file.read(start, 0, start.length, 0);
  const held = start.subarray(0, bytesRead);
  if (!(await isZstd(file))) return held.subarray(0, 512);
  const unpacked = createZstdDecompress();
  unpacked.write(held);
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) return chunk.subarray(0, 512);
  } catch {
    // It is damaged from its beginning.
  } finally {
    unpacked.destroy();
  }
  throw new ImageError('The image is cut off or damaged: it cannot be unpacked.');
}

/** Thrown for what is wrong with an image, in words. */
export class ImageError extends Error {}

export interface Unpacked {
  /** Lower-case hex: of the file as it was read just now, and of its content. */
  readonly fileSha256: string;
  readonly sha256: string;
  readonly size: number;
}

/**
 * Hands the content to `take` in blocks of `BLOCK` octets (the last may be shorter), each to be done with before the next. `limit`
 * is the most octets that may come out: a file that is a bomb is stopped there.
 */
export async function unpack(
  file: FileHandle,
  limit: number,
  take: (block: Buffer, at: number) => Promise<void>,
): Promise<Unpacked> {
  const [whole, content] = [createHash('sha256'), createHash('sha256')];
  // The file is read here, not by a stream over its descriptor, which would close it under its owner.
  const octets = async function* () {
    for (let at = 0; ; ) {
      const chunk = Buffer.alloc(1024 * 1024);
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      whole.update(chunk.subarray(0, bytesRead));
      yield chunk.subarray(0, bytesRead);
    }
  };
  let size = 0;
  const collect = async (source: AsyncIterable<Buffer>) => {
    const block = Buffer.alloc(BLOCK);
    let held = 0;
    for await (const chunk of source) {
      if (size + held + chunk.length > limit) throw new ImageError('The image holds more than its manifest says.');
      for (let from = 0; from < chunk.length; ) {
        const some = Math.min(chunk.length - from, BLOCK - held);
        chunk.copy(block, held, from, from + some);
        [held, from] = [held + some, from + some];
        if (held < BLOCK) continue;
        content.update(block);
        await take(block, size);
        [size, held] = [size + BLOCK, 0];
      }
    }
    if (held > 0) {
      content.update(block.subarray(0, held));
      await take(block.subarray(0, held), size);
      size += held;
    }
  };
  try {
    if (await isZstd(file)) await pipeline(octets, createZstdDecompress(), collect);
    else await collect(octets());
  } catch (error) {
    if (/zstd|^Z_/i.test(String((error as { code?: unknown }).code ?? '')))
      throw new ImageError('The image is cut off or damaged: it cannot be unpacked.');
    throw error;
  }
  return { fileSha256: whole.digest('hex'), sha256: content.digest('hex'), size };
}
