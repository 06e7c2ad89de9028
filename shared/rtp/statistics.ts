/** What a receiver counts about one RTP source (RFC 3550 sections 6.4.1, A.1, A.3, A.8). */
import { sequenceDistance } from './packet.ts';

/** A packet farther ahead or behind than this begins the count anew (a restarted sender). */
const MAX_STEP = 3000;

/** The numbers of one report block about one source. */
export interface ReceptionReport {
  /** Fraction lost since the last report, in 1/256. */
  readonly fraction: number;
  /** Packets lost in all; 24 bits, signed. */
  readonly lost: number;
  /** Highest sequence number with its cycles. */
  readonly highest: number;
  /** Interarrival jitter in timestamp units. */
  readonly jitter: number;
}

/** Counts of one source; `restart` at a new SSRC. Totals go on over restarts. */
export class ReceptionStatistics {
  received = 0;
  #lostBefore = 0;
  #base = -1;
  #highest = 0;
  #sinceBase = 0;
  #jitter = 0;
  #transit = Number.NaN;
  #expectedAtReport = 0;
  #receivedAtReport = 0;

  /** Begins a new source; what was lost before stays in the total. */
  restart(): void {
    this.#lostBefore = this.lost;
    this.#base = -1;
    this.#sinceBase = 0;
    this.#transit = Number.NaN;
    this.#expectedAtReport = 0;
    this.#receivedAtReport = 0;
  }

  /** Counts a packet by its sequence number. */
  count(sequence: number): void {
    if (this.#base >= 0) {
      const step = sequenceDistance(sequence, this.#highest & 0xffff);
      if (step > MAX_STEP || step < -MAX_STEP) this.restart();
      else if (step > 0) this.#highest += step;
    }
    if (this.#base < 0) {
      this.#base = sequence;
      this.#highest = sequence;
    }
    this.#sinceBase++;
    this.received++;
  }

  /** Takes the arrival (ms, any origin) of a packet of audio into the jitter (RFC 3550 A.8, timestamps at 8 kHz). */
  arrived(timestamp: number, arrival: number): void {
    const transit = ((arrival * 8 - timestamp) % 4_294_967_296) | 0;
    if (!Number.isNaN(this.#transit)) {
      const difference = Math.abs((transit - this.#transit) | 0);
      // A pause of the sender with a jump of its timestamps is no jitter of the network.
      if (difference < 8000) this.#jitter += (difference - this.#jitter) / 16;
    }
    this.#transit = transit;
  }

  /** Packets that should have come and have not; duplicates can make it less than the truth. */
  get lost(): number {
    return this.#lostBefore + (this.#base < 0 ? 0 : Math.max(0, this.#expected - this.#sinceBase));
  }

  /** Jitter in milliseconds. */
  get jitter(): number {
    return this.#jitter / 8;
  }

  get #expected(): number {
    return this.#highest - this.#base + 1;
  }

  /** The report block's numbers; undefined before the first packet. Begins the next interval. */
  report(): ReceptionReport | undefined {
    if (this.#base < 0) return undefined;
    const expected = this.#expected - this.#expectedAtReport;
    const lost = expected - (this.#sinceBase - this.#receivedAtReport);
    this.#expectedAtReport = this.#expected;
    this.#receivedAtReport = this.#sinceBase;
    return {
      fraction: expected <= 0 || lost <= 0 ? 0 : Math.min(255, Math.floor((lost * 256) / expected)),
      lost: Math.max(-0x80_0000, Math.min(0x7f_ffff, this.#expected - this.#sinceBase)),
      highest: this.#highest >>> 0,
      jitter: Math.floor(this.#jitter) >>> 0,
    };
  }
}
