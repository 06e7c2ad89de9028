import type { Random } from '#shared/kernel/world.ts';

/** A seeded generator (sfc32): the same seed gives the same numbers on every machine. Not for secrets. */
export class Seeded implements Random {
  #a: number;
  #b: number;
  #c: number;
  #d = 1;

  constructor(seed: number, stream = 0) {
    this.#a = seed >>> 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) >>> 0;
    this.#c = stream >>> 0;
    for (let i = 0; i < 15; i++) this.u32();
  }

  u32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0;
    this.#d = (this.#d + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (this.#c << 21) | (this.#c >>> 11);
    this.#c = (this.#c + t) | 0;
    return t >>> 0;
  }

  fraction(): number {
    return this.u32() / 0x1_0000_0000;
  }

  /** A whole number in [0, n). */
  below(n: number): number {
    return Math.floor(this.fraction() * n);
  }

  bytes(n: number): Uint8Array<ArrayBuffer> {
    const octets = new Uint8Array(n);
    for (let i = 0; i < n; i++) octets[i] = this.u32() & 255;
    return octets;
  }
}

/** A number for a name, so that every host has a random stream of its own. */
export function streamOf(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193) >>> 0;
  return h;
}
