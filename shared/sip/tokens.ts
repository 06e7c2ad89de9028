/** Random tokens for branches, tags and Call-IDs, drawn from the world's generator in larger portions. */
import { hex } from '../kernel/bytes.ts';
import type { Random } from '../kernel/world.ts';

const PORTION = 2048;

export class Tokens {
  readonly #random: Random;
  readonly #mark: string;
  #pool = '';
  #at = 0;

  /** `mark` stands before every token: it says which of several processes made it. */
  constructor(random: Random, mark = '') {
    this.#random = random;
    this.#mark = mark;
  }

  /** `octets` random octets as lower-case hex; 8 suffice for a tag or branch (RFC 3261 section 19.3 asks for 32 bits). */
  next(octets: number): string {
    return this.#mark + this.#draw(octets);
  }

  /** 32 random bits that no message shows. */
  secret(): number {
    return Number.parseInt(this.#draw(4), 16);
  }

  #draw(octets: number): string {
    const length = 2 * octets;
    if (this.#at + length > this.#pool.length) {
      this.#pool = hex(this.#random.bytes(PORTION));
      this.#at = 0;
    }
    const token = this.#pool.slice(this.#at, this.#at + length);
    this.#at += length;
    return token;
  }

  /** A number in [0, 1), for jitter. */
  fraction(): number {
    return this.#random.fraction();
  }
}
