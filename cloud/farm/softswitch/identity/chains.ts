/** Chains of certificates that were read lately: reading one costs several times as much as a signature under it. */
import type { ChainFacts, Crypto } from '#shared/kernel/world.ts';

/** Milliseconds of the wall clock for which what a chain proved stands, and chains that are known. */
export const KNOWN_FOR = 60_000;
export const KNOWN = 256;

interface Known {
  readonly at: number;
  readonly facts: Promise<ChainFacts | undefined>;
}

export class Chains {
  readonly #crypto: Pick<Crypto, 'readChain'>;
  readonly #known = new Map<string, Known>();

  constructor(crypto: Pick<Crypto, 'readChain'>) {
    this.#crypto = crypto;
  }

  /** See `Crypto.readChain`; a certificate that ends meanwhile is believed for `KNOWN_FOR` more. */
  readonly readChain: Crypto['readChain'] = (chain, authorities, wall) => {
    const key = `${authorities}\n\n${chain}`;
    const known = this.#known.get(key);
    if (known !== undefined && Math.abs(wall - known.at) < KNOWN_FOR) return known.facts;
    const facts = this.#crypto.readChain(chain, authorities, wall);
    this.#known.delete(key);
    this.#known.set(key, { at: wall, facts });
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KNOWN) break;
      this.#known.delete(oldest);
    }
    return facts;
  };
}
