/** TLS handshakes that are under way at a listener: who opens connections and says nothing gets no further than its share. */
import { sourceOf } from '../call/source.ts';

/** Of all sources, and of one; a further connection is closed at once. */
export const HANDSHAKES = 2_000;
export const HANDSHAKES_OF_ONE = 200;

export class Handshakes {
  readonly #of = new Map<string, number>();
  /** Connections whose handshake is not over, by address and port. */
  readonly #open = new Map<string, string>();

  /** A connection came; false where there are too many without an end of their handshake. */
  begin(host: string, port: number): boolean {
    // Whoever had that port before is gone, if nobody has said so yet.
    this.end(host, port);
    const source = sourceOf(host);
    const mine = this.#of.get(source) ?? 0;
    if (this.#open.size >= HANDSHAKES || mine >= HANDSHAKES_OF_ONE) return false;
    this.#of.set(source, mine + 1);
    this.#open.set(`${host} ${port}`, source);
    return true;
  }

  /** Its handshake is done, or it is gone; again is nothing. */
  end(host: string, port: number): void {
    const source = this.#open.get(`${host} ${port}`);
    if (source === undefined) return;
    this.#open.delete(`${host} ${port}`);
    const left = (this.#of.get(source) ?? 1) - 1;
    if (left > 0) this.#of.set(source, left);
    else this.#of.delete(source);
  }
}
