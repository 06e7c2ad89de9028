/** Requests inside a dialog (RFC 3261 section 12.2), and what flows and time do to a call. */
import { NEVER } from '../kernel/machine.ts';
import { sdpOf, tagged } from './build.ts';
import type { Call, CallHooks } from './call.ts';
import { earlyHindrance, takeEarlyOffer } from './call-early.ts';
import { ended, refuse, refusePending, retryLater, sendCancel } from './call-end.ts';
import { acked, REPEAT_PROVISIONAL, repeatOk } from './call-in.ts';
import { refreshOnly, refuseOffer, takeOffer, tryReoffer, wishOffer } from './call-offer.ts';
import { giveUp } from './call-out.ts';
import { repeatReliable, servePrack } from './call-reliable.ts';
import { keepSession } from './call-session.ts';
import { type Dialog, refreshTarget } from './dialog.ts';
import type { SipMessage } from './message.ts';
import type { Failure, ServerTransaction } from './transaction.ts';
import type { EndpointOutput, Flow } from './types.ts';

/** An established call whose connection broke waits so long, ms, for another one before it ends. */
export const FLOW_GRACE = 60_000;
/** … and a call that rings, where another one is looked for: whoever calls may have given up, and the phone is not to ring for nobody. */
export const RINGING_GRACE = 10_000;

/** The call's dialog that a request belongs to; undefined where tags or Call-ID do not fit (481). */
export function dialogFor(call: Call, message: SipMessage): Dialog | undefined {
  if (message.callId !== call.callId) return undefined;
  const tag = message.fromTag ?? '';
  if (call.dialog?.remoteTag === tag) return call.dialog;
  return call.forks?.find((fork) => fork.remoteTag === tag);
}

/** INVITE, UPDATE and BYE in the dialog; false where the request is another one and its user's to answer. */
export function serveInDialog(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): boolean {
  adoptFlow(call, transaction.flow);
  switch (message.method) {
    case 'BYE':
      serveBye(call, transaction, message, now, out);
      return true;
    case 'INVITE':
      // Who sends a re-INVITE has our 2xx: as good as its ACK, which may be lost or late.
      if (!call.unacked?.late) acked(call, undefined, now, out);
      takeOffer(call, transaction, message, now, out);
      return true;
    case 'UPDATE':
      serveUpdate(call, transaction, message, now, out);
      return true;
    case 'PRACK':
      takeFromPrack(call, transaction, message, now, out);
      return true;
    default:
      return false;
  }
}

/** RFC 3311 section 5.2. */
function serveUpdate(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): void {
  const dialog = call.at === 'ringing' ? dialogFor(call, message) : undefined;
  if (dialog === undefined) {
    takeOffer(call, transaction, message, now, out);
    return;
  }
  const sdp = sdpOf(message);
  const hindrance = sdp === undefined ? undefined : earlyHindrance(call, dialog);
  if (hindrance !== undefined) {
    refuse(call, transaction, hindrance, now, out, retryLater(call, hindrance));
    return;
  }
  if (sdp === undefined) {
    refreshTarget(dialog, message);
    refreshOnly(call, transaction, message, now, out);
  } else takeEarlyOffer(call, transaction, sdp, now, out);
}

/** RFC 3262 section 5: an offer in a PRACK is answered in its 2xx; one that comes too early is refused, and the call goes on. */
function takeFromPrack(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): void {
  const sdp = servePrack(call, transaction, message, now, out);
  const dialog = dialogFor(call, message);
  if (sdp === undefined || dialog === undefined) return;
  const hindrance = earlyHindrance(call, dialog);
  if (hindrance === undefined) takeEarlyOffer(call, transaction, sdp, now, out);
  else refuse(call, transaction, hindrance, now, out, retryLater(call, hindrance));
  call.plan();
}

function serveBye(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): void {
  // The callee may not send BYE before its 2xx (section 15).
  if (call.outgoing && (call.at === 'calling' || call.at === 'ringing')) {
    refuse(call, transaction, 481, now, out);
    return;
  }
  call.core.transactions.reply(transaction, tagged(message, 200, call.localTag), now, out);
  refusePending(call, 487, now, out);
  ended(call, 'bye', out, message);
  call.forget(now);
}

/** A call whose connection broke goes on over the one on which the other side speaks; over UDP a new port of the same host counts. */
export function adoptFlow(call: Call, flow: Flow): void {
  if (flow.id === call.flow.id) return;
  const rebound = flow.protocol === 'udp' && call.flow.protocol === 'udp' && flow.remote.host === call.flow.remote.host;
  if (rebound || call.flowBy !== NEVER) call.moveTo(flow);
}

/**
 * The call's connection closed: early calls end, unless another connection is looked for (RFC 3261 section 18.2.2); established ones wait
 * for one.
 */
function broken(call: Call, now: number, out: EndpointOutput[]): void {
  const rings = !call.outgoing && call.at === 'ringing';
  if (rings && call.core.regains?.(call.server?.flow ?? call.flow) === true) {
    call.flowBy = now + RINGING_GRACE;
    call.plan();
  } else if (rings) {
    ended(call, 'transport', out);
    call.forget(now);
  } else if (call.at === 'answered' || call.at === 'confirmed') {
    call.flowBy = now + FLOW_GRACE;
    call.plan();
  }
}

function tick(call: Call, now: number, out: EndpointOutput[]): void {
  if (now >= call.flowBy) {
    const { server } = call;
    call.server = undefined;
    ended(call, 'transport', out);
    call.forget(now);
    // Nothing else would end the transaction of an INVITE that rings.
    if (server?.adrift) server.broken(now, out);
    return;
  }
  if (call.parting !== undefined && !call.isAdrift) {
    call.parting(now, out);
    return;
  }
  repeatOk(call, now, out);
  repeatReliable(call, now, out, () => {
    ended(call, 'timeout', out);
    call.forget(now);
  });
  keepSession(call, now, out, () => {
    if (call.described !== undefined && call.reoffer === undefined) wishOffer(call, call.described, now, out, true);
  });
  if (now >= call.ringBy) unansweredTooLong(call, now, out);
  if (now >= call.repeatAt) {
    call.repeatAt = now + REPEAT_PROVISIONAL;
    call.server?.repeated(now, out);
  }
  if (now >= call.offerBy) {
    call.offerBy = NEVER;
    if (call.owedAck !== undefined || call.owedPrack !== undefined) giveUp(call, now, out);
    else refuseOffer(call, 500, now, out);
  }
  if (now >= call.retryAt) {
    call.retryAt = NEVER;
    tryReoffer(call, now, out);
  }
}

/** An INVITE or re-INVITE without a final response. */
function unansweredTooLong(call: Call, now: number, out: EndpointOutput[]): void {
  call.ringBy = NEVER;
  if (call.at === 'confirmed') {
    sendCancel(call, now, out);
    return;
  }
  if (call.outgoing) {
    giveUp(call, now, out);
    return;
  }
  // Its sender said for how long it holds (section 13.3.1).
  refusePending(call, call.server?.request?.expires === undefined ? 480 : 487, now, out);
  ended(call, 'timeout', out);
  call.forget(now);
}

function serverFailed(
  call: Call,
  transaction: ServerTransaction,
  why: Failure,
  now: number,
  out: EndpointOutput[],
): void {
  if (call.early?.server === transaction) {
    call.early.server = undefined;
    call.plan();
  }
  if (call.server !== transaction) return;
  call.server = undefined;
  call.offerBy = NEVER;
  if (call.at !== 'ringing') {
    tryReoffer(call, now, out);
    return;
  }
  ended(call, why === 'timeout' ? 'timeout' : 'transport', out);
  call.forget(now);
}

export const callHooks: CallHooks = { tick, broken, acked, serverFailed };
