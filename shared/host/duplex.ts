/** A World stream behind a wire guard, in the form that Node's MQTT libraries take: a Duplex of whole, judged packets. */
import { Duplex } from 'node:stream';
import { type Clock, NetError, type Stream, type Timer } from '#shared/kernel/world.ts';
import type { WireGuard } from './wire-guard.ts';

export interface DuplexHooks {
  /** Sees every packet from the network before the library does. */
  packet?(data: Uint8Array): void;
  /** The guard closed the connection and says why. */
  refused?(why: string): void;
  /** Something that waited has gone to the network. */
  drained?(): void;
}

/** Milliseconds that the last octets may take to leave after the library has finished. */
const LINGER = 1000;

/** Takes over the stream's handlers; destroying the one destroys the other. Back-pressure works both ways. */
export class GuardedDuplex extends Duplex {
  readonly #stream: Stream;
  readonly #guard: WireGuard;
  readonly #clock: Clock;
  readonly #hooks: DuplexHooks;
  #wanted = true;
  #pumping = false;
  #due = false;
  #ended = false;
  #timer: Timer | undefined;
  #deadline: Timer | undefined;
  #linger: Timer | undefined;
  #written: ((error?: Error | null) => void) | undefined;
  /** Octets of the chunk whose callback is held back: the network counts them already. */
  #blocked = 0;

  constructor(stream: Stream, guard: WireGuard, clock: Clock, hooks: DuplexHooks = {}) {
    super({ allowHalfOpen: false, highWaterMark: 16 * 1024 });
    this.#stream = stream;
    this.#guard = guard;
    this.#clock = clock;
    this.#hooks = hooks;
    this.#deadline = clock.at(guard.due, () => this.#pump());
    stream.handle({
      data: (data) => {
        guard.push(data);
        this.#pump();
      },
      drain: () => this.#drain(),
      close: (error) => this.#closed(error),
    });
  }

  /** Octets on their way out that the network has not accepted. */
  get waiting(): number {
    return this.writableLength - this.#blocked + this.#stream.buffered;
  }

  override _read(): void {
    this.#wanted = true;
    this.#pump();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    if (this.#stream.write(chunk)) {
      done();
      return;
    }
    this.#written = done;
    this.#blocked = chunk.length;
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    const only = chunks.length === 1 ? chunks[0]?.chunk : undefined;
    this._write(only ?? Buffer.concat(chunks.map(({ chunk }) => chunk)), 'buffer', done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.end();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#timer?.cancel();
    this.#deadline?.cancel();
    const leaving = (error === null && this.writableFinished) || (error instanceof NetError && error.code === 'EPROTO');
    if (leaving && !this.#ended)
      this.#linger = this.#clock.at(this.#clock.mono() + LINGER, () => this.#stream.destroy());
    else this.#stream.destroy();
    done(error);
  }

  #pump(): void {
    // A reader that asks for more while it is given a packet must get the next one after this one; and a stream may
    // deliver while it is being resumed.
    this.#due = true;
    if (this.#pumping) return;
    this.#pumping = true;
    while (this.#due) {
      this.#due = false;
      this.#timer?.cancel();
      while (this.#wanted && !this.destroyed && this.#passOne());
    }
    this.#pumping = false;
    if (!this.#wanted && !this.destroyed) this.#stream.pause();
  }

  /** Hands one packet to the reader; false where there is none now. */
  #passOne(): boolean {
    const outcome = this.#guard.next(this.#clock.mono());
    switch (outcome.do) {
      case 'packet':
        this.#deadline?.cancel();
        this.#hooks.packet?.(outcome.data);
        this.#wanted = this.push(outcome.data);
        return true;
      case 'wait':
        this.#hold(outcome.until);
        return false;
      case 'refuse':
        this.#refuse(outcome.why, outcome.reply);
        return false;
      case 'more':
        if (this.#ended) this.push(null);
        else this.#stream.resume();
        return false;
    }
  }

  #hold(until: number): void {
    this.#stream.pause();
    this.#timer = this.#clock.at(until, () => this.#pump());
  }

  #refuse(why: string, reply: Uint8Array | undefined): void {
    this.#hooks.refused?.(why);
    if (reply !== undefined) this.#stream.write(reply);
    this.#stream.end();
    this.destroy(new NetError('EPROTO', why));
  }

  #drain(): void {
    const written = this.#written;
    this.#written = undefined;
    this.#blocked = 0;
    written?.();
    this.#hooks.drained?.();
  }

  #closed(error: string | undefined): void {
    this.#ended = true;
    this.#linger?.cancel();
    if (error !== undefined) this.destroy(new NetError(error, `the connection broke: ${error}`));
    else this.#pump();
    // Nobody will ever drain it now.
    this.#written?.(new NetError('ECONNRESET', 'the connection is closed'));
    this.#written = undefined;
  }
}
