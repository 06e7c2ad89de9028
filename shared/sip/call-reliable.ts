/** Reliable provisional responses (RFC 3262): sent until PRACK, one at a time; those of others acknowledged once and in order. */
import { type HeaderLine, sdpOf, tagged } from './build.ts';
import type { Call } from './call.ts';
import { refusePending } from './call-end.ts';
import { type Dialog, dialogRequest } from './dialog.ts';
import type { SipMessage } from './message.ts';
import { decimal } from './params.ts';
import { T1, TRY_TIME } from './timers.ts';
import type { ClientUser, ServerTransaction } from './transaction.ts';
import type { EndpointOutput } from './types.ts';

const names = (message: SipMessage, header: 'Require' | 'Supported'): boolean =>
  message.headerAll(header).some((tag) => tag.trim().toLowerCase() === '100rel');

/** Whether this provisional response has to be, or may well be, sent reliably: where the caller requires it, and early sound where it can (section 3). */
export function isReliable(call: Call, hasBody: boolean): boolean {
  const request = call.server?.request;
  if (!call.core.reliable || request === undefined) return false;
  return names(request, 'Require') || (hasBody && names(request, 'Supported'));
}

/** True where the response may go now; else `later` sends it after the PRACK that is awaited. */
export function mayFollow(call: Call, later: (now: number, out: EndpointOutput[]) => void): boolean {
  if (call.rel?.unpracked === undefined) return true;
  call.rel.waiting.push(later);
  return false;
}

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
  call.rel.unpracked = { rseq, seq, response, resendAt: now + T1, gap: T1, endAt: now + TRY_TIME };
  const request = call.server?.request;
  if (request !== undefined && !call.asked && sdpOf(response) !== undefined)
    agreed(call, call.dialog?.remoteTag ?? '', request);
}

/** Repeats a response without PRACK, at growing gaps; after 64*T1 the INVITE is refused with 504. */
export function repeatReliable(call: Call, now: number, out: EndpointOutput[], gaveUp: () => void): void {
  const waits = call.rel?.unpracked;
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

/** A PRACK arrived (section 3): 481 where it names nothing that waits; an offer in it is refused. */
export function servePrack(
  call: Call,
  transaction: ServerTransaction,
  message: SipMessage,
  now: number,
  out: EndpointOutput[],
): void {
  const [rseq, seq, method] = (message.header('RAck') ?? '').trim().split(/ +/);
  const waits = call.rel?.unpracked;
  const fits = waits !== undefined && Number(rseq) === waits.rseq && Number(seq) === waits.seq && method === 'INVITE';
  const status = fits ? (message.body.length > 0 ? 488 : 200) : 481;
  call.core.transactions.reply(transaction, tagged(message, status, call.localTag), now, out);
  if (!fits || call.rel === undefined) return;
  call.rel.unpracked = undefined;
  while (call.rel.unpracked === undefined && call.rel.waiting.length > 0) call.rel.waiting.shift()?.(now, out);
  call.plan();
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
  if (!call.core.reliable || !names(message, 'Require') || dialog === undefined || message.status === 100) return true;
  const rseq = decimal((message.header('RSeq') ?? '').trim(), 0xffff_ffff);
  if (rseq === undefined) return true;
  const before = dialog.rseq;
  if (before !== undefined && rseq !== before + 1) return false;
  dialog.rseq = rseq;
  const rack: HeaderLine = ['RAck', `${rseq} ${message.cseq.n} INVITE`];
  call.core.transactions.start(dialogRequest(dialog, 'PRACK', [rack]), call.flow, SILENT, now, out);
  const sdp = call.described === undefined ? undefined : sdpOf(message);
  if (sdp !== undefined) {
    dialog.said ??= sdp;
    agreed(call, dialog.remoteTag, message);
  }
  return true;
}

/** The first offer is answered in this dialog; `by` says what the other end allows. */
function agreed(call: Call, tag: string, by: SipMessage): void {
  const takesUpdate = by.headerAll('Allow').some((method) => method.trim() === 'UPDATE');
  call.early ??= { tag, takesUpdate, changed: false, server: undefined, client: undefined };
}

/** Nobody waits for the answer to a PRACK: without one the other side repeats, or gives up the call. */
const SILENT: ClientUser = { onResponse: () => undefined, onFailure: () => undefined };
