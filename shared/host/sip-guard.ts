/**
 * Who may send how much SIP, judged before anything is parsed: a token bucket per source address and caps on connections. Sources
 * that have proved themselves (a registration) are trusted for a time and not counted.
 */
import { sourceOf } from '#shared/call/source.ts';

export interface SipLimits {
  /** Messages per second of a source that is not trusted, and how many at once. */
  readonly rate: number;
  readonly burst: number;
  /** How long trust lasts after `trust`, ms. */
  readonly trust: number;
  /** Connections that came in, in all and per source that is not trusted. */
  readonly connections: number;
  readonly connectionsPerSource: number;
  /** Connections whose peer showed a certificate that we believe; they count for nothing else. */
  readonly proven: number;
  /** A connection without its first message, or with a message begun and not completed, is closed after this, ms. */
  readonly unfinished: number;
  /** A connection on which nothing comes is closed after this, ms. */
  readonly idle: number;
  /** Octets that may wait for a connection's reader. */
  readonly unsent: number;
}

export const SIP_LIMITS: SipLimits = {
  rate: 200,
  burst: 400,
  trust: 600_000,
  connections: 1000,
  connectionsPerSource: 50,
  proven: 20_000,
  unfinished: 20_000,
  idle: 1_800_000,
  unsent: 1_048_576,
};

/** Sources remembered at once; the longest known is forgotten first. */
export const SOURCE_LIMIT = 20_000;

interface Bucket {
  tokens: number;
  at: number;
}

export class SipGuard {
  readonly #limits: SipLimits;
  readonly #buckets = new Map<string, Bucket>();
  readonly #trusted = new Map<string, number>();
  readonly #open = new Map<string, number>();
  #last = { address: '', until: 0 };
  #connections = 0;
  #proven = 0;

  constructor(limits: SipLimits) {
    this.#limits = limits;
  }

  /** The source of an address is known good until `trust` ms from now. */
  trust(address: string, now: number): void {
    this.#last = { address: '', until: 0 };
    const source = sourceOf(address);
    this.#trusted.delete(source);
    this.#trusted.set(source, now + this.#limits.trust);
    forgetOldest(this.#trusted);
  }

  trusts(address: string, now: number): boolean {
    // Mostly the one that was asked about last.
    if (address === this.#last.address) return this.#last.until > now;
    const until = this.#trusted.get(sourceOf(address)) ?? 0;
    this.#last = { address, until };
    return until > now;
  }

  /** Takes one message of the source's allowance; otherwise gives the ms until there is room for one. */
  admit(address: string, now: number): 0 | number {
    if (this.trusts(address, now)) return 0;
    const source = sourceOf(address);
    const bucket = this.#buckets.get(source) ?? this.#newBucket(source, now);
    bucket.tokens = Math.min(this.#limits.burst, bucket.tokens + ((now - bucket.at) * this.#limits.rate) / 1000);
    bucket.at = now;
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) * 1000) / this.#limits.rate);
    bucket.tokens--;
    return 0;
  }

  #newBucket(source: string, now: number): Bucket {
    const bucket = { tokens: this.#limits.burst, at: now };
    this.#buckets.set(source, bucket);
    forgetOldest(this.#buckets);
    return bucket;
  }

  /** Counts a new connection; false where a cap is reached and it must be closed. `proven` by its certificate. */
  opened(address: string, proven: boolean, now: number): boolean {
    if (proven) {
      if (this.#proven >= this.#limits.proven) return false;
      this.#proven++;
      return true;
    }
    const source = sourceOf(address);
    const mine = this.#open.get(source) ?? 0;
    if (this.#connections >= this.#limits.connections) return false;
    if (mine >= this.#limits.connectionsPerSource && !this.trusts(address, now)) return false;
    this.#connections++;
    this.#open.set(source, mine + 1);
    return true;
  }

  /** A connection that `opened` let in is gone. */
  closed(address: string, proven: boolean): void {
    if (proven) {
      this.#proven--;
      return;
    }
    const source = sourceOf(address);
    const mine = (this.#open.get(source) ?? 1) - 1;
    this.#connections--;
    if (mine > 0) this.#open.set(source, mine);
    else this.#open.delete(source);
  }
}

function forgetOldest(map: Map<string, unknown>): void {
  if (map.size <= SOURCE_LIMIT) return;
  const oldest = map.keys().next().value;
  if (oldest !== undefined) map.delete(oldest);
}
