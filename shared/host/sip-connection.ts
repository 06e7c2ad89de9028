/** One SIP connection: framing, keep-alive, idle limits, and patience with a source that sends too much. */
import type { Clock, Random, Stream, Timer, World } from '#shared/kernel/world.ts';
import { type Framing, StreamFraming } from '../sip/framing.ts';
import type { Flow } from '../sip/types.ts';
import type { SipLimits } from './sip-guard.ts';

/** What a connection tells the transport. */
export interface ConnectionOwner {
  /** ms to wait before the next message or keep-alive may be read; 0: it may be read at once. */
  admit(): number;
  message(text: string): void;
  /** Exactly once. */
  closed(why: string): void;
}

/** How long an answer to our keep-alive may take, ms (RFC 5626 section 4.4.1). */
export const PONG_WAIT = 10_000;

export class SipConnection {
  readonly flow: Flow;
  /** Came in (counted by the guard), or was opened by us. */
  readonly incoming: boolean;
  readonly #stream: Stream;
  readonly #owner: ConnectionOwner;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: SipLimits;
  readonly #framing: Framing;
  readonly #keepAlive: number | undefined;
  #timer: Timer | undefined;
  #held: Timer | undefined;
  #heardAt: number;
  /** Since when the first message, or the rest of one, is awaited. */
  #waitingSince: number | undefined;
  /** Has sent at least one message. */
  #spoke = false;
  /** A whole message, or the answer to a keep-alive, that waits for the source's allowance. */
  #pending: string | Uint8Array | undefined;
  #pingAt: number;
  #pongBy = Number.POSITIVE_INFINITY;
  #open = true;

  constructor(
    parts: { flow: Flow; stream: Stream; incoming: boolean; keepAlive: number | undefined; framing?: Framing },
    owner: ConnectionOwner,
    { clock, random }: Pick<World, 'clock' | 'random'>,
    limits: SipLimits,
  ) {
    this.flow = parts.flow;
    this.incoming = parts.incoming;
    this.#stream = parts.stream;
    this.#framing = parts.framing ?? new StreamFraming(octetsToText);
    this.#keepAlive = parts.keepAlive;
    this.#owner = owner;
    this.#clock = clock;
    this.#random = random;
    this.#limits = limits;
    this.#heardAt = clock.mono();
    this.#waitingSince = parts.incoming ? this.#heardAt : undefined;
    this.#pingAt = this.#heardAt + this.#pause();
  }

  /** When something came the last time, monotonic ms. */
  get heardAt(): number {
    return this.#heardAt;
  }

  /** Until our next keep-alive, ms: by chance up to a fifth less than was asked for, so that peers who came together part (RFC 5626 section 4.4.1). */
  #pause(): number {
    return (this.#keepAlive ?? Number.POSITIVE_INFINITY) * (1 - 0.2 * this.#random.fraction());
  }

  /** Begins to read; what came before is delivered now. */
  start(): void {
    this.#arm();
    this.#stream.handle({ data: (data) => this.#data(data), close: (error) => this.#closed(error ?? 'closed') });
    if (this.#framing.unfinished && !this.#held) this.#read();
  }

  /** Queues a message; a reader that leaves too much waiting is given up. */
  send(data: Uint8Array): void {
    if (this.#open) this.#write(this.#framing.pack(data));
  }

  #write(octets: Uint8Array): void {
    this.#stream.write(octets);
    if (this.#stream.buffered > this.#limits.unsent) this.destroy('reader too slow');
  }

  /** Sends what waits, then closes. */
  end(): void {
    if (!this.#open) return;
    if (this.#framing.farewell !== undefined) this.#stream.write(this.#framing.farewell);
    this.#stream.end();
  }

  destroy(why: string): void {
    // First our own reason: the stream may tell of its end within `destroy`.
    this.#closed(why);
    this.#stream.destroy();
  }

  #closed(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#timer?.cancel();
    this.#held?.cancel();
    this.#owner.closed(why);
  }

  #data(data: Uint8Array): void {
    this.#heardAt = this.#clock.mono();
    this.#pongBy = Number.POSITIVE_INFINITY;
    this.#framing.push(data);
    if (!this.#held) this.#read();
  }

  #read(): void {
    while (this.#open) {
      this.#pending ??= this.#next();
      if (this.#pending === undefined) return;
      const wait = this.#owner.admit();
      if (wait > 0) {
        this.#hold(wait);
        return;
      }
      const pending = this.#pending;
      this.#pending = undefined;
      if (typeof pending === 'string') this.#owner.message(pending);
      else this.#write(pending);
    }
  }

  /** The next whole message, or the answer to the next keep-alive, which is counted as a message is. */
  #next(): string | Uint8Array | undefined {
    const frame = this.#framing.next();
    if (frame === undefined) {
      const waits = this.#framing.unfinished || (this.incoming && !this.#spoke);
      this.#waitingSince = waits ? (this.#waitingSince ?? this.#heardAt) : undefined;
      return undefined;
    }
    if ('message' in frame) {
      // Keep-alives complete nothing: over a WebSocket they may stand within a message.
      this.#waitingSince = undefined;
      this.#spoke = true;
      return frame.message;
    }
    if (!('bad' in frame)) return frame.answer;
    if (frame.answer !== undefined) this.#write(frame.answer);
    this.destroy(frame.bad);
    return undefined;
  }

  /** Too much from this source: nothing more is read until its allowance has grown. */
  #hold(wait: number): void {
    this.#stream.pause();
    this.#held = this.#clock.at(this.#clock.mono() + wait, () => {
      this.#held = undefined;
      if (!this.#open) return;
      this.#stream.resume();
      this.#read();
    });
  }

  #arm(): void {
    const waitEnd = (this.#waitingSince ?? Number.POSITIVE_INFINITY) + this.#limits.unfinished;
    const at = Math.min(waitEnd, this.#heardAt + this.#limits.idle, this.#pingAt, this.#pongBy);
    // Data moves these deadlines without touching the timer, so it looks again at least this often.
    const look = Math.min(at, this.#clock.mono() + this.#limits.unfinished);
    this.#timer = this.#clock.at(look, () => this.#check());
  }

  #check(): void {
    const now = this.#clock.mono();
    if (now >= this.#pongBy) this.destroy('no keep-alive answer');
    else if (now >= this.#heardAt + this.#limits.idle) this.destroy('idle');
    else if (this.#waitingSince !== undefined && now >= this.#waitingSince + this.#limits.unfinished) {
      this.destroy('message not completed');
    }
    if (!this.#open) return;
    if (this.#keepAlive !== undefined && now >= this.#pingAt) {
      this.#stream.write(this.#framing.ask());
      this.#pingAt = now + this.#pause();
      this.#pongBy = Math.min(this.#pongBy, now + PONG_WAIT);
    }
    this.#arm();
  }
}

/** One character per octet. */
export function octetsToText(data: Uint8Array): string {
  const octets = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return octets.toString('latin1');
}

export function textToOctets(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}
