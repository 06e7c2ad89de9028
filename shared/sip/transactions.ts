/** The transaction layer: RFC 3261 section 17 with RFC 6026, matching by section 17.1.3 and 17.2.3. */
import { Roster } from '../kernel/roster.ts';
import { ackFailure, viaValue } from './build.ts';
import { Deadlines } from './deadlines.ts';
import type { SipMessage } from './message.ts';
import type { Tokens } from './tokens.ts';
import {
  ClientTransaction,
  type ClientUser,
  type Holder,
  type ServerKeys,
  type ServerPlace,
  ServerTransaction,
} from './transaction.ts';
import type { EndpointOutput, Flow } from './types.ts';
import { isReliable } from './types.ts';
import { write } from './write.ts';

const COOKIE = 'z9hG4bK';

/** Anything that breaks with its flow. */
export interface OnFlow {
  broken(now: number, out: EndpointOutput[]): void;
}

export class Transactions implements Holder {
  readonly deadlines = new Deadlines();
  readonly #tokens: Tokens;
  readonly #clients = new Roster<string, ClientTransaction>();
  readonly #servers = new Roster<string, ServerTransaction>();
  readonly #merged = new Roster<string, ServerTransaction>();
  /** What hangs on each connection; UDP has no connection that could close. */
  readonly #byFlow = new Map<string, Set<OnFlow>>();

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
  }

  get count(): number {
    return this.#clients.size + this.#servers.size;
  }

  /** Puts a Via on `request` and sends it. */
  start(request: SipMessage, flow: Flow, user: ClientUser, now: number, out: EndpointOutput[]): ClientTransaction {
    const branch = `${COOKIE}${this.#tokens.next(10)}`;
    request.prepend('Via', viaValue(flow, branch));
    return this.#begin(`${branch}|${request.method}`, request, flow, user, now, out);
  }

  /** Sends a CANCEL, which carries the branch of its INVITE. */
  startCancel(cancel: SipMessage, flow: Flow, user: ClientUser, now: number, out: EndpointOutput[]): ClientTransaction {
    const branch = cancel.topVia?.params.get('branch') ?? '';
    return this.#begin(`${branch}|CANCEL`, cancel, flow, user, now, out);
  }

  /** Sends a request that has no transaction, the ACK for a 2xx (section 13.2.2.4), and gives its wire form. */
  sendAck(ack: SipMessage, flow: Flow, out: EndpointOutput[]): string {
    ack.prepend('Via', viaValue(flow, `${COOKIE}${this.#tokens.next(10)}`));
    const text = write(ack);
    out.push({ do: 'send', flow, message: ack, text });
    return text;
  }

  #begin(
    key: string,
    request: SipMessage,
    flow: Flow,
    user: ClientUser,
    now: number,
    out: EndpointOutput[],
  ): ClientTransaction {
    const transaction = new ClientTransaction(key, request, flow, user, this);
    this.#clients.set(key, transaction);
    this.hang(flow, transaction);
    transaction.start(now, out);
    this.deadlines.plan(transaction);
    return transaction;
  }

  /** Gives a response to its transaction; one without (false) is dropped (section 18.1.2 leaves it to the element, RFC 6026 says drop). */
  response(message: SipMessage, now: number, out: EndpointOutput[]): boolean {
    const branch = message.topVia?.params.get('branch');
    // With a further Via it is another element's (section 8.1.3.3).
    if (branch === undefined || message.headerAll('Via').length > 1) return false;
    const transaction = this.#clients.get(`${branch}|${message.cseq.method}`);
    if (!transaction) return false;
    transaction.respond(message, now, out);
    this.deadlines.plan(transaction);
    return true;
  }

  /** The server transaction of that key, see `serverKey`. */
  find(key: string): ServerTransaction | undefined {
    return this.#servers.get(key);
  }

  /** The pending INVITE that a CANCEL means (section 9.2). */
  cancelled(cancel: SipMessage): ServerTransaction | undefined {
    return this.#servers.get(serverKey(cancel, 'INVITE'));
  }

  /** True where the same request outside a dialog is being served already, having come another way (section 8.2.2.2). */
  isMerged(mergeKey: string): boolean {
    return this.#merged.has(mergeKey);
  }

  /** A new server transaction with its `serverKey`, and outside a dialog its `mergeKeyOf`; its user is to be set by the caller. */
  open(request: SipMessage, keys: ServerKeys, place: ServerPlace, now: number): ServerTransaction {
    const { key, mergeKey } = keys;
    const transaction = new ServerTransaction(keys, request, place, this, now);
    this.#servers.set(key, transaction);
    if (mergeKey !== undefined) this.#merged.set(mergeKey, transaction);
    this.hang(place.flow, transaction);
    this.deadlines.plan(transaction);
    return transaction;
  }

  /** Steps a server transaction and keeps its deadline in view. */
  reply(transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    transaction.reply(message, now, out);
    this.deadlines.plan(transaction);
  }

  ack(transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    transaction.ack(message, now, out);
    this.deadlines.plan(transaction);
  }

  forgetClient(transaction: ClientTransaction): void {
    this.#clients.delete(transaction.key);
    this.deadlines.plan(transaction);
    this.unhang(transaction.flow, transaction);
  }

  forgetServer(transaction: ServerTransaction): void {
    this.#servers.delete(transaction.key);
    this.deadlines.plan(transaction);
    const { mergeKey } = transaction;
    if (mergeKey !== undefined && this.#merged.get(mergeKey) === transaction) this.#merged.delete(mergeKey);
    this.unhang(transaction.flow, transaction);
  }

  acknowledge(request: SipMessage, response: SipMessage): SipMessage {
    return ackFailure(request, response);
  }

  /** Lets `item` know when `flow` closes. */
  hang(flow: Flow, item: OnFlow): void {
    if (!isReliable(flow)) return;
    const set = this.#byFlow.get(flow.id);
    if (set) set.add(item);
    else this.#byFlow.set(flow.id, new Set([item]));
  }

  unhang(flow: Flow, item: OnFlow): void {
    const set = this.#byFlow.get(flow.id);
    if (set?.delete(item) && set.size === 0) this.#byFlow.delete(flow.id);
  }

  flowClosed(flow: Flow, now: number, out: EndpointOutput[]): void {
    const set = this.#byFlow.get(flow.id);
    if (!set) return;
    this.#byFlow.delete(flow.id);
    for (const item of set) item.broken(now, out);
  }
}

/**
 * Names the server transaction that a request belongs to: branch, sent-by and method (section 17.2.3; for ACK the method is its
 * INVITE's); without the cookie of RFC 3261 what RFC 2543 compared.
 */
export function serverKey(request: SipMessage, method: string): string {
  const via = request.topVia;
  const branch = via?.params.get('branch') ?? '';
  if (via && branch.startsWith(COOKIE)) return `${branch}|${via.host}:${via.port ?? ''}|${method}`;
  const { n } = request.cseq;
  const from = request.fromTag ?? '';
  return `2543|${request.callId}|${n}|${from}|${request.uri}|${request.headerAll('Via')[0] ?? ''}|${method}`;
}

/** What the copies of one request outside a dialog share, whatever way they come (section 8.2.2.2). */
export function mergeKeyOf(request: SipMessage): string {
  return `${request.cseq.n}|${request.fromTag ?? ''}|${request.callId}|${request.method}`;
}
