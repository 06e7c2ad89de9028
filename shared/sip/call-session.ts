/** Session timers of calls (RFC 4028): agreed in INVITE, UPDATE and their 2xx, refreshed or run out on the call's deadlines. */
import { NEVER } from '../kernel/machine.ts';
import type { HeaderLine } from './build.ts';
import type { Call } from './call.ts';
import { byeAndForget, ended } from './call-end.ts';
import { dialogRequest } from './dialog.ts';
import type { Header } from './fields.ts';
import type { SipMessage } from './message.ts';
import { agreedTimer, answerTimer, expireIn, offerTimer, refreshIn } from './session-timer.ts';
import type { ClientTransaction, ClientUser, Failure } from './transaction.ts';
import type { EndpointOutput, SessionTimer } from './types.ts';

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
  const answer = answerTimer(request, sessionExpires);
  runTimer(call, answer?.timer, now);
  return answer?.headers ?? [];
}

/** Headers of an INVITE of ours. */
export function offerWithTimer(call: Call): readonly HeaderLine[] {
  const { sessionExpires } = call.core;
  return sessionExpires === undefined ? [] : offerTimer(sessionExpires, call.session);
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
    ['Contact', `<${call.contact}>`],
    ...core.capabilities,
    ...offerTimer(session.interval / 1000, session),
  ];
  core.transactions.start(dialogRequest(dialog, 'UPDATE', headers), flow, new Refresh(call), now, out);
}

/** Hears what becomes of a refresh by UPDATE. One that fails is tried no more: the timer ends the call. */
class Refresh implements ClientUser {
  readonly #call: Call;

  constructor(call: Call) {
    this.#call = call;
  }

  onResponse(_transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    if (message.status < 200 || call.at !== 'confirmed') return;
    if (message.status < 300) takeTimer(call, message, now);
    else if (message.status === 481 || message.status === 408) this.onFailure(_transaction, 'timeout', now, out);
    call.plan();
  }

  /** The other side does not know the call, or is silent (RFC 4028 section 10, RFC 3261 section 12.2.1.2). */
  onFailure(_transaction: ClientTransaction, _why: Failure, now: number, out: EndpointOutput[]): void {
    if (this.#call.at !== 'confirmed') return;
    ended(this.#call, 'timeout', out);
    byeAndForget(this.#call, now, out);
  }
}
