/** The tone by which a phone hears whether its star code was taken, while the cloud is away: the call is answered for a moment. */
import type { Clock } from '#shared/kernel/world.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import { CALLER_LEG, type EdgeCall } from './edge-call.ts';
import type { HouseSwitch } from './house-switch.ts';

/** Milliseconds for which it is heard. */
const CONFIRM_FOR = 2_500;
/** Milliseconds in which the call has to be answered. */
const ANSWER_WITHIN = 5_000;
const TONE = 'tone';

export class Confirmations {
  readonly #anchor: Anchor;
  readonly #clock: Clock;
  readonly #calls: () => Pick<HouseSwitch, 'driver'>;
  readonly #open = new Map<EdgeCall, 'dial' | 'busy'>();

  constructor(anchor: Anchor, clock: Clock, calls: () => Pick<HouseSwitch, 'driver'>) {
    this.#anchor = anchor;
    this.#clock = clock;
    this.#calls = calls;
  }

  /** Answers a call that waits for its way. */
  say(call: EdgeCall, taken: boolean): void {
    const { driver } = this.#calls();
    this.#open.set(call, taken ? 'dial' : 'busy');
    driver.feed(call, { on: 'held', callerLeg: CALLER_LEG, limit: ANSWER_WITHIN });
    driver.feed(call, { on: 'admit' });
  }

  up(call: EdgeCall): void {
    const tone = this.#open.get(call);
    if (tone === undefined) return;
    const { driver } = this.#calls();
    driver.later(this.#anchor.play(call.id, TONE, tone, CALLER_LEG, () => this.#open.has(call)));
    this.#clock.at(this.#clock.mono() + CONFIRM_FOR, () => driver.feed(call, { on: 'close', reason: 'hangup' }));
  }

  over(call: EdgeCall): void {
    if (!this.#open.delete(call)) return;
    void this.#anchor.release(call.id, TONE);
    void this.#anchor.release(call.id, CALLER_LEG);
  }
}
