/**
 * How many connections may stand, and how fast strangers may come. A gateway has proved a certificate of ours in the
 * handshake, so only the total bounds it; an applicant's key costs nothing, so its address pays.
 */

/** Connections of one edge. */
export const CONNECTIONS_LIMIT = 20_000;
/** Applicants' connections of one source address. */
export const APPLICANTS_PER_SOURCE = 200;
/** Applicants' new connections per second of one source address, and how many may come at once. */
export const APPLICANTS_PER_SECOND = 20;
export const APPLICANTS_BURST = 40;
/** Applicants of all sources together. */
export const APPLICANTS_LIMIT = 5000;

interface Source {
  open: number;
  tokens: number;
  at: number;
}

export class Admission {
  readonly #sources = new Map<string, Source>();
  #gateways = 0;
  #applicants = 0;
  #sweptAt = 0;

  get open(): number {
    return this.#gateways + this.#applicants;
  }

  /** Counts a connection in, or says why not. Every `undefined` must be followed by one `leave`. `now` is monotonic ms. */
  enter(kind: 'gateway' | 'applicant', source: string, now: number): string | undefined {
    if (this.open >= CONNECTIONS_LIMIT) return 'the edge is full';
    if (kind === 'gateway') {
      this.#gateways++;
      return undefined;
    }
    if (this.#applicants >= APPLICANTS_LIMIT) return 'too many unpaired gateways';
    const known = this.#source(source, now);
    if (known.open >= APPLICANTS_PER_SOURCE) return 'too many unpaired gateways from this address';
    if (known.tokens < 1) return 'unpaired gateways come too fast from this address';
    known.tokens--;
    known.open++;
    this.#applicants++;
    return undefined;
  }

  leave(kind: 'gateway' | 'applicant', source: string, now: number): void {
    if (kind === 'gateway') {
      this.#gateways--;
      return;
    }
    this.#applicants--;
    const known = this.#source(source, now);
    known.open--;
    this.#forget(now);
  }

  #source(source: string, now: number): Source {
    let known = this.#sources.get(source);
    if (known === undefined) {
      known = { open: 0, tokens: APPLICANTS_BURST, at: now };
      this.#sources.set(source, known);
    }
    known.tokens = Math.min(APPLICANTS_BURST, known.tokens + ((now - known.at) * APPLICANTS_PER_SECOND) / 1000);
    known.at = now;
    return known;
  }

  /** A source with nothing open whose tokens are full again says nothing: it is dropped. */
  #forget(now: number): void {
    const refill = (APPLICANTS_BURST / APPLICANTS_PER_SECOND) * 1000;
    if (now - this.#sweptAt < refill) return;
    this.#sweptAt = now;
    for (const [source, { open, at }] of this.#sources) {
      if (open === 0 && now - at >= refill) this.#sources.delete(source);
    }
  }
}
