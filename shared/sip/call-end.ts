/** How calls end: BYE (RFC 3261 section 15), CANCEL (section 9) and refusal. */
import { NEVER } from '../kernel/machine.ts';
import { retryWithCredentials } from './auth.ts';
import { cancelOf, type HeaderLine, tagged, warningOf } from './build.ts';
import type { Call, Core } from './call.ts';
import { type Dialog, dialogRequest } from './dialog.ts';
import type { Header } from './fields.ts';
import type { SipMessage } from './message.ts';
import type { ClientTransaction, ClientUser, ServerTransaction } from './transaction.ts';
import type { Credentials, EndpointOutput, Flow } from './types.ts';

/** A request whose outcome nobody awaits, except for a challenge, which is answered once. */
class Farewell implements ClientUser {
  readonly #core: Core;
  #credentials: Credentials | undefined;

  constructor(core: Core, credentials: Credentials | undefined) {
    this.#core = core;
    this.#credentials = credentials;
  }

  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const again = retryWithCredentials(this.#core, transaction.request, message, this.#credentials);
    this.#credentials = undefined;
    if (again) this.#core.transactions.start(again, transaction.flow, this, now, out);
  }

  onFailure(): void {}
}

/** Sends BYE in a dialog. */
export function sendBye(
  core: Core,
  dialog: Dialog,
  over: { flow: Flow; headers: readonly HeaderLine[]; credentials: Credentials | undefined },
  now: number,
  out: EndpointOutput[],
): void {
  const bye = dialogRequest(dialog, 'BYE', [...core.supported, ...over.headers]);
  core.transactions.start(bye, over.flow, new Farewell(core, over.credentials), now, out);
}

/** Sends BYE and forgets the call; refuses what the other side still waits for. */
export function byeAndForget(call: Call, now: number, out: EndpointOutput[]): void {
  const { core, flow, farewell: headers, credentials, dialog } = call;
  if (dialog) sendBye(core, dialog, { flow, headers, credentials }, now, out);
  refusePending(call, 487, now, out);
  call.forget(now);
}

/** Gives the other side's pending INVITE or UPDATE a final refusal. */
export function refusePending(
  call: Call,
  status: number,
  now: number,
  out: EndpointOutput[],
  headers?: readonly Header[],
): void {
  const transaction = call.server;
  call.server = undefined;
  if (transaction) refuse(call, transaction, status, now, out, headers);
  refuseEarly(call, status, now, out);
}

/** The same of an UPDATE in an early dialog (RFC 3311); false where none is pending. */
export function refuseEarly(call: Call, status: number, now: number, out: EndpointOutput[]): boolean {
  const transaction = call.early?.server;
  if (call.early === undefined || transaction === undefined) return false;
  call.early.server = undefined;
  call.offerBy = NEVER;
  refuse(call, transaction, status, now, out, retryLater(call, status));
  // What waited for a PRACK may go now.
  call.plan();
  return true;
}

/** Section 14.2, RFC 3311 section 5.2: a 500 to an offer says when it may be made again. */
export function retryLater(call: Call, status: number): HeaderLine[] {
  return status === 500 ? [['Retry-After', String(Math.floor(call.core.tokens.fraction() * 10))]] : [];
}

/** Refuses one request of the call's dialog. */
export function refuse(
  call: Call,
  transaction: ServerTransaction,
  status: number,
  now: number,
  out: EndpointOutput[],
  headers?: readonly Header[],
): void {
  if (!transaction.request || !transaction.pending) return;
  const said = [...warningOf(status), ...(headers ?? [])];
  const response = tagged(transaction.request, status, call.localTag, said);
  transaction.user = undefined;
  call.core.transactions.reply(transaction, response, now, out);
}

/** Sends CANCEL for a pending INVITE of ours that has a provisional response (before one, CANCEL must wait). */
export function sendCancel(call: Call, now: number, out: EndpointOutput[]): void {
  const invite = call.client;
  if (!invite?.request || !invite.proceeding) return;
  const cancel = cancelOf(invite.request, [...call.core.supported, ...call.farewell]);
  const { transactions } = call.core;
  transactions.startCancel(invite, cancel, new Farewell(call.core, undefined), now, out);
  invite.cancelled(now);
  transactions.deadlines.plan(invite);
}

/** The user ends the call: CANCEL, refusal or BYE as its phase demands. It hears no more of it. */
export function hangup(call: Call, headers: readonly HeaderLine[], now: number, out: EndpointOutput[]): void {
  if (call.silent) return;
  call.silent = true;
  call.farewell = headers;
  switch (call.at) {
    case 'calling':
      // CANCEL goes out with the first provisional response (section 9.1).
      return;
    case 'ringing':
      if (call.outgoing) {
        sendCancel(call, now, out);
        return;
      }
      if (call.isAdrift) part(call, (later, list) => refuseWith(call, 603, headers, later, list));
      else refuseWith(call, 603, headers, now, out);
      return;
    case 'answered':
      // Section 15: no BYE before the ACK came, or its wait has ended.
      if (!call.outgoing) return;
      call.owedAck?.(undefined, now, out);
      byeAndForget(call, now, out);
      return;
    case 'confirmed':
      // Nor while a 2xx to a re-INVITE has no ACK: with the dialog gone nobody would repeat it, and its INVITE had no final answer.
      if (call.unacked !== undefined) return;
      call.owedAck?.(undefined, now, out);
      byeAndForget(call, now, out);
      return;
    case 'over':
      return;
  }
}

function refuseWith(
  call: Call,
  status: number,
  headers: readonly HeaderLine[],
  now: number,
  out: EndpointOutput[],
): void {
  refusePending(call, status, now, out, headers);
  call.forget(now);
}

/** The user is done with it; its refusal waits for a connection. */
export function part(call: Call, refuse: (now: number, out: EndpointOutput[]) => void): void {
  call.silent = true;
  call.parting = refuse;
}

/** The call ended without its user's doing. */
export function ended(
  call: Call,
  why: 'bye' | 'cancel' | 'no-ack' | 'transport' | 'timeout',
  out: EndpointOutput[],
  message?: SipMessage,
): void {
  if (call.silent) return;
  call.silent = true;
  out.push({ do: 'ended', call: call.handle, why, ...(message && { message }) });
}
