/** Who of the softswitch takes what the endpoint says. */
import type { UserOutput } from '#shared/host/sip.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { Calls } from './calls.ts';
import type { Incoming } from './incoming.ts';
import type { Messages } from './messages.ts';
import type { Outside } from './outside.ts';
import type { Refers } from './refers.ts';
import type { Requests } from './requests.ts';
import type { Watch } from './watch.ts';

export interface SortingOptions {
  readonly incoming: Incoming;
  readonly requests: Requests;
  readonly messages: Messages;
  readonly refers: Refers;
  readonly watch: Watch;
  readonly outside: Outside;
  readonly calls: Calls;
  /** Work that nobody waits for. */
  readonly later: (work: Soon<void>) => void;
}

export class Sorting {
  readonly #o: SortingOptions;

  constructor(options: SortingOptions) {
    this.#o = options;
  }

  take(output: UserOutput): void {
    const { incoming, requests, refers, messages, calls, later } = this.#o;
    switch (output.do) {
      case 'incoming':
        later(incoming.take(output));
        break;
      case 'request':
        later(requests.orRefused(output.transaction, this.#outsideCalls(output.message.method).take(output)));
        break;
      case 'in-dialog':
        if (output.message.method === 'REFER') later(requests.orRefused(output.transaction, refers.take(output)));
        else if (output.message.method === 'SUBSCRIBE') refers.subscribe(output);
        else if (output.message.method === 'MESSAGE')
          later(requests.orRefused(output.transaction, messages.inDialog(output)));
        else requests.inDialog(output);
        break;
      case 'response':
        if (!this.#heard(output)) requests.answered(output.transaction, output.message.status);
        break;
      case 'no-response':
        if (!this.#heard(output)) requests.answered(output.transaction, 408);
        break;
      default:
        if (output.do === 'ended') {
          incoming.ended(output.call);
          refers.ended(output.call);
        }
        calls.take(output);
    }
  }

  #outsideCalls(method: string): Messages | Watch | Requests {
    if (method === 'SUBSCRIBE') return this.#o.watch;
    return method === 'MESSAGE' ? this.#o.messages : this.#o.requests;
  }

  /** True for the news of a request of ours that somebody awaits. */
  #heard(output: Extract<UserOutput, { do: 'response' | 'no-response' }>): boolean {
    const { messages, outside, watch, refers } = this.#o;
    return messages.heard(output) || outside.heard(output) || watch.heard(output) || refers.heard(output);
  }
}
