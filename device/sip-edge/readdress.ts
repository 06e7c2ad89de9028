/**
 * The gateway has another address: calls that were up get another end towards the softswitch, which is told of it by a re-INVITE over the
 * new flow (RFC 3261 section 14.1, RFC 3264 section 8.3.1). Sound comes back in both directions; holds stay as they were.
 */
import type { Party } from '#shared/call/call.ts';
import type { Clock, Log, Timer } from '#shared/kernel/world.ts';
import type { EdgeCall } from './edge-call.ts';
import { isUpstream } from './end.ts';

/** So often a call is told to the softswitch anew, and milliseconds after the first refusal; then twice as long each time. */
export const READDRESS_TRIES = 6;
export const READDRESS_WAIT = 1_000;

export interface ReaddressOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Offers a side its end, as it is now; resolves with whether it took that. */
  readonly renew: (call: EdgeCall, party: Party) => Promise<boolean>;
}

interface Round {
  tried: number;
  timer?: Timer;
}

export class Readdress {
  readonly #o: ReaddressOptions;
  /** What is under way, by call and party: a later flow takes the place of an earlier one. */
  readonly #rounds = new Map<EdgeCall, Map<Party, Round>>();

  constructor(options: ReaddressOptions) {
    this.#o = options;
  }

  /** There is a new flow. */
  all(calls: Iterable<EdgeCall>): void {
    for (const call of [...calls]) {
      this.over(call);
      const sides = [...call.handles.keys()].filter((party) => isUpstream({ call, party }));
      if (sides.length === 0) continue;
      const rounds = new Map(sides.map((party): [Party, Round] => [party, { tried: 0 }]));
      this.#rounds.set(call, rounds);
      for (const [party, round] of rounds) this.#begin(call, party, round);
    }
  }

  /** A call is over. */
  over(call: EdgeCall): void {
    for (const { timer } of this.#rounds.get(call)?.values() ?? []) timer?.cancel();
    this.#rounds.delete(call);
  }

  #begin(call: EdgeCall, party: Party, round: Round): void {
    const { renew, clock, log } = this.#o;
    round.tried++;
    const settled = (ok: boolean) => {
      const rounds = this.#rounds.get(call);
      if (rounds?.get(party) !== round) return;
      if (!ok && round.tried < READDRESS_TRIES) {
        const wait = READDRESS_WAIT * 2 ** (round.tried - 1);
        round.timer = clock.at(clock.mono() + wait, () => this.#begin(call, party, round));
        return;
      }
      rounds.delete(party);
      if (rounds.size === 0) this.#rounds.delete(call);
      if (!ok) log.warn('edge.call-not-moved', { call: call.id, tries: round.tried });
    };
    void renew(call, party).then(settled);
  }
}
