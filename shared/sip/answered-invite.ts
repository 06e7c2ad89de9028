/**
 * INVITEs of ours that were answered and acknowledged. What is left of each for half a minute (RFC 6026 section 7.2, timer M) is to repeat the
 * ACK, which is little to keep; a fork that answers late is its user's to end.
 */
import type { SipMessage } from './message.ts';
import { placeOf } from './places.ts';
import { type Acked, type LateUser, sendAgain } from './transaction.ts';
import type { EndpointOutput, Flow } from './types.ts';

/** Early dialogs, and further 2xx, that one INVITE of ours may bring by forking; more are dropped. */
export const FORK_LIMIT = 16;

export class AnsweredInvite {
  readonly branch: string;
  readonly place: number;
  readonly flow: Flow;
  readonly endAt: number;
  /** The one that is over next. */
  next: AnsweredInvite | undefined;
  readonly #first: Acked;
  readonly #user: LateUser;
  #others: Acked[] | undefined;

  constructor(branch: string, flow: Flow, first: Acked, user: LateUser, endAt: number) {
    this.branch = branch;
    this.place = placeOf(branch);
    this.flow = flow;
    this.endAt = endAt;
    this.#first = first;
    this.#user = user;
  }

  /** A further 2xx, or a copy of one. */
  respond(message: SipMessage, now: number, out: EndpointOutput[]): void {
    const tag = message.toTag ?? '';
    const known = this.#first.tag === tag ? this.#first : this.#others?.find((one) => one.tag === tag);
    if (known?.ack !== undefined) {
      sendAgain(this.flow, known.ack, out);
      return;
    }
    const others = this.#others ?? [];
    if (this.#first.ack === undefined || others.length >= FORK_LIMIT - 1) return;
    others.push(this.#user.forked(this.#first.ack, this.flow, message, now, out));
    this.#others = others;
  }
}
