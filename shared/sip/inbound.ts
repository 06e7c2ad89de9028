/** Sorts what comes in: responses to their transactions, requests to transactions, calls and the user (RFC 3261 section 8.2, 12.2.2, 17). */
import { responseFlow, stampVia, statelessTag, tagged } from './build.ts';
import { Call, type Core } from './call.ts';
import { adoptFlow, callHooks, dialogFor, serveInDialog } from './call-dialog.ts';
import { cancelled, takeCall } from './call-in.ts';
import { isSuccess, lateSuccess } from './call-resume.ts';
import { check, checkPackage, type Refusal } from './checks.ts';
import type { SipMessage } from './message.ts';
import { MESSAGE_LIMIT, parse } from './parse.ts';
import { plainFinal } from './plain-final.ts';
import type { PlainRequests } from './plain-requests.ts';
import { MIN_SE, tooShort } from './session-timer.ts';
import type { ServerPlace, ServerTransaction } from './transaction.ts';
import { isCopy } from './transactions.ts';
import type { EndpointOutput, Flow } from './types.ts';
import { validate } from './validate.ts';
import { write } from './write.ts';

/** Outside a dialog these mean nothing (RFC 3261 sections 15.1.2 and 8.2.1, RFC 3311 section 5.2, RFC 3262 section 3). */
const IN_DIALOG: ReadonlySet<string> = new Set(['BYE', 'UPDATE', 'INFO', 'PRACK']);

export class Inbound {
  readonly #core: Core;
  readonly #plain: PlainRequests;

  constructor(core: Core, plain: PlainRequests) {
    this.#core = core;
    this.#plain = plain;
  }

  receive(text: string, flow: Flow, now: number, out: EndpointOutput[]): void {
    const parsed = parse(text);
    const fault = parsed.ok ? validate(parsed.message) : parsed;
    const { message } = parsed;
    if (!message) return;
    if (message.kind === 'response') {
      const taken = fault ? plainFinal(message) : message;
      if (taken && !this.#core.transactions.response(taken, now, out)) this.#stray(taken, flow, text, now, out);
    } else if (fault) {
      this.#refuseUnserved(message, flow, { status: fault.status, headers: [] }, out, fault.reason);
    } else this.#request(message, text, flow, now, out);
  }

  /** A response without its transaction: only a 2xx to an INVITE matters, for its sender believes that it is in a call. */
  #stray(message: SipMessage, flow: Flow, text: string, now: number, out: EndpointOutput[]): void {
    const core = this.#core;
    if (isSuccess(message) && lateSuccess(core, message, flow, false, now, out)) return;
    if (core.stray?.(message, flow, text) === true || !isSuccess(message)) return;
    if (core.forgotten?.(flow) === true) lateSuccess(core, message, flow, true, now, out);
  }

  #request(message: SipMessage, text: string, flow: Flow, now: number, out: EndpointOutput[]): void {
    const { transactions } = this.#core;
    if (message.method === 'ACK' && this.#awaited(message, now, out)) return;
    const known = transactions.find(message, message.method === 'ACK' ? 'INVITE' : message.method);
    if (message.method === 'ACK') {
      if (known) transactions.ack(known, message, now, out);
      else if (transactions.isSettled(message, 'INVITE', text.length, now, out)) return;
      else if (!this.#ack(message, now, out)) this.#core.stray?.(message, flow, text);
      return;
    }
    if (known) {
      if (isCopy(text.length, known.size)) known.repeated(now, out);
      transactions.deadlines.plan(known);
      return;
    }
    if (transactions.isSettled(message, message.method, text.length, now, out)) return;
    const begins = message.toTag === undefined;
    if (begins && this.#core.elsewhere?.(message, flow, text)) return;
    const place = { flow, back: responseFlow(flow, message.topVia), size: text.length };
    if (transactions.count >= this.#core.limits.transactions) {
      this.#refuseUnserved(message, flow, { status: 503, headers: [['Retry-After', '10']] }, out);
      return;
    }
    if (message.method === 'CANCEL') {
      stampVia(message, flow);
      this.#cancel(message, place, now, out);
      return;
    }
    const tag = message.toTag;
    const refusal = this.#refusalOf(message, tag !== undefined);
    const asks = refusal === undefined && (begins || message.method === 'REGISTER');
    const screened = asks ? this.#core.screen?.(message, flow) : undefined;
    if (screened) {
      this.#refuseUnserved(message, flow, screened, out);
      return;
    }
    if (!refusal && tag !== undefined && this.#isStray(tag, message) && this.#core.stray?.(message, flow, text)) return;
    const late = refusal ?? this.#lateRefusal(message, begins, now) ?? this.#withoutDialog(message, tag);
    if (late && !this.#hasDialog(message, tag)) {
      // Whoever has no part in anything here is answered once: repeated, the answer would be much more than what was sent.
      this.#refuseUnserved(message, flow, late, out);
      return;
    }
    stampVia(message, flow);
    const transaction = transactions.open(message, begins, place, now);
    if (late) {
      this.#refuse(transaction, message, late, now, out);
      return;
    }
    if (tag === undefined || message.method === 'REGISTER') this.#newRequest(transaction, message, now, out);
    else this.#inDialog(tag, transaction, message, now, out);
  }

  /** It belongs to a dialog, and nobody here has it. Subscriptions are the user's. */
  #isStray(tag: string, message: SipMessage): boolean {
    if (this.#core.stray === undefined) return false;
    if (this.#hasDialog(message, tag)) return false;
    return message.method !== 'REGISTER' && message.method !== 'SUBSCRIBE' && message.method !== 'NOTIFY';
  }

  #refusalOf(message: SipMessage, inDialog: boolean): Refusal | undefined {
    const refusal = check(message, this.#core.abilities);
    if (refusal) return refusal;
    const timed = message.method === 'INVITE' || message.method === 'UPDATE';
    if (timed && this.#core.sessionExpires !== undefined && tooShort(message)) {
      return { status: 422, headers: [['Min-SE', String(MIN_SE)]] };
    }
    return !inDialog && IN_DIALOG.has(message.method) ? { status: 481, headers: [] } : undefined;
  }

  /** What speaks against a request that is to be kept: it came along another way already, or there are too many. */
  #lateRefusal(message: SipMessage, begins: boolean, now: number): Refusal | undefined {
    if (!begins) return undefined;
    if (this.#core.transactions.isMerged(message, now)) return { status: 482, headers: [] };
    if (message.method === 'INVITE' && this.#core.calls.size >= this.#core.limits.calls) {
      return { status: 503, headers: [['Retry-After', '10']] };
    }
    return undefined;
  }

  #hasDialog(message: SipMessage, tag: string | undefined): boolean {
    const call = tag === undefined ? undefined : this.#core.calls.ofTag(tag);
    return call !== undefined && dialogFor(call, message) !== undefined;
  }

  /** A re-INVITE of a dialog that nobody here has (section 12.2.2). */
  #withoutDialog(message: SipMessage, tag: string | undefined): Refusal | undefined {
    const isStray = message.method === 'INVITE' && tag !== undefined && !this.#hasDialog(message, tag);
    return isStray ? { status: 481, headers: [] } : undefined;
  }

  #newRequest(transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    if (message.method !== 'INVITE') {
      this.#plain.incoming(transaction, message, now, out);
      return;
    }
    takeCall(this.#core, this.#core.calls.newHandle(), transaction, message, now, out);
  }

  #inDialog(
    tag: string,
    transaction: ServerTransaction,
    message: SipMessage,
    now: number,
    out: EndpointOutput[],
  ): void {
    const call = this.#core.calls.ofTag(tag);
    const dialog = call && dialogFor(call, message);
    // A subscription is a dialog that the user keeps (RFC 6665), where it knows of events at all.
    const ofEvents = message.method === 'SUBSCRIBE' || message.method === 'NOTIFY';
    if (!dialog && ofEvents && this.#core.abilities.allow.includes('SUBSCRIBE')) {
      this.#plain.incoming(transaction, message, now, out);
      return;
    }
    if (!call || !dialog) {
      this.#refuse(transaction, message, { status: 481, headers: [] }, now, out);
      return;
    }
    const { n } = message.cseq;
    if (n < dialog.remoteSeq) {
      this.#refuse(transaction, message, { status: 500, headers: [] }, now, out);
      return;
    }
    dialog.remoteSeq = n;
    // Only of a dialog that there is: whoever has lost its own is to hear that (481).
    const foreign = checkPackage(message);
    if (foreign) this.#refuse(transaction, message, foreign, now, out);
    else if (!serveInDialog(call, transaction, message, now, out)) {
      this.#plain.incoming(transaction, message, now, out, call);
    }
    call.plan();
  }

  /** The ACK of the 2xx that a call waits for, as nearly all are: no transaction need be asked. */
  #awaited(message: SipMessage, now: number, out: EndpointOutput[]): boolean {
    const call = this.#core.calls.ofTag(message.toTag ?? '');
    if (call?.unacked?.seq !== message.cseq.n || dialogFor(call, message) === undefined) return false;
    callHooks.acked(call, message, now, out);
    return true;
  }

  /** False where nobody here has its dialog. */
  #ack(message: SipMessage, now: number, out: EndpointOutput[]): boolean {
    const call = this.#core.calls.ofTag(message.toTag ?? '');
    if (!call || !dialogFor(call, message)) return false;
    callHooks.acked(call, message, now, out);
    return true;
  }

  /** Section 9.2: answered by itself; 481 where there is no request that it could mean. Any but an INVITE goes on. */
  #cancel(message: SipMessage, place: ServerPlace, now: number, out: EndpointOutput[]): void {
    const { transactions } = this.#core;
    // The pending INVITE that it means (section 9.2).
    const invite = transactions.find(message, 'INVITE');
    const isOver =
      invite === undefined && (transactions.isSettled(message, 'INVITE', 0, now, out) || transactions.serves(message));
    const transaction = transactions.open(message, !message.hasToTag, place, now);
    const call = invite?.user instanceof Call ? invite.user : undefined;
    if (invite?.adrift && call !== undefined) adoptFlow(call, place.flow);
    const tag = call?.localTag ?? this.#core.tokens.next(8);
    const response = tagged(message, invite || isOver ? 200 : 481, tag);
    transactions.reply(transaction, response, now, out);
    if (invite?.pending && call?.server === invite) cancelled(call, message, now, out);
  }

  #refuse(
    transaction: ServerTransaction,
    message: SipMessage,
    refusal: Refusal,
    now: number,
    out: EndpointOutput[],
  ): void {
    const response = tagged(message, refusal.status, this.#core.tokens.next(8), refusal.headers);
    this.#core.transactions.reply(transaction, response, now, out);
  }

  /** An answer without a transaction, for what cannot or should not have one. Never to an ACK, and only where a Via tells the way. */
  #refuseUnserved(message: SipMessage, flow: Flow, refusal: Refusal, out: EndpointOutput[], reason?: string): void {
    if (message.method === 'ACK' || !message.topVia) return;
    const back = responseFlow(flow, message.topVia);
    stampVia(message, flow);
    const response = tagged(message, refusal.status, statelessTag(message), refusal.headers, reason);
    const text = write(response);
    // What it says besides may make it larger than anybody reads.
    if (text.length <= MESSAGE_LIMIT) out.push({ do: 'send', flow: back, message: response, text });
  }
}
