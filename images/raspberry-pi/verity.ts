/** dm-verity hash trees (format 1, SHA-256, blocks of 4096): made at build time, checked over a finished disk. */
import { createHash } from 'node:crypto';
import { BLOCK } from './boot/layout.ts';

const DIGEST = 32;
const PER_BLOCK = BLOCK / DIGEST;

/** A tree as it stands on disk (highest level first) and the hash that vouches for all of it. */
export interface HashTree {
  readonly tree: Uint8Array;
  /** Hexadecimal root hash. */
  readonly root: string;
}

const digest = (salt: Uint8Array, block: Uint8Array) => createHash('sha256').update(salt).update(block).digest();

/** The hashes of all blocks of `data` (a whole number of them), packed 128 to a block and padded with zeros. */
function level(data: Uint8Array, salt: Uint8Array): Uint8Array {
  const blocks = data.length / BLOCK;
  const out = new Uint8Array(Math.ceil(blocks / PER_BLOCK) * BLOCK);
  for (let index = 0; index < blocks; index += 1)
    out.set(digest(salt, data.subarray(index * BLOCK, (index + 1) * BLOCK)), index * DIGEST);
  return out;
}

/**
 * The tree over `data`, whose length must be a multiple of 4096 bytes and two at least. Layout as the kernel's
 * Documentation/admin-guide/device-mapper/verity.rst: the level under the root first, the one over the data last, no superblock.
 */
export function hashTree(data: Uint8Array, salt: Uint8Array): HashTree {
  if (data.length < 2 * BLOCK || data.length % BLOCK !== 0)
    throw new Error(`${data.length} bytes are not two or more whole blocks`);
  const levels: Uint8Array[] = [];
  let below = data;
  do {
    below = level(below, salt);
    levels.unshift(below);
  } while (below.length > BLOCK);
  const tree = new Uint8Array(levels.reduce((sum, one) => sum + one.length, 0));
  let at = 0;
  for (const one of levels) {
    tree.set(one, at);
    at += one.length;
  }
  return { tree, root: digest(salt, below).toString('hex') };
}
