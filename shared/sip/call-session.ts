/** Session timers of calls (RFC 4028): agreed in INVITE, UPDATE and their 2xx, refreshed or run out on the call's deadlines. */
import { NEVER } from '../kernel/machine.ts';
import { retryWithCredentials } from './auth.ts';
import { type HeaderLine, ownContact } from './build.ts';
import type { Call } from './call.ts';
import { byeAndForget, ended } from './call-end.ts';
import { dialogRequest, refreshTarget, renumber } from './dialog.ts';
import type { Header } from './fields.ts';
import type { SipMessage } from './message.ts';
import {
  agreedTimer,
  answerTimer,
  expireIn,
  lengthening,
  neededInterval,
  offerTimer,
  refreshIn,
} from './session-timer.ts';
import type { ClientTransaction, ClientUser, Failure } from './transaction.ts';
import type { EndpointOutput, SessionTimer } from './types.ts';

/** Milliseconds that a refresh which came to nothing rests at the least. */
const TRY_AGAIN = 1_000;

/** The timer runs anew from now on; none stops it. */
export function runTimer(call: Call, timer: SessionTimer | undefined, now: number): void {
  call.session = timer;
  call.refreshAt = timer?.refresher === 'us' ? now + refreshIn(timer) : NEVER;
  call.expireAt = timer === undefined ? NEVER : now + expireIn(timer);
}

/** Headers of a 2xx to a request that makes or refreshes the session. */
export function answerWithTimer(call: Call, request: SipMessage, now: number): readonly HeaderLine[] {
  const { sessionExpires } = call.core;
  if (sessionExpires === undefined || (request.method !== 'INVITE' && request.method !== 'UPDATE')) return [];
  call.least = Math.max(call.least ?? 0, neededInterval(request) ?? 0) || undefined;
  const answer = answerTimer(request, sessionExpires);
  runTimer(call, answer?.timer, now);
  return answer?.headers ?? [];
}

/** Headers of an INVITE of ours. */
export function offerWithTimer(call: Call): readonly HeaderLine[] {
  const { sessionExpires } = call.core;
  return sessionExpires === undefined ? [] : offerTimer(sessionExpires, call.session, call.least);
}

/** Our interval is too short for the other side (422, section 7.4): the request for another try, without Via, with what it needs; it stays so for the call. */
export function longerAgain(call: Call, request: SipMessage | undefined, response: SipMessage): SipMessage | undefined {
  const needed = lengthening(request, response);
  if (needed === undefined || request === undefined) return undefined;
  call.least = needed;
  const again = request.clone();
  again.remove('Via');
  for (const [name, value] of offerTimer(needed, call.session, needed)) again.set(name, value);
  again.set('CSeq', `${request.cseq.n + 1} ${request.method}`);
  return again;
}

/**
 * A refresh of ours came to nothing, and not because the call is gone: once more at half of the time that is left (section 10). Who knows
 * no UPDATE gets re-INVITEs from now on.
 */
export function refreshLater(call: Call, status: number, now: number): void {
  if (call.session?.refresher !== 'us' || call.refreshAt !== NEVER || call.expireAt === NEVER) return;
  const unknown = call.session.byUpdate && (status === 405 || status === 501) && call.described !== undefined;
  if (unknown) call.session = { ...call.session, byUpdate: false };
  call.refreshAt = unknown ? now : now + Math.max(TRY_AGAIN, (call.expireAt - now) / 2);
}

/** A 2xx to a request of ours that makes or refreshes the session. */
export function takeTimer(call: Call, response: SipMessage, now: number): void {
  if (call.core.sessionExpires !== undefined) runTimer(call, agreedTimer(response), now);
}

/** Refreshes what is due, and ends what nobody refreshed. `reinvite` sends the last description again. */
export function keepSession(call: Call, now: number, out: EndpointOutput[], reinvite: () => void): void {
  if (call.at !== 'confirmed') return;
  if (now >= call.expireAt) {
    call.expireAt = NEVER;
    call.refreshAt = NEVER;
    ended(call, 'timeout', out);
    byeAndForget(call, now, out);
  } else if (now >= call.refreshAt) {
    call.refreshAt = NEVER;
    if (call.session?.byUpdate === true) refresh(call, now, out);
    else reinvite();
  }
}

function refresh(call: Call, now: number, out: EndpointOutput[]): void {
  const { dialog, core, flow, session } = call;
  if (dialog === undefined || session === undefined) return;
  const headers: Header[] = [
    ['Contact', ownContact(call, flow)],
    ...core.capabilities,
    ...offerTimer(session.interval / 1000, session, call.least),
  ];
  core.transactions.start(dialogRequest(dialog, 'UPDATE', headers), flow, new Refresh(call), now, out);
}

/** Hears what becomes of a refresh by UPDATE. */
class Refresh implements ClientUser {
  readonly #call: Call;
  #challenged = false;
  #lengthened = false;

  constructor(call: Call) {
    this.#call = call;
  }

  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    const { status } = message;
    if (status < 200 || call.at !== 'confirmed' || call.dialog === undefined) return;
    if (status < 300) {
      refreshTarget(call.dialog, message);
      takeTimer(call, message, now);
    } else if (status === 481 || status === 408) this.#lost(now, out);
    else {
      const again = this.#again(transaction, message);
      if (again === undefined) refreshLater(call, status, now);
      else {
        renumber(call.dialog, again);
        call.core.transactions.start(again, call.flow, this, now, out);
      }
    }
    call.plan();
  }

  /** With credentials, or with a longer interval, once each. */
  #again({ request }: ClientTransaction, message: SipMessage): SipMessage | undefined {
    const { core, credentials } = this.#call;
    const proven = this.#challenged ? undefined : retryWithCredentials(core, request, message, credentials);
    this.#challenged ||= proven !== undefined;
    if (proven !== undefined || this.#lengthened) return proven;
    const longer = longerAgain(this.#call, request, message);
    this.#lengthened = longer !== undefined;
    return longer;
  }

  /** A connection that broke may be followed by another one, on which the next refresh goes. */
  onFailure(_transaction: ClientTransaction, why: Failure, now: number, out: EndpointOutput[]): void {
    if (this.#call.at !== 'confirmed') return;
    if (why === 'timeout') this.#lost(now, out);
    else refreshLater(this.#call, 503, now);
    this.#call.plan();
  }

  /** The other side does not know the call, or is silent (RFC 4028 section 10, RFC 3261 section 12.2.1.2). */
  #lost(now: number, out: EndpointOutput[]): void {
    ended(this.#call, 'timeout', out);
    byeAndForget(this.#call, now, out);
  }
}
