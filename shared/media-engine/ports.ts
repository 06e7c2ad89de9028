/** The range of RTP ports: pairs of an even port (RTP) and the next (RTCP), RFC 3550 section 11. */

/** A freed pair rests this long, so that late packets of one call never reach the next, ms. */
export const PORT_REST = 2000;

export class PortRange {
  readonly #free: number[] = [];
  readonly #resting: { readonly port: number; readonly until: number }[] = [];

  constructor(low: number, high: number) {
    for (let port = low + (low % 2); port + 1 <= high; port += 2) this.#free.push(port);
  }

  /** The pair that has been free the longest; undefined when all are taken or rest at `now` (ms). */
  take(now: number): number | undefined {
    while (this.#resting[0] !== undefined && this.#resting[0].until <= now) {
      const rested = this.#resting.shift();
      if (rested !== undefined) this.#free.push(rested.port);
    }
    return this.#free.shift();
  }

  /** Gives a pair back; it comes again after its rest. */
  give(port: number, now: number): void {
    this.#resting.push({ port, until: now + PORT_REST });
  }
}
