/** Requests other than INVITE, both ways, inside and outside of dialogs, as their user sees them (RFC 3261 section 8). */
import { Roster } from '../kernel/roster.ts';
import { retryWithCredentials } from './auth.ts';
import { contactValue, type HeaderLine, MAX_FORWARDS, tagged } from './build.ts';
import type { Call, Core } from './call.ts';
import { byeAndForget, ended } from './call-end.ts';
import { isStale } from './call-out.ts';
import { dialogRequest } from './dialog.ts';
import { newResponse, type SipMessage } from './message.ts';
import type { ClientTransaction, ClientUser, Failure, ServerTransaction, ServerUser } from './transaction.ts';
import type { Credentials, EndpointOutput, Flow, ReplyOptions, TransactionHandle } from './types.ts';

/** A request that waits for the user's reply. */
interface Waiting {
  readonly transaction: ServerTransaction;
  readonly tag: string;
  readonly call: Call | undefined;
}

export class PlainRequests implements ServerUser {
  readonly #core: Core;
  readonly #waiting = new Roster<TransactionHandle, Waiting>();
  readonly #handles = new Map<ServerTransaction, TransactionHandle>();
  #last = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** Requests that wait for a reply. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Hands a request to the user; OPTIONS inside a dialog is answered here. */
  incoming(transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[], call?: Call): void {
    const tag = call?.localTag ?? this.#core.tokens.next(8);
    const handle = this.#newHandle();
    transaction.user = this;
    this.#waiting.set(handle, { transaction, tag, call });
    this.#handles.set(transaction, handle);
    if (!call) out.push({ do: 'request', transaction: handle, message, flow: transaction.flow });
    else if (message.method === 'OPTIONS') this.reply(handle, 200, {}, now, out);
    else if (call.silent) this.reply(handle, 481, {}, now, out);
    else out.push({ do: 'in-dialog', call: call.handle, transaction: handle, message });
  }

  reply(handle: TransactionHandle, status: number, options: ReplyOptions, now: number, out: EndpointOutput[]): void {
    const waiting = this.#waiting.get(handle);
    const request = waiting?.transaction.request;
    if (!waiting || !request) return;
    const { transaction } = waiting;
    const { reason, tag = waiting.tag } = options;
    const response = status > 100 ? tagged(request, status, tag, [], reason) : newResponse(request, status, reason);
    if (options.contact !== undefined) response.add('Contact', contactValue(options.contact, transaction.flow));
    if (request.method === 'OPTIONS' && status === 200) this.#describe(response, options);
    for (const [name, value] of options.headers ?? []) response.add(name, value);
    if (options.body !== undefined) {
      response.body = options.body;
      response.set('Content-Type', options.contentType ?? 'text/plain');
    }
    if (status >= 200) this.#drop(transaction);
    this.#core.transactions.reply(transaction, response, now, out);
  }

  /** Section 11.2. */
  #describe(response: SipMessage, options: ReplyOptions): void {
    const given = new Set(options.headers?.map(([name]) => name.toLowerCase()));
    const lines: HeaderLine[] = [...this.#core.capabilities, ['Accept', 'application/sdp']];
    for (const [name, value] of lines) if (!given.has(name.toLowerCase())) response.add(name, value);
  }

  onAck(): void {}

  onFailure(transaction: ServerTransaction): void {
    this.#drop(transaction);
  }

  #drop(transaction: ServerTransaction): void {
    const handle = this.#handles.get(transaction);
    this.#handles.delete(transaction);
    if (handle !== undefined) this.#waiting.delete(handle);
  }

  /** Sends a request outside dialogs, completing its headers. */
  send(
    message: SipMessage,
    over: { readonly flow: Flow; readonly credentials: Credentials | undefined },
    now: number,
    out: EndpointOutput[],
  ): TransactionHandle {
    this.#complete(message);
    const handle = this.#newHandle();
    const user = new Asker(this.#core, handle, over.credentials, undefined);
    this.#core.transactions.start(message, over.flow, user, now, out);
    return handle;
  }

  #complete(message: SipMessage): void {
    const { tokens } = this.#core;
    if (message.header('Max-Forwards') === undefined) message.prepend('Max-Forwards', MAX_FORWARDS);
    if (!message.from.params.has('tag')) message.set('From', `${message.header('From') ?? ''};tag=${tokens.next(8)}`);
    if (message.callId === '') message.add('Call-ID', tokens.next(16));
    if (message.cseq.n === 0) message.set('CSeq', `1 ${message.method}`);
  }

  /** Sends a request inside a dialog; without one it fails at once. */
  sendInDialog(
    call: Call | undefined,
    method: string,
    options: ReplyOptions,
    now: number,
    out: EndpointOutput[],
  ): TransactionHandle {
    const handle = this.#newHandle();
    if (!call?.dialog || call.silent || call.at === 'calling') {
      out.push({ do: 'no-response', transaction: handle, why: 'transport' });
      return handle;
    }
    const headers: HeaderLine[] = [...(options.headers ?? [])];
    const contact = options.contact ?? (method === 'UPDATE' || method === 'REFER' ? call.contact : undefined);
    if (contact !== undefined) headers.push(['Contact', contactValue(contact, call.flow)]);
    if (options.body !== undefined) headers.push(['Content-Type', options.contentType ?? 'text/plain']);
    const request = dialogRequest(call.dialog, method, headers, options.body);
    const user = new Asker(this.#core, handle, call.credentials, call);
    this.#core.transactions.start(request, call.flow, user, now, out);
    return handle;
  }

  #newHandle(): TransactionHandle {
    return `t${++this.#last}`;
  }
}

/** Hears the responses to one request of the user. */
class Asker implements ClientUser {
  readonly #core: Core;
  readonly #handle: TransactionHandle;
  readonly #credentials: Credentials | undefined;
  readonly #call: Call | undefined;
  #challenged = 0;

  constructor(core: Core, handle: TransactionHandle, credentials: Credentials | undefined, call: Call | undefined) {
    this.#core = core;
    this.#handle = handle;
    this.#credentials = credentials;
    this.#call = call;
  }

  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const again = this.#retry(transaction, message);
    if (again) {
      this.#challenged++;
      if (this.#call?.dialog) this.#call.dialog.localSeq = Math.max(this.#call.dialog.localSeq, again.cseq.n);
      this.#core.transactions.start(again, transaction.flow, this, now, out);
      return;
    }
    out.push({ do: 'response', transaction: this.#handle, message });
    if (message.status === 481 || message.status === 408) this.#lost(now, out);
  }

  /** The other side does not know the dialog, or is silent: it ends (RFC 3261 section 12.2.1.2). */
  #lost(now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    if (call?.at !== 'confirmed') return;
    ended(call, 'timeout', out);
    byeAndForget(call, now, out);
  }

  #retry(transaction: ClientTransaction, message: SipMessage): SipMessage | undefined {
    if (this.#challenged > 0 && !(this.#challenged === 1 && isStale(message))) return undefined;
    const again = retryWithCredentials(this.#core, transaction.request, message, this.#credentials);
    const used = this.#call?.dialog?.localSeq;
    // Another request may have gone out in the dialog meanwhile.
    if (again && used !== undefined) again.set('CSeq', `${Math.max(used + 1, again.cseq.n)} ${again.method}`);
    return again;
  }

  onFailure(_transaction: ClientTransaction, why: Failure, now: number, out: EndpointOutput[]): void {
    out.push({ do: 'no-response', transaction: this.#handle, why });
    if (why === 'timeout') this.#lost(now, out);
  }
}
