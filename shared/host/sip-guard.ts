/**
 * Who may send how much SIP, judged before anything is parsed: a token bucket per source address and caps on connections. Sources
 * that have proved themselves (a registration) are trusted for a time and not counted.
 */
import { sourceOf } from '#shared/call/source.ts';
import { oldestOf } from '#shared/kernel/oldest.ts';

export interface SipLimits {
  /** Messages per second of a source that is not trusted, and how many at once. */
  readonly rate: number;
  readonly burst: number;
  /** How long trust lasts after `trust`, ms. */
  readonly trust: number;
  /** Connections that came in from sources that are not trusted, in all and per source. */
  readonly connections: number;
  readonly connectionsPerSource: number;
  /** Those of sources that were trusted since they began. */
  readonly known: number;
  /** A stranger's connection on which nothing came for so long, ms, makes room where there is none. */
  readonly roomAfter: number;
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
  known: 20_000,
  roomAfter: 30_000,
  proven: 20_000,
  unfinished: 20_000,
  idle: 1_800_000,
  unsent: 1_048_576,
};

/** Sources remembered at once; the longest known is forgotten first. */
export const SOURCE_LIMIT = 20_000;

/** Connections of one source. */
interface Opened {
  count: number;
  /** It proved itself while they were open. */
  known: boolean;
}

/** Trust is renewed once in so many ms. */
const RENEWED = 1_000;

interface Bucket {
  tokens: number;
  at: number;
}

export class SipGuard {
  readonly #limits: SipLimits;
  readonly #buckets = new Map<string, Bucket>();
  readonly #oldestBucket = oldestOf(this.#buckets);
  readonly #trusted = new Map<string, number>();
  readonly #oldestTrusted = oldestOf(this.#trusted);
  readonly #open = new Map<string, Opened>();
  #last = { address: '', until: 0 };
  #strangers = 0;
  #known = 0;
  #proven = 0;

  constructor(limits: SipLimits) {
    this.#limits = limits;
  }

  /** The source of an address is known good until `trust` ms from now. */
  trust(address: string, now: number): void {
    const source = sourceOf(address);
    const until = now + this.#limits.trust;
    // One that is trusted for as long, but for a moment, stays where it stands.
    if (address !== this.#last.address || this.#last.until < until - RENEWED) {
      this.#trusted.delete(source);
      this.#trusted.set(source, until);
      this.#last = { address, until };
      forget(this.#trusted, this.#oldestTrusted);
    }
    const mine = this.#open.get(source);
    if (mine !== undefined) this.#know(mine);
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
    forget(this.#buckets, this.#oldestBucket);
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
    const mine = this.#open.get(source) ?? { count: 0, known: false };
    if (this.trusts(address, now)) this.#know(mine);
    if (mine.known ? this.#known >= this.#limits.known : this.isFull || mine.count >= this.#limits.connectionsPerSource)
      return false;
    mine.count++;
    if (mine.known) this.#known++;
    else this.#strangers++;
    this.#open.set(source, mine);
    return true;
  }

  /** Strangers have all the connections that there are for them. */
  get isFull(): boolean {
    return this.#strangers >= this.#limits.connections;
  }

  /** True where a source with open connections has not proved itself since they began. */
  isStranger(address: string): boolean {
    return this.#open.get(sourceOf(address))?.known === false;
  }

  /** From now on its connections are no stranger's. */
  #know(mine: Opened): void {
    if (mine.known) return;
    mine.known = true;
    this.#strangers -= mine.count;
    this.#known += mine.count;
  }

  /** A connection that `opened` let in is gone. */
  closed(address: string, proven: boolean): void {
    if (proven) {
      this.#proven--;
      return;
    }
    const source = sourceOf(address);
    const mine = this.#open.get(source);
    if (mine === undefined) return;
    mine.count--;
    if (mine.known) this.#known--;
    else this.#strangers--;
    if (mine.count === 0) this.#open.delete(source);
  }
}

function forget(map: Map<string, unknown>, oldest: () => string | undefined): void {
  const one = map.size <= SOURCE_LIMIT ? undefined : oldest();
  if (one !== undefined) map.delete(one);
}
