/** Wires the pure `readdress` machine: calls go on over a new flow, and those whose address is another one are told to the softswitch anew. */
import type { Party } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { TICK } from '#shared/kernel/machine.ts';
import type { Clock, Log, Timer } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import { askWhether, overNewUpstream } from './call-flows.ts';
import type { EdgeCall } from './edge-call.ts';
import { newReaddress, type ReaddressInput, type ReaddressOutput, readdress } from './readdress.ts';

export interface ReaddressCallsOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly sip: SipPort;
  readonly calls: { get(id: string): EdgeCall | undefined; all(): Iterable<EdgeCall> };
  /** Offers a side its end, as it is now; resolves with whether it took that. */
  readonly renew: (call: EdgeCall, party: Party) => Promise<boolean>;
}

export class ReaddressCalls {
  readonly #o: ReaddressCallsOptions;
  readonly #state = newReaddress();
  #timer: Timer | undefined;

  constructor(options: ReaddressCallsOptions) {
    this.#o = options;
  }

  /** There is a new flow to the softswitch, or none any more. */
  moveTo(flow: Flow | undefined): void {
    const { sip, calls } = this.#o;
    this.#feed(flow === undefined ? { on: 'down' } : { on: 'flow', sides: overNewUpstream(sip, calls.all(), flow) });
  }

  /** A call is over. */
  over(call: string): void {
    this.#feed({ on: 'over', call });
  }

  #feed(input: ReaddressInput | typeof TICK): void {
    const { clock } = this.#o;
    const out: ReaddressOutput[] = [];
    readdress.step(this.#state, input, clock.mono(), out);
    this.#timer?.cancel();
    this.#timer = clock.at(readdress.due(this.#state), () => this.#feed(TICK));
    for (const one of out) this.#carryOut(one);
  }

  #carryOut(output: ReaddressOutput): void {
    const { log, sip, calls, renew } = this.#o;
    if (output.do === 'not-moved') {
      log.warn('edge.call-not-moved', { call: output.call, tries: output.tries });
      return;
    }
    const { party, round, first } = output;
    const call = calls.get(output.call);
    const handle = call?.handles.get(party);
    if (call === undefined || handle === undefined) {
      this.over(output.call);
      return;
    }
    if (first) askWhether(sip, handle);
    void renew(call, party).then((ok) => this.#feed({ on: 'settled', call: call.id, party, round, ok }));
  }
}
