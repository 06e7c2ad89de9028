/**
 * A jitter buffer of 8 kHz samples: packets come in any order and of any length, frames of 20 ms go out on a clock.
 *
 * The delay begins at 20 ms and adapts between 20 and 60 ms: an underrun makes it longer by a frame, a surplus that has
 * lasted 2 s makes it shorter by 10 ms (two pieces are cross-faded). What is missing is concealed by the last frame
 * again, fading out over 60 ms. A new SSRC begins anew; so does a timestamp outside of the window, once the next packet
 * confirms it. Nothing is allocated after construction.
 */
import { FRAME, timestampDistance } from './packet.ts';

/** Samples that the ring can hold ahead of the play position: 512 ms. */
const CAPACITY = 4096;
const MASK = CAPACITY - 1;
/** Least and most of the adaptive delay, samples. */
const DELAY_LOW = 160;
const DELAY_HIGH = 480;
/** A surplus is given back in steps of 10 ms. */
const STEP = 80;
/** Frames over which the least depth is watched: 2 s. */
const WATCH = 100;
/** Frames without anything to play after which the stream counts as paused: 200 ms. */
const PAUSE = 10;
/** Frames over which a concealed gap fades out. */
const FADE = 3;

export class JitterBuffer {
  readonly #ring = new Int16Array(CAPACITY);
  readonly #have = new Uint8Array(CAPACITY);
  readonly #last = new Int16Array(FRAME);
  #playing = false;
  #ssrc = -1;
  /** Timestamp of the next sample to go out, and of the one after the newest. */
  #play = 0;
  #end = 0;
  #delay = DELAY_LOW;
  #delayBefore = DELAY_LOW;
  #misses = 0;
  #gap = 0;
  #watched = 0;
  #least = CAPACITY;
  #skip = false;
  #strayNext = -1;
  /** Packets that came after their time. */
  late = 0;
  /** Frames of which something had to be concealed. */
  concealed = 0;

  /** Puts the payload `data[start, end)` into its place; `decode` maps its octets to samples. */
  put(
    ssrc: number,
    sequence: number,
    timestamp: number,
    data: Uint8Array,
    start: number,
    end: number,
    decode: Int16Array,
  ): void {
    const length = end - start;
    if (length <= 0 || length > CAPACITY / 2) return;
    if (!this.#playing || ssrc !== this.#ssrc) this.#begin(ssrc, timestamp);
    let offset = timestampDistance(timestamp, this.#play);
    if (offset < -CAPACITY || offset + length > CAPACITY) {
      if (sequence !== this.#strayNext) {
        this.#strayNext = (sequence + 1) & 0xffff;
        return;
      }
      this.#begin(ssrc, timestamp);
      offset = timestampDistance(timestamp, this.#play);
    }
    this.#strayNext = -1;
    if (offset + length <= 0) {
      this.late++;
      return;
    }
    const base = timestamp & MASK;
    for (let i = offset < 0 ? -offset : 0; i < length; i++) {
      const place = (base + i) & MASK;
      this.#ring[place] = decode[data[start + i] as number] as number;
      this.#have[place] = 1;
    }
    const last = (timestamp + length) >>> 0;
    if (timestampDistance(last, this.#end) > 0) this.#end = last;
  }

  /** Takes the next 20 ms. False (and silence) while there is no stream. */
  take(out: Int16Array): boolean {
    if (!this.#playing) {
      out.fill(0);
      return false;
    }
    const depth = timestampDistance(this.#end, this.#play);
    if (depth <= 0) return this.#underrun(out);
    this.#misses = 0;
    if (this.#skip && depth >= FRAME + STEP) this.#shorten();
    const missing = this.#copy(out);
    if (missing === 0) this.#gap = 0;
    else {
      this.concealed++;
      this.#gap++;
    }
    this.#watch(depth - FRAME);
    return true;
  }

  /** Delay that the buffer aims at, ms. */
  get delay(): number {
    return this.#delay / 8;
  }

  /** Forgets the stream. */
  reset(): void {
    this.#playing = false;
  }

  #begin(ssrc: number, timestamp: number): void {
    this.#have.fill(0);
    this.#last.fill(0);
    this.#ssrc = ssrc;
    this.#playing = true;
    this.#play = (timestamp - this.#delay) >>> 0;
    this.#end = timestamp;
    this.#gap = FADE;
    this.#misses = 0;
    this.#skip = false;
    this.#watched = 0;
    this.#least = CAPACITY;
  }

  #copy(out: Int16Array): number {
    let missing = 0;
    const from = this.#gap / FADE;
    for (let i = 0; i < FRAME; i++) {
      const place = (this.#play + i) & MASK;
      if (this.#have[place] === 1) {
        out[i] = this.#ring[place] as number;
        this.#have[place] = 0;
      } else {
        missing++;
        const gain = 1 - from - i / (FADE * FRAME);
        out[i] = gain > 0 ? (this.#last[i] as number) * gain : 0;
      }
    }
    if (missing === 0) this.#last.set(out);
    this.#play = (this.#play + FRAME) >>> 0;
    return missing;
  }

  /** Nothing lies ahead. Waiting makes the delay longer, up to its most; then the position goes on without. */
  #underrun(out: Int16Array): boolean {
    if (this.#misses === 0) this.#delayBefore = this.#delay;
    this.#misses++;
    if (this.#misses > PAUSE) {
      // A paused stream says nothing about the network.
      this.#delay = this.#delayBefore;
      this.#playing = false;
      out.fill(0);
      return false;
    }
    const play = this.#play;
    this.#copy(out);
    this.concealed++;
    this.#gap++;
    if (this.#delay + FRAME <= DELAY_HIGH) {
      this.#delay += FRAME;
      this.#play = play;
    }
    this.#watched = 0;
    this.#least = CAPACITY;
    return true;
  }

  /** Looks for a delay longer than the network needs. */
  #watch(depth: number): void {
    if (depth < this.#least) this.#least = depth;
    if (++this.#watched < WATCH) return;
    if (this.#least >= DELAY_LOW + STEP) {
      this.#skip = true;
      this.#delay = Math.max(DELAY_LOW, this.#delay - STEP);
    }
    this.#watched = 0;
    this.#least = CAPACITY;
  }

  /** Moves the position 10 ms on, cross-fading what is left out into what follows. */
  #shorten(): void {
    this.#skip = false;
    for (let i = 0; i < STEP; i++) {
      const from = (this.#play + i) & MASK;
      const to = (from + STEP) & MASK;
      if (this.#have[from] === 1 && this.#have[to] === 1) {
        const share = i / STEP;
        this.#ring[to] = (this.#ring[from] as number) * (1 - share) + (this.#ring[to] as number) * share;
      }
      this.#have[from] = 0;
    }
    this.#play = (this.#play + STEP) >>> 0;
  }
}
