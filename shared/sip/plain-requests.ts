/** Requests other than INVITE, both ways, inside and outside of dialogs, as their user sees them (RFC 3261 section 8). */
import { retryWithCredentials } from './auth.ts';
import { contactValue, type HeaderLine, MAX_FORWARDS, tagged } from './build.ts';
import type { Call, Core } from './call.ts';
import { byeAndForget, ended } from './call-end.ts';
import { isStale } from './call-out.ts';
import { dialogRequest, renumber } from './dialog.ts';
import { steadyField } from './fields.ts';
import { newResponse, type SipMessage } from './message.ts';
import { nameAt, Places, placeOf } from './places.ts';
import type { ClientTransaction, ClientUser, Failure, ServerTransaction, ServerUser } from './transaction.ts';
import {
  type Credentials,
  type EndpointOutput,
  type Flow,
  isReliable,
  type ReplyOptions,
  type TransactionHandle,
} from './types.ts';

const ACCEPT = steadyField('Accept', 'application/sdp');
const ACCEPT_ENCODING = steadyField('Accept-Encoding', 'identity');
const ACCEPT_LANGUAGE = steadyField('Accept-Language', 'en');

/** Requests in a dialog that say where their sender is (RFC 3311 section 5.1, RFC 3515 section 2.2, RFC 6665 section 8.2). */
const NAMES_ITSELF: ReadonlySet<string> = new Set(['UPDATE', 'REFER', 'NOTIFY']);

/** Those whose 2xx does too (RFC 3515 section 2.2, RFC 6665 section 8.1.1). */
const ANSWERED_BY_NAME: ReadonlySet<string> = new Set(['REFER', 'SUBSCRIBE']);

/** Those that are of no call, though sent inside one: what fails of them says nothing of it (RFC 5057 sections 5.1 and 5.3). */
const OF_NO_CALL: ReadonlySet<string> = new Set(['NOTIFY', 'MESSAGE']);

/** A request that waits for the user's reply. */
class Waiting implements ServerUser {
  readonly transaction: ServerTransaction;
  readonly handle: TransactionHandle;
  readonly tag: string;
  /** Our own, inside a dialog. */
  readonly contact: string | undefined;
  readonly #all: Places<Waiting>;

  constructor(
    transaction: ServerTransaction,
    handle: TransactionHandle,
    own: { readonly tag: string; readonly contact: string | undefined },
    all: Places<Waiting>,
  ) {
    this.transaction = transaction;
    this.handle = handle;
    this.tag = own.tag;
    this.contact = own.contact;
    this.#all = all;
    all.put(placeOf(handle), this);
  }

  onAck(): void {}

  onFailure(): void {
    this.drop();
  }

  drop(): void {
    if (this.#all.of(this.handle) === this) this.#all.free(placeOf(this.handle));
  }
}

export class PlainRequests {
  readonly #core: Core;
  /** Their handles end in the place of each. */
  readonly #waiting = new Places<Waiting>();
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
    const handle = nameAt(`${this.#newHandle()}-`, this.#waiting.take());
    transaction.user = new Waiting(transaction, handle, { tag, contact: call?.contact }, this.#waiting);
    if (!call) out.push({ do: 'request', transaction: handle, message, flow: transaction.flow });
    else if (message.method === 'OPTIONS') this.reply(handle, 200, {}, now, out);
    else if (call.silent) this.reply(handle, 481, {}, now, out);
    else out.push({ do: 'in-dialog', call: call.handle, transaction: handle, message });
  }

  reply(handle: TransactionHandle, status: number, options: ReplyOptions, now: number, out: EndpointOutput[]): void {
    const waiting = this.#waiting.of(handle);
    const request = waiting?.transaction.request;
    if (waiting?.handle !== handle || !request) return;
    const { transaction } = waiting;
    // Whoever is told 408 has given up by itself meanwhile, and a response between is no news of a request like this (RFC 4320 section 4).
    if (status === 408 || (status > 100 && status < 200)) return;
    const { reason, tag = waiting.tag } = options;
    const [allowed] = this.#core.capabilities;
    const response = status > 100 ? tagged(request, status, tag, [], reason) : newResponse(request, status, reason);
    const named = status >= 200 && status < 300 && ANSWERED_BY_NAME.has(request.method) ? waiting.contact : undefined;
    const contact = options.contact ?? named;
    if (contact !== undefined) response.add('Contact', contactValue(contact, transaction.flow));
    if (request.method === 'OPTIONS' && status === 200) this.#describe(response, options, transaction.flow);
    if (status === 405 && allowed !== undefined) response.fields.push(allowed);
    for (const [name, value] of options.headers ?? []) response.add(name, value);
    if (options.body !== undefined) {
      response.body = options.body;
      response.set('Content-Type', options.contentType ?? 'text/plain');
    }
    if (status >= 200) waiting.drop();
    this.#core.transactions.reply(transaction, response, now, out);
  }

  /** Section 11.2. By datagram the shorter form: absent, the two mean the same, and strangers are not sent much more than they send. */
  #describe(response: SipMessage, options: ReplyOptions, flow: Flow): void {
    const given = new Set(options.headers?.map(([name]) => name.toLowerCase()));
    const more = isReliable(flow) ? [ACCEPT_ENCODING, ACCEPT_LANGUAGE] : [];
    for (const field of [...this.#core.capabilities, ACCEPT, ...more])
      if (!given.has(field.name.toLowerCase())) response.fields.push(field);
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
    const { tokens, supported } = this.#core;
    if (message.header('Supported') === undefined) for (const [name, value] of supported) message.add(name, value);
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
    const headers: HeaderLine[] = [...this.#core.supported, ...(options.headers ?? [])];
    const contact = options.contact ?? (NAMES_ITSELF.has(method) ? call.contact : undefined);
    if (contact !== undefined) headers.push(['Contact', contactValue(contact, call.flow, call.dialog.secure)]);
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
      if (this.#call?.dialog) renumber(this.#call.dialog, again);
      this.#core.transactions.start(again, transaction.flow, this, now, out);
      return;
    }
    out.push({ do: 'response', transaction: this.#handle, message });
    if (message.status === 481 || message.status === 408) this.#lost(transaction, now, out);
  }

  /** The other side does not know the dialog, or is silent: it ends (RFC 3261 section 12.2.1.2). */
  #lost({ method }: ClientTransaction, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    if (call?.at !== 'confirmed' || OF_NO_CALL.has(method)) return;
    ended(call, 'timeout', out);
    byeAndForget(call, now, out);
  }

  #retry(transaction: ClientTransaction, message: SipMessage): SipMessage | undefined {
    if (this.#challenged > 0 && !(this.#challenged === 1 && isStale(message))) return undefined;
    return retryWithCredentials(this.#core, transaction.request, message, this.#credentials);
  }

  onFailure(transaction: ClientTransaction, why: Failure, now: number, out: EndpointOutput[]): void {
    out.push({ do: 'no-response', transaction: this.#handle, why });
    if (why === 'timeout') this.#lost(transaction, now, out);
  }
}
