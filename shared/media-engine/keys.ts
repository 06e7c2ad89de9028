/** Digits that an endpoint sends as telephone events (RFC 4733 section 2.5.1): one after the other on the 20 ms tick. */
import { FRAME } from '#shared/rtp/packet.ts';

/** Ticks that a digit sounds, that its end is repeated in, and of the pause before the next: 100 ms, 60 ms, 60 ms. */
const SOUND = 5;
const ENDS = 3;
const PAUSE = 3;

/** Digits that may wait at one endpoint; further ones are dropped. */
export const KEYS_WAITING = 64;

/** What one tick sends. */
export interface KeyFrame {
  readonly digit: string;
  readonly first: boolean;
  readonly end: boolean;
  /** Samples since the beginning. */
  readonly duration: number;
}

export class Keys {
  #waiting = '';
  #tick = 0;

  get busy(): boolean {
    return this.#waiting !== '';
  }

  press(digits: string): void {
    this.#waiting = (this.#waiting + digits).slice(0, KEYS_WAITING);
  }

  /** What is due on this tick; undefined in a pause and when all is said. */
  next(): KeyFrame | undefined {
    const digit = this.#waiting.charAt(0);
    if (digit === '') return undefined;
    const at = this.#tick++;
    if (at >= SOUND + ENDS + PAUSE - 1) {
      this.#waiting = this.#waiting.slice(1);
      this.#tick = 0;
    }
    if (at >= SOUND + ENDS) return undefined;
    return { digit, first: at === 0, end: at >= SOUND, duration: Math.min(at + 1, SOUND) * FRAME };
  }
}
