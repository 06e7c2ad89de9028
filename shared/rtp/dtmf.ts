/**
 * Telephone events (RFC 4733 section 2.3): a digit is many packets with one timestamp; the last three say "end".
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * |     event     |E|R| volume    |          duration             |
 * +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 * ```
 */
import { at, read16 } from './packet.ts';

/** Octets of one event. */
export const EVENT_SIZE = 4;

/** Event codes 0 to 15, by position. */
const DIGITS = '0123456789*#ABCD';

/** The end of an event counts as lost after this long without another packet of it, ms. */
const END_LOST = 500;

/** Digits that one source may report in a second; a person presses fewer than ten. */
export const DIGITS_PER_SECOND = 20;

/** Writes one event; `volume` is the level below 0 dBm0 (0 to 63), `duration` in samples (RFC 4733 2.3.5). */
export function writeEvent(
  target: Uint8Array,
  start: number,
  digit: string,
  end: boolean,
  volume: number,
  duration: number,
): boolean {
  const code = DIGITS.indexOf(digit);
  if (code < 0 || digit.length !== 1) return false;
  target[start] = code;
  target[start + 1] = (end ? 128 : 0) | (volume & 63);
  target[start + 2] = duration >>> 8;
  target[start + 3] = duration;
  return true;
}

/** Turns event packets into digits, each reported once however many of its packets were lost or doubled. */
export class DtmfReceiver {
  readonly #report: (digit: string, duration: number) => void;
  #timestamp = -1;
  #digit = '';
  #duration = 0;
  #heard = 0;
  #done = true;
  #second = Number.NEGATIVE_INFINITY;
  #inSecond = 0;

  /** `report` gets the digit and its duration in ms. */
  constructor(report: (digit: string, duration: number) => void) {
    this.#report = report;
  }

  /** Takes the payload `data[start, end)` of a packet with this timestamp at `now` (ms). */
  push(timestamp: number, data: Uint8Array, start: number, end: number, now: number): void {
    if (end - start < EVENT_SIZE) return;
    const code = at(data, start);
    if (code >= DIGITS.length) return;
    if (timestamp !== this.#timestamp) {
      // A packet of an earlier event that was overtaken says nothing new.
      if (this.#timestamp >= 0 && ((timestamp - this.#timestamp) | 0) < 0) return;
      this.#finish(now);
      this.#timestamp = timestamp;
      this.#digit = DIGITS.charAt(code);
      this.#done = false;
      this.#duration = 0;
    }
    this.#heard = now;
    this.#duration = Math.max(this.#duration, read16(data, start + 2) / 8);
    if ((at(data, start + 1) & 128) !== 0) this.#finish(now);
  }

  /** Reports a digit whose last packets were lost. */
  expire(now: number): void {
    if (!this.#done && now - this.#heard >= END_LOST) this.#finish(now);
  }

  /** A new source: its timestamps have nothing to do with those before. */
  restart(now: number): void {
    this.#finish(now);
    this.#timestamp = -1;
  }

  #finish(now: number): void {
    if (this.#done) return;
    this.#done = true;
    if (now - this.#second >= 1000) {
      this.#second = now;
      this.#inSecond = 0;
    }
    if (++this.#inSecond <= DIGITS_PER_SECOND) this.#report(this.#digit, this.#duration);
  }
}
