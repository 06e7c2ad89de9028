/** Calls that come in: ringing, 2xx until ACK, refusal (RFC 3261 section 13.3). */
import { NEVER } from '../kernel/machine.ts';
import { type HeaderLine, ownContact, SESSION_TYPE, sdpOf, tagged, warningOf } from './build.ts';
import { Call, type Core, leadOn } from './call.ts';
import { byeAndForget, ended, part, refuseEarly, refusePending } from './call-end.ts';
import { tryReoffer } from './call-offer.ts';
import { RING_LIMIT } from './call-out.ts';
import { awaitPrack, isReliable, lacksOffer, mayFollow, offerIn, reliableHeaders } from './call-reliable.ts';
import { answerWithTimer } from './call-session.ts';
import { dialogOfInvite, refreshTarget } from './dialog.ts';
import type { Header } from './fields.ts';
import { newResponse, type SipMessage } from './message.ts';
import { nameAt, placeOf } from './places.ts';
import { nextGap, T1, TRY_TIME } from './timers.ts';
import type { ServerTransaction } from './transaction.ts';
import type { CallHandle, EndpointOutput, ReplyOptions } from './types.ts';
import { writeHost } from './uri.ts';

/** A provisional response is repeated so often, ms, so that proxies keep the call (section 13.3.1.1). */
export const REPEAT_PROVISIONAL = 60_000;

const SDP = 'application/sdp';

/** Takes a new INVITE: 100 at once, or once the sender is known, then the user is asked. */
export function takeCall(
  core: Core,
  handle: CallHandle,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): void {
  const { flow } = transaction;
  const localTag = nameAt(core.tokens.next(8), placeOf(handle));
  const contact = `sip:${writeHost(flow.local.host)}:${flow.local.port}`;
  const { callId } = message;
  const call = new Call(core, { handle, outgoing: false, at: 'ringing', flow, contact, callId, localTag });
  call.dialog = dialogOfInvite(message, localTag);
  leadOn(call, call.dialog);
  call.server = transaction;
  transaction.user = call;
  const offer = sdpOf(message);
  call.asked = offer === undefined;
  // An INVITE may be good for a while only (section 13.3.1).
  call.ringBy = now + Math.min(RING_LIMIT, (message.expires ?? RING_LIMIT) * 1000);
  call.plan();
  transaction.quiet = core.quiet?.(message, flow) === true;
  if (!transaction.quiet) core.transactions.reply(transaction, newResponse(message, 100), now, out);
  out.push({ do: 'incoming', call: handle, message, flow, ...(offer !== undefined && { offer }) });
}

/** Its sender is where the INVITE came from: what was held back is sent. */
export function senderKnown({ core, server }: Call, now: number, out: EndpointOutput[]): void {
  if (!server?.quiet) return;
  server.quiet = false;
  if (server.request) core.transactions.reply(server, newResponse(server.request, 100), now, out);
}

/** 101..199. */
export function sendProgress(
  call: Call,
  status: number,
  options: ReplyOptions & { readonly sdp?: string },
  now: number,
  out: EndpointOutput[],
): void {
  if (call.outgoing || call.at !== 'ringing' || status <= 100 || status >= 200) return;
  const sdp = offerIn(call, options.sdp);
  if (lacksOffer(call, sdp)) return;
  const body = sdp ?? options.body;
  const type = sdp === undefined ? options.contentType : SDP;
  const reliable = isReliable(call, body !== undefined);
  // One reliable response at a time (RFC 3262 section 3).
  if (reliable && !mayFollow(call, (later, list) => sendProgress(call, status, options, later, list))) return;
  // It says whether UPDATE is known (RFC 3311 section 5.1).
  const known = reliable ? [...reliableHeaders(call), ...call.core.capabilities] : [];
  const headers = reliable ? [...(options.headers ?? []), ...known] : options.headers;
  const response = answerTo(call, status, { ...options, ...(headers && { headers }), body, type });
  if (!response || !call.server) return;
  call.core.transactions.reply(call.server, response, now, out);
  if (reliable) awaitPrack(call, response, now);
  call.repeatAt = now + REPEAT_PROVISIONAL;
  call.plan();
}

interface AnswerParts {
  readonly reason?: string;
  readonly contact?: string;
  readonly headers?: readonly Header[];
  readonly body: string | undefined;
  readonly type: string | undefined;
}

/** A response to what is pending in `call.server`, with our tag and Contact; undefined where nothing is. */
export function answerTo(call: Call, status: number, parts: AnswerParts): SipMessage | undefined {
  const request = call.server?.request;
  if (!request || !call.server) return undefined;
  if (parts.contact !== undefined) call.contact = parts.contact;
  const { flow } = call.server;
  const headers: Header[] = [];
  if (status < 300) headers.push(['Contact', ownContact(call, flow)]);
  else headers.push(...warningOf(status));
  if (status >= 200) headers.push(...call.core.capabilities);
  if (parts.body !== undefined)
    headers.push(parts.type === SDP ? SESSION_TYPE : ['Content-Type', parts.type ?? 'text/plain']);
  headers.push(...(parts.headers ?? []));
  const response = tagged(request, status, call.localTag, headers, parts.reason);
  if (parts.body !== undefined) response.body = parts.body;
  return response;
}

/** 200 to the pending INVITE, repeated until its ACK; the offer or answer is `sdp`. */
export function sendOk(
  call: Call,
  sdp: string,
  parts: { contact?: string; headers?: readonly HeaderLine[] },
  now: number,
  out: EndpointOutput[],
): void {
  const transaction = call.server;
  // The offer may have been withdrawn meanwhile, or its time have run out.
  if (!transaction?.request) return;
  // A 2xx waits for the PRACK of early sound (RFC 3262 section 3).
  if (call.at === 'ringing' && !mayFollow(call, (later, list) => sendOk(call, sdp, parts, later, list))) return;
  const seq = transaction.request.cseq.n;
  const timer = answerWithTimer(call, transaction.request, now);
  const headers = [...(parts.headers ?? []), ...timer];
  // What was agreed by UPDATE since stands; the answer to the INVITE is old (RFC 6337 section 3.1.1).
  const body = call.at === 'ringing' && call.early?.changed === true ? undefined : sdp;
  const response = answerTo(call, 200, { ...parts, headers, body, type: SDP });
  if (!response) return;
  call.described = body ?? call.described;
  // Only who is not refused has moved (RFC 6141 section 4.6).
  if (call.at !== 'ringing' && call.dialog) refreshTarget(call.dialog, transaction.request);
  call.server = undefined;
  call.offerBy = NEVER;
  if (transaction.method === 'INVITE') {
    call.unacked = {
      response,
      transaction,
      seq,
      late: call.asked && (call.at !== 'ringing' || call.early === undefined),
      initial: call.at === 'ringing',
      resendAt: now + T1,
      gap: T1,
      endAt: now + TRY_TIME,
    };
  }
  if (call.at === 'ringing') {
    call.at = 'answered';
    call.ringBy = NEVER;
    call.repeatAt = NEVER;
  }
  call.core.transactions.reply(transaction, response, now, out);
  // No ACK comes after which an offer of ours that waits could go.
  if (transaction.method !== 'INVITE') tryReoffer(call, now, out);
  call.plan();
}

/** 300..699 to a call without a final response. */
export function rejectCall(
  call: Call,
  status: number,
  options: ReplyOptions,
  now: number,
  out: EndpointOutput[],
): void {
  if (call.outgoing || call.at !== 'ringing' || !call.server || status < 300 || status > 699) return;
  if (call.isAdrift) {
    part(call, (later, list) => rejectCall(call, status, options, later, list));
    return;
  }
  const parts = { ...options, body: options.body, type: options.contentType };
  const response = answerTo(call, status, parts);
  refuseEarly(call, 487, now, out);
  const transaction = call.server;
  call.server = undefined;
  call.forget(now);
  if (!response) return;
  if (options.contact !== undefined) response.add('Contact', `<${options.contact}>`);
  call.core.transactions.reply(transaction, response, now, out);
}

/** The ACK of our 2xx came, or a later request proves that the 2xx arrived. */
export function acked(call: Call, message: SipMessage | undefined, now: number, out: EndpointOutput[]): void {
  const { unacked } = call;
  if (!unacked || call.at === 'over') return;
  if (message && message.cseq.n !== unacked.seq) return;
  call.unacked = undefined;
  // It stays to absorb copies of the INVITE for half a minute, but the call is not to stay with it.
  unacked.transaction.user = undefined;
  call.core.transactions.settle(unacked.transaction, now);
  if (unacked.initial) call.at = 'confirmed';
  if (call.silent) {
    byeAndForget(call, now, out);
    return;
  }
  const sdp = unacked.late && message ? sdpOf(message) : undefined;
  if (unacked.initial || sdp !== undefined) {
    out.push({ do: 'confirmed', call: call.handle, ...(sdp !== undefined && { sdp }) });
  }
  tryReoffer(call, now, out);
  call.plan();
}

/** No ACK within 64*T1: BYE (section 13.3.1.4). */
export function repeatOk(call: Call, now: number, out: EndpointOutput[]): void {
  const { unacked } = call;
  if (!unacked) return;
  if (now >= unacked.endAt && unacked.again === true) acked(call, undefined, now, out);
  else if (now >= unacked.endAt) {
    ended(call, 'no-ack', out);
    byeAndForget(call, now, out);
  } else if (now >= unacked.resendAt) {
    unacked.gap = nextGap(unacked.gap);
    unacked.resendAt = now + unacked.gap;
    call.core.transactions.reply(unacked.transaction, unacked.response, now, out);
  }
}

/** CANCEL for the pending INVITE or re-INVITE; its own 200 is sent by the caller (section 9.2). */
export function cancelled(call: Call, message: SipMessage, now: number, out: EndpointOutput[]): void {
  refusePending(call, 487, now, out);
  call.offerBy = NEVER;
  if (call.at !== 'ringing') {
    tryReoffer(call, now, out);
    return;
  }
  ended(call, 'cancel', out, message);
  call.forget(now);
}
