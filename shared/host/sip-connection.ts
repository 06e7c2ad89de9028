/** One SIP connection: framing, keep-alive, idle limits, and patience with a source that sends too much. */
import type { Clock, Stream, Timer } from '#shared/kernel/world.ts';
import { Framer } from '../sip/framer.ts';
import type { Flow } from '../sip/types.ts';
import type { SipLimits } from './sip-guard.ts';

/** What a connection tells the transport. */
export interface ConnectionOwner {
  /** ms to wait before the next message of this source may be read; 0 for now. */
  admit(address: string): number;
  message(text: string, flow: Flow): void;
  /** Exactly once. */
  closed(connection: SipConnection, why: string): void;
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
  readonly #limits: SipLimits;
  readonly #framer = new Framer();
  readonly #keepAlive: number | undefined;
  #timer: Timer | undefined;
  #held: Timer | undefined;
  #heardAt: number;
  /** Since when the first message, or the rest of one, is awaited. */
  #waitingSince: number | undefined;
  #pingAt: number;
  #pongBy = Number.POSITIVE_INFINITY;
  #open = true;

  constructor(
    parts: { flow: Flow; stream: Stream; incoming: boolean; keepAlive: number | undefined },
    owner: ConnectionOwner,
    clock: Clock,
    limits: SipLimits,
  ) {
    this.flow = parts.flow;
    this.incoming = parts.incoming;
    this.#stream = parts.stream;
    this.#keepAlive = parts.keepAlive;
    this.#owner = owner;
    this.#clock = clock;
    this.#limits = limits;
    this.#heardAt = clock.mono();
    this.#waitingSince = parts.incoming ? this.#heardAt : undefined;
    this.#pingAt = this.#heardAt + (parts.keepAlive ?? Number.POSITIVE_INFINITY);
    this.#arm();
    this.#stream.handle({ data: (data) => this.#data(data), close: (error) => this.#closed(error ?? 'closed') });
  }

  /** Queues a message; a reader that leaves too much waiting is given up. */
  send(data: Uint8Array): void {
    if (!this.#open) return;
    this.#stream.write(data);
    if (this.#stream.buffered > this.#limits.unsent) this.destroy('reader too slow');
  }

  /** Sends what waits, then closes. */
  end(): void {
    if (this.#open) this.#stream.end();
  }

  destroy(why: string): void {
    if (!this.#open) return;
    this.#stream.destroy();
    this.#closed(why);
  }

  #closed(why: string): void {
    if (!this.#open) return;
    this.#open = false;
    this.#timer?.cancel();
    this.#held?.cancel();
    this.#owner.closed(this, why);
  }

  #data(data: Uint8Array): void {
    this.#heardAt = this.#clock.mono();
    this.#framer.push(octetsToText(data));
    if (!this.#held) this.#read();
  }

  #read(): void {
    while (this.#open) {
      const wait = this.#owner.admit(this.flow.remote.host);
      if (wait > 0) {
        this.#hold(wait);
        return;
      }
      const frame = this.#framer.next();
      if (frame === undefined) {
        this.#drained();
        return;
      }
      if ('bad' in frame) {
        this.destroy(frame.bad);
        return;
      }
      this.#pongBy = Number.POSITIVE_INFINITY;
      if ('ping' in frame) this.send(PONG);
      else {
        this.#waitingSince = undefined;
        this.#owner.message(frame.message, this.flow);
      }
    }
  }
}
