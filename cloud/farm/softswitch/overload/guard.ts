/**
 * Measures how long messages wait and turns new calls away by it. The wait is that of a STUN request (RFC 5389) which we send to our own
 * SIP port: it lies in the same queue as every call, and waits as if nothing were more urgent than anything else. While little comes nothing is measured.
 */
import { type Address, type Clock, NetError, type Timer, type UdpSocket, type World } from '#shared/kernel/world.ts';
import { LOOK_EVERY, look, newOverload, QUEUE_TARGET, retryAfter, turnsAway, waited } from './controller.ts';

/** New calls within a second from which the waits are measured, and milliseconds without so many after which that ends. */
export const BUSY = 25;
const CALM_AFTER = 5_000;
/** Milliseconds between two questions while calls wait, and while they hardly do; after which one counts as answered that late. */
const ASK_EVERY = 20;
const ASK_SELDOM = LOOK_EVERY;
const LOST_AFTER = 400;
/** Milliseconds of waiting after which a call that nothing was spent on is turned away whatever the share: it will soon be asked for again (T1). */
export const LATE = 400;
/** Milliseconds of waiting from which it is asked often. */
const WAITS = QUEUE_TARGET / 4;

export interface OverloadGuardOptions {
  readonly world: World;
  /** Our own SIP port over UDP. */
  readonly at: () => Address | undefined;
  /** Our own questions are not to be counted as a stranger's. */
  readonly trust: (address: string) => void;
}

export class OverloadGuard {
  readonly #o: OverloadGuardOptions;
  readonly #state = newOverload();
  #second = { from: 0, calls: 0 };
  #busyUntil = 0;
  #socket: UdpSocket | undefined;
  #timers: Timer[] = [];
  #askedAt: number | undefined;
  /** The last question had to wait. */
  #waits = false;
  #turnedAway = 0;
  #running = false;

  constructor(options: OverloadGuardOptions) {
    this.#o = options;
  }

  /** Share of new calls that are turned away now, 0 to 1. */
  get share(): number {
    return this.#state.share;
  }

  /** Calls turned away so far. */
  get turnedAway(): number {
    return this.#turnedAway;
  }

  /** A new call: seconds for Retry-After where it is turned away. `signed`: it brings a credential. `late`: ms for which it has waited. */
  judge(signed: boolean, late = 0): number | undefined {
    const { clock, random } = this.#o.world;
    this.#count(clock.mono());
    const old = late > LATE && !signed;
    if (this.#state.share === 0 && !old) return undefined;
    const seconds = old
      ? retryAfter(this.#state, random.fraction())
      : turnsAway(this.#state, signed, random.fraction(), random.fraction());
    if (seconds !== undefined) this.#turnedAway++;
    return seconds;
  }

  /** How long a call waited for its way, ms. */
  routed(ms: number): void {
    if (this.#running) waited(this.#state, 'route', ms);
  }

  stop(): void {
    this.#running = false;
    for (const timer of this.#timers.splice(0)) timer.cancel();
    void this.#socket?.close();
    this.#socket = undefined;
  }

  #count(now: number): void {
    if (now - this.#second.from >= 1_000) this.#second = { from: now, calls: 0 };
    if (++this.#second.calls < BUSY) return;
    this.#busyUntil = now + CALM_AFTER;
    if (!this.#running) this.#begin();
  }

  #begin(): void {
    const { world } = this.#o;
    this.#running = true;
    this.#measure().catch((error: unknown) => world.log.warn('softswitch.wait-not-measured', { error: String(error) }));
    this.#repeat(
      world.clock,
      () => LOOK_EVERY,
      () => {
        look(this.#state);
        const calm = world.clock.mono() > this.#busyUntil && this.#state.share === 0;
        if (calm) this.stop();
      },
    );
  }

  async #measure(): Promise<void> {
    const { world, at, trust } = this.#o;
    const bound = at();
    if (bound === undefined) return;
    const everywhere = bound.host === '0.0.0.0' || bound.host === '::';
    const host = !everywhere ? bound.host : bound.host === '::' ? '::1' : '127.0.0.1';
    const socket = await world.net.udp({ host, port: 0 }, () => this.#answered());
    if (!this.#running) return socket.close();
    this.#socket = socket;
    this.#askedAt = undefined;
    trust(host);
    const pace = () => (this.#often ? ASK_EVERY : ASK_SELDOM);
    this.#repeat(world.clock, pace, () => this.#ask(socket, { host, port: bound.port }));
  }

  #ask(socket: UdpSocket, to: Address): void {
    const now = this.#o.world.clock.mono();
    if (this.#askedAt !== undefined) {
      const late = now - this.#askedAt;
      // What has waited so long already counts now, not only when it is answered.
      if (this.#often && late > QUEUE_TARGET) waited(this.#state, 'queue', late);
      this.#waits = true;
      if (late < LOST_AFTER) return;
    }
    this.#askedAt = now;
    try {
      socket.send(QUESTION, to);
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
    }
  }

  get #often(): boolean {
    return this.#state.share > 0 || this.#waits;
  }

  #answered(): void {
    if (this.#askedAt === undefined) return;
    const late = this.#o.world.clock.mono() - this.#askedAt;
    // One that waited while it was asked seldom is no proof: it is asked again, often.
    if (this.#often) waited(this.#state, 'queue', late);
    this.#waits = late > WAITS;
    this.#askedAt = undefined;
  }

  #repeat(clock: Clock, every: () => number, run: () => void): void {
    const slot = this.#timers.length;
    const again = () => {
      if (!this.#running) return;
      run();
      if (this.#running) this.#timers[slot] = clock.at(clock.mono() + every(), again);
    };
    this.#timers[slot] = clock.at(clock.mono() + every(), again);
  }
}

/** A STUN binding request without attributes. */
const QUESTION = Uint8Array.of(
  0,
  1,
  0,
  0,
  0x21,
  0x12,
  0xa4,
  0x42,
  0x48,
  0x4c,
  0x77,
  0x61,
  0x69,
  0x74,
  0,
  0,
  0,
  0,
  0,
  1,
);
