/**
 * Phones that went without a word: every established dialog is asked now and then whether it still lives (OPTIONS in the dialog,
 * RFC 3261 section 11.2), so that no call goes on, and is charged, for nobody.
 */
import type { Party } from '#shared/call/call.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';
import type { TransactionHandle } from '#shared/sip/types.ts';
import type { Calls } from './calls.ts';
import type { Live, SipPort } from './live.ts';

/** Milliseconds between two questions to one dialog. */
export const PROBE_EVERY = 300_000;

export class Probes {
  readonly #calls: Calls;
  readonly #sip: SipPort;
  readonly #clock: Clock;
  readonly #asked = new Map<TransactionHandle, { readonly live: Live; readonly party: Party }>();
  #timer: Timer | undefined;

  constructor(calls: Calls, sip: SipPort, clock: Clock) {
    this.#calls = calls;
    this.#sip = sip;
    this.#clock = clock;
  }

  start(): void {
    this.#timer = this.#clock.at(this.#clock.mono() + PROBE_EVERY, () => {
      for (const live of this.#calls.all()) if (live.state.at === 'up') this.#ask(live);
      this.start();
    });
  }

  stop(): void {
    this.#timer?.cancel();
  }

  /** The outcome of a question, if it was one of ours: a dialog that is unknown there, or silence, ends the call. */
  answered(transaction: TransactionHandle, status: number): boolean {
    const found = this.#asked.get(transaction);
    if (found === undefined) return false;
    if (status < 200) return true;
    this.#asked.delete(transaction);
    if (status === 408 || status === 481) {
      const { live, party } = found;
      const handle = live.handles.get(party);
      if (handle !== undefined) this.#sip.act((endpoint, now, out) => endpoint.hangup(handle, '', now, out));
      this.#calls.feed(live, { on: 'ended', party, why: 'timeout' });
    }
    return true;
  }

  #ask(live: Live): void {
    for (const [party, handle] of live.handles) {
      this.#sip.act((endpoint, now, out) => {
        this.#asked.set(endpoint.requestInDialog(handle, 'OPTIONS', {}, now, out), { live, party });
      });
    }
  }
}
