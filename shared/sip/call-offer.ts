/** Changing a session: re-INVITE (RFC 3261 section 14) and UPDATE (RFC 3311), both roles, with glare. */
import { NEVER } from '../kernel/machine.ts';
import { retryWithCredentials } from './auth.ts';
import { type HeaderLine, ownContact, proofOf, SESSION_TYPE, sdpOf, tagged } from './build.ts';
import type { Call } from './call.ts';
import { isUpdating } from './call-early.ts';
import { byeAndForget, ended, refuse, refuseEarly, retryLater } from './call-end.ts';
import { takeReliableAgain } from './call-reliable.ts';
import { answerWithTimer, longerAgain, offerWithTimer, refreshLater, takeTimer } from './call-session.ts';
import { type Dialog, dialogRequest, refreshTarget, renumber } from './dialog.ts';
import type { Header } from './fields.ts';
import { newResponse, type SipMessage } from './message.ts';
import { MalformedSuccess } from './plain-final.ts';
import { TRY_TIME } from './timers.ts';
import {
  type ClientTransaction,
  type ClientUser,
  type Failure,
  type ServerTransaction,
  sendAgain,
} from './transaction.ts';
import type { EndpointOutput } from './types.ts';

/** So many 491 in a row, then the wish to change the session has failed. */
export const GLARE_LIMIT = 5;
/** A re-INVITE of ours without a final response is cancelled after this, ms. */
export const REOFFER_LIMIT = 180_000;

/** The user wants another session description, or with an empty one an offer of the other side; while one is in flight the newest waits, and only it. */
export function wishOffer(call: Call, sdp: string, now: number, out: EndpointOutput[], refreshes = false): void {
  if (call.silent || call.at === 'over') return;
  if (!call.reoffer) call.reoffer = { sdp, glares: 0, next: undefined, refreshes };
  else if (call.client) call.reoffer.next = sdp;
  else Object.assign(call.reoffer, { sdp, refreshes });
  tryReoffer(call, now, out);
  call.plan();
}

/** Sends the waiting re-INVITE if its turn has come (section 14.1: no other INVITE transaction in progress). */
export function tryReoffer(call: Call, now: number, out: EndpointOutput[]): void {
  const { reoffer, dialog, core } = call;
  if (!reoffer || !dialog || call.at !== 'confirmed' || call.silent) return;
  if (call.client || call.server || call.unacked || call.owedAck || isUpdating(call)) return;
  if (call.retryAt !== NEVER && call.retryAt > now) return;
  call.retryAt = NEVER;
  const asks = reoffer.sdp === '';
  // An offer that is asked for comes in the 2xx, for its answer takes a while (RFC 3262 section 3: no 100rel, no reliable response).
  const able = asks ? core.plain : core.capabilities;
  const headers: Header[] = [['Contact', ownContact(call, call.flow)], ...able, ...offerWithTimer(call)];
  const before = call.described;
  if (!asks) {
    headers.push(SESSION_TYPE);
    call.described = reoffer.sdp;
  }
  const request = dialogRequest(dialog, 'INVITE', headers, reoffer.sdp);
  call.client = core.transactions.start(request, call.flow, new Reinvite(call, asks, before), now, out);
  call.ringBy = now + REOFFER_LIMIT;
}

/** Hears the responses to one re-INVITE of ours. */
class Reinvite implements ClientUser {
  readonly #call: Call;
  /** It asked for an offer, and the ACK waits for our answer to that. */
  readonly #asks: boolean;
  #owes = false;
  #ack: string | undefined;
  #challenged = false;
  #lengthened = false;
  /** Credentials of the re-INVITE that was let through. */
  #proof: readonly Header[] = [];
  /** Our description that goes on to hold where the new one is refused. */
  readonly #before: string | undefined;
  /** Of the last reliable provisional response, and what the first that had any said of the session. */
  #rseq: number | undefined;
  #said: string | undefined;

  constructor(call: Call, asks: boolean, before: string | undefined) {
    this.#call = call;
    this.#asks = asks;
    this.#before = before;
  }

  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    if (message.status < 200) {
      // Nobody waits for it any more, so it may not wait for ever.
      if (call.at === 'over') transaction.cancelled(now);
      else this.#provisional(message, now, out);
      return;
    }
    call.ringBy = NEVER;
    if (message.status < 300) this.#success(message, now, out);
    else if (call.at !== 'over') this.#failure(transaction, message, now, out);
    call.plan();
  }

  onFailure(_transaction: ClientTransaction, why: Failure, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    if (call.at === 'over') return;
    call.client = undefined;
    call.ringBy = NEVER;
    if (why === 'timeout') this.#lost(now, out);
    else this.#settle(false, 503, undefined, now, out);
  }

  /** One that is reliable wants its PRACK, and the answer may stand in it: then it is that, whatever the 2xx says (RFC 3262 section 4). */
  #provisional(message: SipMessage, now: number, out: EndpointOutput[]): void {
    const rseq = takeReliableAgain(this.#call, this.#rseq, message, now, out);
    if (rseq === undefined) return;
    this.#rseq = rseq;
    this.#said ??= sdpOf(message);
  }

  #success(message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    const { dialog, flow } = call;
    if (this.#ack) sendAgain(flow, this.#ack, out);
    if (this.#ack || this.#owes || !dialog) return;
    refreshTarget(dialog, message);
    if (message instanceof MalformedSuccess) {
      // Which description holds now, and whether the session timer runs, nobody can tell.
      this.#acknowledge(dialog, message.cseq.n, undefined, out);
      this.#lost(now, out);
      return;
    }
    const sdp = this.#said ?? sdpOf(message);
    if (this.#asks && sdp !== undefined && !call.silent) this.#owe(dialog, message.cseq.n, now);
    else this.#acknowledge(dialog, message.cseq.n, undefined, out);
    if (call.at === 'over') return;
    call.client = undefined;
    takeTimer(call, message, now);
    this.#settle(true, message.status, sdp, now, out);
  }

  /** The 2xx brought the offer that was asked for: the user's answer goes into the ACK (section 13.2.2.4). */
  #owe(dialog: Dialog, seq: number, now: number): void {
    const call = this.#call;
    this.#owes = true;
    call.offerBy = now + TRY_TIME;
    call.owedAck = (answer, when, out) => {
      call.owedAck = undefined;
      call.offerBy = NEVER;
      call.described = answer ?? call.described;
      this.#acknowledge(dialog, seq, answer, out);
      tryReoffer(call, when, out);
    };
  }

  #acknowledge(dialog: Dialog, seq: number, answer: string | undefined, out: EndpointOutput[]): void {
    const { core, flow } = this.#call;
    const headers = answer === undefined ? this.#proof : [...this.#proof, SESSION_TYPE];
    this.#ack = core.transactions.sendAck(dialogRequest(dialog, 'ACK', headers, answer, seq), flow, out);
  }

  #failure(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    call.client = undefined;
    const { status } = message;
    const credentials = this.#challenged ? undefined : call.credentials;
    const { request } = transaction;
    const proven = retryWithCredentials(call.core, request, message, credentials);
    const again = proven ?? (this.#lengthened ? undefined : longerAgain(call, request, message));
    if (again && call.dialog) {
      if (proven === undefined) this.#lengthened = true;
      else this.#challenged = true;
      this.#proof = proofOf(again);
      this.#rseq = undefined;
      this.#said = undefined;
      renumber(call.dialog, again);
      call.client = call.core.transactions.start(again, call.flow, this, now, out);
    } else if (status === 491 && call.reoffer && call.reoffer.glares < GLARE_LIMIT) {
      call.reoffer.glares++;
      call.retryAt = now + glareWait(call);
    } else if (status === 481 || status === 408) {
      this.#lost(now, out);
    } else this.#settle(false, status, undefined, now, out);
  }

  /** The other side does not know the dialog, or is silent: it ends (section 12.2.1.2). */
  #lost(now: number, out: EndpointOutput[]): void {
    ended(this.#call, 'timeout', out);
    byeAndForget(this.#call, now, out);
  }

  #settle(ok: boolean, status: number, sdp: string | undefined, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    const { next, refreshes } = call.reoffer ?? {};
    call.reoffer = next === undefined ? undefined : { sdp: next, glares: 0, next: undefined, refreshes: false };
    if (!ok) {
      call.described = this.#before;
      refreshLater(call, status, now);
    }
    // Of an offer that waits the user would take it for the outcome.
    if (refreshes !== true || next === undefined)
      out.push({ do: 'reoffered', call: call.handle, ok, status, ...(sdp !== undefined && { sdp }) });
    tryReoffer(call, now, out);
  }
}

/** Section 14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms. */
function glareWait(call: Call): number {
  const draw = call.core.tokens.fraction();
  return call.outgoing ? 2100 + 10 * Math.floor(draw * 191) : 10 * Math.floor(draw * 201);
}

/** A re-INVITE, or an UPDATE, arrived in the dialog. */
export function takeOffer(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): void {
  const invite = message.method === 'INVITE';
  const sdp = sdpOf(message);
  const hindrance = invite || sdp !== undefined ? hindranceOf(call) : undefined;
  if (hindrance !== undefined) {
    refuse(call, transaction, hindrance, now, out, retryLater(call, hindrance));
    return;
  }
  if (!invite && sdp === undefined) {
    if (call.dialog) refreshTarget(call.dialog, message);
    refreshOnly(call, transaction, message, now, out);
    return;
  }
  call.server = transaction;
  call.asked = sdp === undefined;
  call.offerBy = now + TRY_TIME;
  transaction.user = call;
  call.plan();
  if (invite) call.core.transactions.reply(transaction, newResponse(message, 100), now, out);
  if (call.silent) {
    refuseOffer(call, 487, now, out);
    return;
  }
  out.push({ do: 'offer', call: call.handle, ...(sdp !== undefined && { sdp }) });
}

/** Why an offer cannot be taken now: 491 where ours is open, 500 where theirs is (section 14.2, RFC 3311 section 5.2). */
function hindranceOf(call: Call): 491 | 500 | undefined {
  if (call.client && call.at === 'confirmed') return 491;
  if (call.unacked?.late || call.owedAck || call.early?.client) return 491;
  if (call.server || call.early?.server || call.at !== 'confirmed') return 500;
  return undefined;
}

/** An UPDATE without an offer renews the target, and in an established call the session timer. */
export function refreshOnly(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): void {
  const contact: HeaderLine = ['Contact', ownContact(call, transaction.flow)];
  // Before the call is answered no timer runs.
  const timer = call.at === 'ringing' ? [] : answerWithTimer(call, message, now);
  const response = tagged(message, 200, call.localTag, [contact, ...call.core.capabilities, ...timer]);
  call.core.transactions.reply(transaction, response, now, out);
}

/** The user refuses the other side's offer; the session stays as it was. */
export function refuseOffer(call: Call, status: number, now: number, out: EndpointOutput[]): void {
  if (refuseEarly(call, status, now, out) || !call.server || call.at === 'ringing') return;
  const transaction = call.server;
  call.server = undefined;
  call.offerBy = NEVER;
  refuse(call, transaction, status, now, out, call.core.capabilities);
  tryReoffer(call, now, out);
  call.plan();
}
