/**
 * The link between the cloud's main process and a part that runs in a process of its own: frames of plain data both ways over a Unix
 * socket of the data folder. Requests of the bus go both ways, events too, commits to the store one way. Pure but for the pipe.
 *
 * A frame is four octets of length (big endian) and a JSON list of messages, those of one turn of the loop together. What is longer
 * than `FRAME_LIMIT` ends the link; so does a peer that lets more than `BACKLOG_LIMIT` wait.
 */
import type { Result } from '#shared/kernel/result.ts';
import type { BusEventName } from '#shared/protocol/events.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { ServerName } from '#shared/protocol/servers.ts';
import type { VerbName } from '#shared/protocol/verbs/index.ts';
import type { Context } from './bus.ts';

/** Octets of one frame: a list of 50,000 legs fits. */
export const FRAME_LIMIT = 32 * 1024 * 1024;
/** Octets that may wait for a peer that does not read, before new requests are refused, and before the link is given up. */
export const BUSY_LIMIT = 8 * 1024 * 1024;
export const BACKLOG_LIMIT = 64 * 1024 * 1024;

/** What the bus sends, either way unless said otherwise. */
export type BusMessage =
  | {
      readonly on: 'ask';
      readonly n: number;
      readonly verb: VerbName;
      readonly request: unknown;
      readonly context: Context;
      /** Milliseconds. */
      readonly limit: number;
    }
  | { readonly on: 'answer'; readonly n: number; readonly outcome: Result<unknown, Fault> }
  | { readonly on: 'event'; readonly event: BusEventName; readonly data: unknown }
  /** From the child: it wants to hear an event, or no more. */
  | { readonly on: 'hear'; readonly event: BusEventName; readonly wanted: boolean }
  /** From the main process: the parts that serve now. */
  | { readonly on: 'parts'; readonly names: readonly ServerName[] };

/** One end of a link. Messages of one turn travel together, in their order. */
export interface Pipe<M> {
  send(message: M): void;
  /** Octets sent that the network has not taken. */
  readonly waiting: number;
  /** Ends it; `closed` is called. */
  close(): void;
  /** Sets who listens; what came before is delivered then. */
  handle(handlers: { message(message: M): void; closed(): void }): void;
}

/** Cuts octets into frames. */
export class Frames {
  #parts: Uint8Array[] = [];
  #size = 0;

  /** The frames that `data` completes, without their lengths; undefined once one is too long. */
  push(data: Uint8Array): Uint8Array[] | undefined {
    this.#parts.push(data);
    this.#size += data.length;
    const whole: Uint8Array[] = [];
    for (;;) {
      const length = this.#size < 4 ? undefined : this.#length();
      if (length !== undefined && length > FRAME_LIMIT) return undefined;
      if (length === undefined || this.#size < 4 + length) return whole;
      this.#take(4);
      whole.push(this.#take(length));
    }
  }

  #length(): number {
    let value = 0;
    let seen = 0;
    for (const part of this.#parts) {
      for (let at = 0; at < part.length && seen < 4; at++, seen++) value = value * 256 + (part[at] ?? 0);
      if (seen === 4) break;
    }
    return value;
  }

  #take(octets: number): Uint8Array {
    const [first] = this.#parts;
    this.#size -= octets;
    if (first !== undefined && first.length > octets) {
      this.#parts[0] = first.subarray(octets);
      return first.subarray(0, octets);
    }
    const taken = new Uint8Array(octets);
    for (let at = 0; at < octets; ) {
      const part = this.#parts[0] ?? new Uint8Array(0);
      const piece = part.subarray(0, octets - at);
      taken.set(piece, at);
      at += piece.length;
      if (piece.length === part.length) this.#parts.shift();
      else this.#parts[0] = part.subarray(piece.length);
    }
    return taken;
  }
}

/** Questions that wait for their answers, by number. */
export class Waiting<T> {
  readonly #asked = new Map<number, (answer: T) => void>();
  #next = 1;

  get size(): number {
    return this.#asked.size;
  }

  /** A number for the question, and its answer to come. */
  open(): { readonly n: number; readonly answer: Promise<T> } {
    const n = this.#next++;
    return { n, answer: new Promise((resolve) => this.#asked.set(n, resolve)) };
  }

  /** False where nobody waits (any more). */
  settle(n: number, answer: T): boolean {
    const resolve = this.#asked.get(n);
    this.#asked.delete(n);
    resolve?.(answer);
    return resolve !== undefined;
  }

  drop(n: number): void {
    this.#asked.delete(n);
  }

  /** Gives everybody the same answer. */
  settleAll(answer: T): void {
    for (const n of [...this.#asked.keys()]) this.settle(n, answer);
  }
}
