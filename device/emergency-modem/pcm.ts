/** Sound of a call on its way over a serial port: 8 kHz, 16 bit, little-endian, in pieces of any size. Pure. */

/** Octets of a frame of 20 ms. */
const FRAME = 320;
/** Frames that wait before the first is taken, and the most that wait: what is older gives way, so that delay cannot grow. */
const FIRST = 2;
export const PCM_WAITING = 8;

/** Gathers pieces into frames. The modem's clock is not ours: what comes too fast is cut back, what comes too slowly leaves a gap. */
export class PcmQueue {
  readonly #octets = new Uint8Array(FRAME * PCM_WAITING);
  #length = 0;
  #playing = false;

  put(piece: Uint8Array): void {
    const most = this.#octets.length;
    const taken = piece.length > most ? piece.subarray((piece.length - most) & ~1) : piece;
    const surplus = this.#length + taken.length - most;
    if (surplus > 0) this.#drop(Math.min(this.#length & ~1, surplus + (surplus & 1)));
    this.#octets.set(taken.subarray(0, most - this.#length), this.#length);
    this.#length = Math.min(most, this.#length + taken.length);
  }

  /** Fills a frame; false while there is none. */
  take(frame: Int16Array): boolean {
    if (this.#length < FRAME || (!this.#playing && this.#length < FIRST * FRAME)) {
      this.#playing = false;
      return false;
    }
    this.#playing = true;
    for (let i = 0; i < frame.length; i++)
      frame[i] = (this.#octets[2 * i] as number) | ((this.#octets[2 * i + 1] as number) << 8);
    this.#drop(FRAME);
    return true;
  }

  clear(): void {
    this.#length = 0;
    this.#playing = false;
  }

  #drop(octets: number): void {
    this.#octets.copyWithin(0, octets, this.#length);
    this.#length -= octets;
  }
}

/** A frame as it goes to the modem. */
export function writePcm(frame: Int16Array): Uint8Array {
  const octets = new Uint8Array(2 * frame.length);
  const view = new DataView(octets.buffer);
  for (const [i, sample] of frame.entries()) view.setInt16(2 * i, sample, true);
  return octets;
}
