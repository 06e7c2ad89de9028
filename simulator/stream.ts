import type { Address, Peer, Stream, StreamHandlers } from '#shared/kernel/world.ts';

const HIGH_WATER = 64 * 1024;

/** How a stream's end hands octets and closings to the network. */
export interface Wire {
  /** Carries octets to the other end, in order. */
  carry(data: Uint8Array): void;
  /** Carries our closing, after the octets. */
  close(error?: string): void;
}

/** One end of a virtual stream. The network calls `arrive` and `closed` on it. */
export class VirtualStream implements Stream {
  readonly local: Address;
  readonly remote: Address;
  readonly secure: boolean;
  peer: Peer;
  /** Octets sent that the other end's owner has not taken. */
  buffered = 0;
  wire: Wire | undefined;
  /** Called when this end's owner has taken `n` octets. */
  consumed: (n: number) => void = () => {};
  #handlers: StreamHandlers | undefined;
  #paused = true;
  #waiting: Uint8Array[] = [];
  #over: { error?: string } | undefined;
  #told = false;
  #open = true;
  #blocked = false;

  constructor(local: Address, remote: Address, secure: boolean, peer: Peer) {
    this.local = local;
    this.remote = remote;
    this.secure = secure;
    this.peer = peer;
  }

  write(data: Uint8Array): boolean {
    if (!this.#open || this.#over !== undefined) return true;
    this.buffered += data.length;
    this.wire?.carry(data.slice());
    this.#blocked = this.buffered > HIGH_WATER;
    return !this.#blocked;
  }

  end(): void {
    if (!this.#open) return;
    this.#open = false;
    this.wire?.close();
    this.closed();
  }

  destroy(): void {
    if (!this.#open && this.#told) return;
    const first = this.#open;
    this.#open = false;
    this.#waiting = [];
    if (first) this.wire?.close();
    this.closed();
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#flush();
  }

  handle(handlers: StreamHandlers): void {
    this.#handlers = handlers;
    this.#paused = false;
    queueMicrotask(() => this.#flush());
  }

  arrive(data: Uint8Array): void {
    if (this.#over !== undefined || !this.#open) return;
    this.#waiting.push(data);
    this.#flush();
  }

  /** The other end (or the network) closed; told to the owner once all octets before it are taken. */
  closed(error?: string): void {
    if (this.#over !== undefined) return;
    this.#over = error === undefined ? {} : { error };
    this.#open = false;
    this.#flush();
  }

  /** The other end's owner took `n` octets of ours. */
  acknowledged(n: number): void {
    this.buffered -= n;
    if (!this.#blocked || this.buffered > HIGH_WATER / 2) return;
    this.#blocked = false;
    this.#handlers?.drain?.();
  }

  #flush(): void {
    const handlers = this.#handlers;
    if (handlers === undefined) return;
    while (!this.#paused) {
      const data = this.#waiting.shift();
      if (data === undefined) break;
      this.consumed(data.length);
      handlers.data(data);
    }
    if (this.#over === undefined || this.#told || this.#waiting.length > 0) return;
    this.#told = true;
    handlers.close(this.#over.error);
  }
}
