/** Reliable provisional responses (RFC 3262): sent until PRACK, one at a time; those of others acknowledged once and in order; offers and answers in both. */
import { NEVER } from '../kernel/machine.ts';
import { retryWithCredentials } from './auth.ts';
import { type HeaderLine, SESSION_TYPE, sdpOf, tagged } from './build.ts';
import type { Call } from './call.ts';
import { refusePending } from './call-end.ts';
import { type Dialog, dialogRequest, refreshTarget, renumber } from './dialog.ts';
import type { Header } from './fields.ts';
import type { SipMessage } from './message.ts';
import { decimal } from './params.ts';
import { ANSWER_WITHIN, T1, TRY_TIME } from './timers.ts';
import type { ClientTransaction, ClientUser, ServerTransaction } from './transaction.ts';
import type { Credentials, EndpointOutput } from './types.ts';

const names = (message: SipMessage, header: 'Require' | 'Supported'): boolean =>
  message.headerAll(header).some((tag) => tag.trim().toLowerCase() === '100rel');

/** Whether this provisional response has to be, or may well be, sent reliably: where the caller requires it, and early sound where it can (section 3). */
export function isReliable(call: Call, hasBody: boolean): boolean {
  const request = call.server?.request;
  if (!call.core.reliable || request === undefined) return false;
  return names(request, 'Require') || (hasBody && names(request, 'Supported'));
}

/** A PRACK is awaited, or the answer to the offer in one. */
const isHeldUp = ({ rel, early }: Call): boolean =>
  rel?.unpracked !== undefined || (rel !== undefined && early?.server?.method === 'PRACK');

/** True where the response may go now; else `later` sends it after the PRACK that is awaited, and the answer to what that offers. */
export function mayFollow(call: Call, later: (now: number, out: EndpointOutput[]) => void): boolean {
  if (!isHeldUp(call)) return true;
  call.rel?.waiting.push(later);
  return false;
}

/** What a provisional response says of the session, where it may: an INVITE without an offer gets ours reliably, and once (RFC 3261 section 13.2.1). */
export function offerIn(call: Call, sdp: string | undefined): string | undefined {
  if (sdp === undefined || !call.asked) return sdp;
  return isReliable(call, true) && !hasOffered(call) ? sdp : undefined;
}

const hasOffered = ({ rel, early }: Call): boolean => early !== undefined || rel?.unpracked?.offers === true;

/** The first reliable response to an INVITE without an offer has to bring one (RFC 3261 section 13.2.1): without it none may go. */
export const lacksOffer = (call: Call, sdp: string | undefined): boolean =>
  call.asked && sdp === undefined && isReliable(call, false) && !hasOffered(call);

/** The headers that make a response reliable. */
export function reliableHeaders(call: Call): HeaderLine[] {
  call.rel ??= { rseq: 1 + Math.floor(call.core.tokens.fraction() * 0x7fff), unpracked: undefined, waiting: [] };
  call.rel.rseq++;
  return [
    ['Require', '100rel'],
    ['RSeq', String(call.rel.rseq)],
  ];
}

/** It was sent: repeated until its PRACK (section 3). */
export function awaitPrack(call: Call, response: SipMessage, now: number): void {
  if (call.rel === undefined) return;
  const { rseq } = call.rel;
  const seq = response.cseq.n;
  const sdp = sdpOf(response);
  const offers = call.asked && sdp !== undefined;
  call.rel.unpracked = { rseq, seq, response, offers, resendAt: now + T1, gap: T1, endAt: now + TRY_TIME };
  const request = call.server?.request;
  if (offers) call.described = sdp;
  else if (request !== undefined && sdp !== undefined) agreed(call, call.dialog?.remoteTag ?? '', request);
}

/** Repeats a response without PRACK, at growing gaps; after 64*T1 the INVITE is refused with 504. */
export function repeatReliable(call: Call, now: number, out: EndpointOutput[], gaveUp: () => void): void {
  const waits = call.rel?.unpracked;
  letGo(call, now, out);
  if (call.rel === undefined || waits === undefined) return;
  if (now >= waits.endAt) {
    call.rel.unpracked = undefined;
    call.rel.waiting.length = 0;
    refusePending(call, 504, now, out);
    gaveUp();
  } else if (now >= waits.resendAt && call.server !== undefined) {
    waits.gap *= 2;
    waits.resendAt = now + waits.gap;
    call.core.transactions.reply(call.server, waits.response, now, out);
  }
}

/** What waited for a PRACK goes, up to the next that needs one. */
function letGo(call: Call, now: number, out: EndpointOutput[]): void {
  while (call.rel !== undefined && !isHeldUp(call) && call.rel.waiting.length > 0) call.rel.waiting.shift()?.(now, out);
}

/**
 * A PRACK arrived (section 3): 481 where it names nothing that waits. It may bring the answer to our offer, which its user hears of; or an
 * offer, which is given back and left without a response (section 5).
 */
export function servePrack(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): string | undefined {
  const [rseq, seq, method] = (message.header('RAck') ?? '').trim().split(/ +/);
  const waits = call.rel?.unpracked;
  const fits = waits !== undefined && Number(rseq) === waits.rseq && Number(seq) === waits.seq && method === 'INVITE';
  const sdp = sdpOf(message);
  if (fits && call.rel !== undefined) call.rel.unpracked = undefined;
  if (fits && !waits.offers && sdp !== undefined) return sdp;
  call.core.transactions.reply(transaction, tagged(message, fits ? 200 : 481, call.localTag), now, out);
  if (!fits) return undefined;
  if (waits.offers) answered(call, message, sdp, out);
  letGo(call, now, out);
  call.plan();
  return undefined;
}

/** The answer to the offer in a reliable response came with its PRACK, or should have. */
function answered(call: Call, prack: SipMessage, sdp: string | undefined, out: EndpointOutput[]): void {
  if (sdp !== undefined) {
    agreed(call, call.dialog?.remoteTag ?? '', call.server?.request ?? prack);
    if (call.early !== undefined) call.early.changed = true;
  }
  out.push({ do: 'confirmed', call: call.handle, ...(sdp !== undefined && { sdp }) });
}

/**
 * A provisional response came. Undefined: it is to be taken as any other. False: a repetition or one out of order, to be dropped.
 * A reliable one is acknowledged at once (section 4).
 */
export function takeReliable(
  call: Call,
  dialog: Dialog | undefined,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): boolean {
  const rseq = numberOf(call, message);
  if (dialog === undefined || rseq === undefined) return true;
  if (!isNext(dialog.rseq, rseq)) return false;
  dialog.rseq = rseq;
  const rack: HeaderLine = ['RAck', `${rseq} ${message.cseq.n} INVITE`];
  const sdp = sdpOf(message);
  if (call.described === undefined && call.owedPrack === undefined && sdp !== undefined) {
    owePrack(call, dialog, { rack, sdp, message }, now);
    return true;
  }
  acknowledge(call, dialog, { headers: [rack], answer: undefined }, now, out);
  if (call.described !== undefined && sdp !== undefined) {
    dialog.said ??= sdp;
    agreed(call, dialog.remoteTag, message);
  }
  return true;
}

/** The number of a response that is to be acknowledged; undefined where it is none. */
function numberOf({ core }: Call, message: SipMessage): number | undefined {
  if (!core.reliable || !names(message, 'Require') || message.status === 100) return undefined;
  return decimal((message.header('RSeq') ?? '').trim(), 0xffff_ffff);
}

const isNext = (before: number | undefined, rseq: number): boolean => before === undefined || rseq === before + 1;

/**
 * The same of a re-INVITE, whose responses have numbers of their own: the number that came, where the response is reliable and the next after
 * `before`. It renews the target, which one that is not reliable does not (RFC 6141 section 4.7).
 */
export function takeReliableAgain(
  call: Call,
  before: number | undefined,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): number | undefined {
  const rseq = numberOf(call, message);
  if (call.dialog === undefined || rseq === undefined || !isNext(before, rseq)) return undefined;
  refreshTarget(call.dialog, message);
  const rack: HeaderLine = ['RAck', `${rseq} ${message.cseq.n} INVITE`];
  acknowledge(call, call.dialog, { headers: [rack], answer: undefined }, now, out);
  return rseq;
}

/** Our INVITE had no offer, and this response brings one: the user's answer goes into its PRACK (section 5). */
function owePrack(
  call: Call,
  dialog: Dialog,
  { rack, sdp, message }: { readonly rack: HeaderLine; readonly sdp: string; readonly message: SipMessage },
  now: number,
): void {
  dialog.said = sdp;
  call.offerBy = now + ANSWER_WITHIN;
  call.owedPrack = (answer, when, out) => {
    call.owedPrack = undefined;
    call.offerBy = NEVER;
    call.described = answer;
    agreed(call, dialog.remoteTag, message);
    acknowledge(call, dialog, { headers: [rack, SESSION_TYPE], answer }, when, out);
    call.plan();
  };
}

function acknowledge(
  call: Call,
  dialog: Dialog,
  { headers, answer }: { readonly headers: readonly Header[]; readonly answer: string | undefined },
  now: number,
  out: EndpointOutput[],
): void {
  const prack = dialogRequest(dialog, 'PRACK', [...call.core.supported, ...headers], answer);
  call.core.transactions.start(prack, call.flow, new Acknowledging(call, dialog), now, out);
}

/** The first offer is answered in this dialog; `by` says what the other end allows. */
function agreed(call: Call, tag: string, by: SipMessage): void {
  const takesUpdate = by.headerAll('Allow').some((method) => method.trim() === 'UPDATE');
  call.early ??= { tag, takesUpdate, changed: false, server: undefined, client: undefined };
}

/** Nobody waits for the answer to a PRACK: without one the other side repeats, or gives up the call. A challenge is answered once. */
class Acknowledging implements ClientUser {
  readonly #call: Call;
  readonly #dialog: Dialog;
  #credentials: Credentials | undefined;

  constructor(call: Call, dialog: Dialog) {
    this.#call = call;
    this.#dialog = dialog;
    this.#credentials = call.credentials;
  }

  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const { core } = this.#call;
    const again = retryWithCredentials(core, transaction.request, message, this.#credentials);
    if (again === undefined) return;
    this.#credentials = undefined;
    renumber(this.#dialog, again);
    core.transactions.start(again, transaction.flow, this, now, out);
  }

  onFailure(): void {}
}
