/** The transaction layer: RFC 3261 section 17 with RFC 6026, matching by section 17.1.3 and 17.2.3. */
import { NEVER } from '../kernel/machine.ts';
import { Roster } from '../kernel/roster.ts';
import { AnsweredInvite } from './answered-invite.ts';
import { ackFailure, viaValue } from './build.ts';
import { Deadlines } from './deadlines.ts';
import type { SipMessage } from './message.ts';
import { own } from './params.ts';
import { nameAt, Places } from './places.ts';
import { type Name, Settled } from './settled.ts';
import { TRY_TIME } from './timers.ts';
import type { Tokens } from './tokens.ts';
import {
  ClientTransaction,
  type ClientUser,
  type Holder,
  type SameCall,
  type ServerPlace,
  ServerTransaction,
  sendAgain,
} from './transaction.ts';
import type { EndpointOutput, Flow } from './types.ts';
import { isReliable } from './types.ts';
import { write } from './write.ts';

const COOKIE = 'z9hG4bK';
/** Server transactions of one Call-ID that are gone through one by one; further ones are found by a table of their own. */
export const SAME_CALL = 8;

/** Anything that breaks with its flow. */
export interface OnFlow {
  broken(now: number, out: EndpointOutput[]): void;
}

export class Transactions implements Holder {
  readonly deadlines = new Deadlines();
  readonly #tokens: Tokens;
  /** A CANCEL hangs on its INVITE, whose branch it has. */
  readonly #clients = new Places<ClientTransaction | AnsweredInvite>();
  /** INVITEs that another process sent, by the branch that it made. */
  readonly #resumed = new Roster<string, ClientTransaction>();
  /** Those that were answered, in the order of their ends. */
  #answered: { first: AnsweredInvite | undefined; last: AnsweredInvite | undefined; count: number } = {
    ...{ first: undefined, last: undefined, count: 0 },
  };
  /** Server transactions that only wait for copies; what copies along another way are known by. */
  readonly #settled: Settled;
  readonly #begun: Settled;
  readonly #servers = new Map<string, SameCall>();
  /** The Call-ID that was looked for last, and what there was. */
  #asked = '';
  #answer: SameCall | undefined;
  /** By all that names them: those without the cookie of RFC 3261, and those of a Call-ID that has too many. */
  readonly #others = new Roster<string, ServerTransaction>();
  /** What is merged with one of these. */
  readonly #merged = new Roster<string, ServerTransaction>();
  #count = 0;
  /** What hangs on each connection; UDP has no connection that could close. */
  readonly #byFlow = new Map<string, Set<OnFlow>>();

  constructor(tokens: Tokens) {
    this.#tokens = tokens;
    this.#settled = new Settled(() => tokens.secret());
    this.#begun = new Settled(() => tokens.secret());
  }

  get count(): number {
    return this.#count + this.#answered.count + this.#settled.size;
  }

  /** When something is to be done next; NEVER where nothing waits. */
  due(): number {
    const { first } = this.#answered;
    return Math.min(this.deadlines.next(), first?.endAt ?? NEVER, this.#settled.next() ?? NEVER);
  }

  /** Ticks what is due, and forgets what is over. */
  run(now: number, out: EndpointOutput[]): void {
    this.deadlines.run(now, out);
    this.#settled.run(now);
    this.#begun.run(now);
    const answered = this.#answered;
    for (let { first } = answered; first !== undefined && first.endAt <= now; { first } = answered) {
      answered.first = first.next;
      // What is over must not lead to what is not.
      first.next = undefined;
      answered.count--;
      this.#clients.free(first.place);
    }
    if (answered.first === undefined) answered.last = undefined;
  }

  /** Puts a Via on `request` and sends it. */
  start(request: SipMessage, flow: Flow, user: ClientUser, now: number, out: EndpointOutput[]): ClientTransaction {
    const place = this.#clients.take();
    const branch = nameAt(`${COOKIE}${this.#tokens.next(10)}`, place);
    request.pushVia(viaValue(flow, branch));
    const transaction = new ClientTransaction({ branch, place }, request, flow, user, this);
    this.#clients.put(place, transaction);
    return this.#begin(transaction, now, out);
  }

  /** Goes on with an INVITE of another process, which got a provisional response there. */
  resume(request: SipMessage, flow: Flow, user: ClientUser, now: number): ClientTransaction {
    const branch = own(request.topVia?.branch ?? '');
    const transaction = new ClientTransaction({ branch, place: RESUMED }, request, flow, user, this);
    this.#resumed.set(branch, transaction);
    transaction.resume(now);
    this.#count++;
    this.hang(flow, transaction);
    this.deadlines.plan(transaction);
    return transaction;
  }

  /** Sends the CANCEL of an INVITE, whose branch it carries. */
  startCancel(
    invite: ClientTransaction,
    cancel: SipMessage,
    user: ClientUser,
    now: number,
    out: EndpointOutput[],
  ): ClientTransaction {
    invite.cancel = new ClientTransaction(invite.named, cancel, invite.flow, user, this);
    return this.#begin(invite.cancel, now, out);
  }

  /** Sends a request that has no transaction, the ACK for a 2xx (section 13.2.2.4), and gives its wire form. */
  sendAck(ack: SipMessage, flow: Flow, out: EndpointOutput[]): string {
    ack.pushVia(viaValue(flow, `${COOKIE}${this.#tokens.next(10)}`));
    const text = write(ack);
    out.push({ do: 'send', flow, message: ack, text });
    return text;
  }

  #begin(transaction: ClientTransaction, now: number, out: EndpointOutput[]): ClientTransaction {
    this.#count++;
    this.hang(transaction.flow, transaction);
    transaction.start(now, out);
    this.deadlines.plan(transaction);
    return transaction;
  }

  /** Gives a response to its transaction; one without (false) is dropped (section 18.1.2 leaves it to the element, RFC 6026 says drop). */
  response(message: SipMessage, now: number, out: EndpointOutput[]): boolean {
    const branch = message.topVia?.branch;
    // With a further Via it is another element's (section 8.1.3.3).
    if (branch === undefined || message.hasFurtherVia) return false;
    const resumed = this.#resumed.size === 0 ? undefined : this.#resumed.get(branch);
    const first = resumed ?? this.#clients.of(branch);
    if (first instanceof AnsweredInvite) return first.branch === branch && late(first, message, now, out);
    if (first === undefined || first.named.branch !== branch) return false;
    const transaction = first.method === message.method ? first : first.cancel;
    if (transaction === undefined || transaction.gone || transaction.method !== message.method) return false;
    transaction.respond(message, now, out);
    if (transaction !== first || !this.lessen(transaction, now)) this.deadlines.plan(transaction);
    return true;
  }

  /** Lets go of a transaction that waits for no more than copies of its response; false where it may not. */
  lessen(transaction: ClientTransaction, now: number): boolean {
    const { flow, user, named, cancel } = transaction;
    if (!transaction.completed || transaction.gone || cancel !== undefined || isReliable(flow)) return false;
    if (named.place === RESUMED) return false;
    const left = transaction.method === 'INVITE' ? user.answered?.() : undefined;
    if (transaction.method === 'INVITE' && left === undefined) return false;
    transaction.gone = true;
    this.#count--;
    this.deadlines.forget(transaction);
    // A response without its transaction is dropped, which is all that timer K waits for.
    if (left === undefined) {
      this.#clients.free(named.place);
      return true;
    }
    const answered = new AnsweredInvite(named.branch, left.flow, left.acked, left.user, now + TRY_TIME);
    this.#clients.put(named.place, answered);
    if (this.#answered.last === undefined) this.#answered.first = answered;
    else this.#answered.last.next = answered;
    this.#answered.last = answered;
    this.#answered.count++;
    return true;
  }

  /** The server transaction that a request, or the ACK or CANCEL of one, belongs to (section 17.2.3); `method` is the transaction's. */
  find(request: SipMessage, method: string): ServerTransaction | undefined {
    const via = request.topVia;
    if (via?.branch?.startsWith(COOKIE)) {
      const { branch, host, port } = via;
      for (let one = this.#ofCall(request.callId)?.first; one !== undefined; one = one.next)
        if (one.method === method && one.branch === branch && one.host === host && one.port === port) return one;
    }
    return this.#others.size === 0 ? undefined : this.#others.get(serverKey(request, method));
  }

  /** True where some request of that branch is being served: what a CANCEL may mean, whatever its method (section 9.2). */
  serves(cancel: SipMessage): boolean {
    const { branch = '', host, port } = cancel.topVia ?? NO_VIA;
    for (let one = this.#ofCall(cancel.callId)?.first; one !== undefined; one = one.next)
      if (one.method !== 'CANCEL' && one.branch === branch && one.host === host && one.port === port) return true;
    return false;
  }

  /** True where it belongs to a server transaction that only waits for copies: a copy of the request gets its answer again. */
  isSettled(request: SipMessage, method: string, octets: number, now: number, out: EndpointOutput[]): boolean {
    this.#settled.run(now);
    const { branch = '', host, port = -1 } = request.topVia ?? NO_VIA;
    const found = this.#settled.find([request.callId, branch, host, method, port]);
    if (found === undefined) return false;
    const answer = request.method === method ? this.#settled.answerOf(found) : undefined;
    if (answer !== undefined && isCopy(octets, this.#settled.octetsOf(found))) sendAgain(answer.flow, answer.text, out);
    return true;
  }

  /** True where the same request outside a dialog is being served already, having come another way (section 8.2.2.2). */
  isMerged(request: SipMessage, now: number): boolean {
    const { callId, method, cseq, fromTag } = request;
    for (let one = this.#ofCall(callId)?.first; one !== undefined; one = one.next)
      if (one.begins && one.seq === cseq.n && one.method === method && one.fromTag === fromTag) return true;
    this.#begun.run(now);
    if (this.#begun.find(begunName(callId, fromTag, method, cseq.n)) !== undefined) return true;
    return this.#merged.size > 0 && this.#merged.has(mergeKeyOf(request));
  }

  #ofCall(callId: string): SameCall | undefined {
    if (this.#asked !== callId) {
      this.#answer = this.#servers.get(callId);
      this.#asked = callId;
    }
    return this.#answer;
  }

  /** A new server transaction; its user is to be set by the caller. `begins`: outside a dialog. */
  open(request: SipMessage, begins: boolean, place: ServerPlace, now: number): ServerTransaction {
    const transaction = new ServerTransaction(request, begins, place, this, now);
    const same = this.#ofCall(request.callId);
    if (transaction.branch.startsWith(COOKIE) && (same?.count ?? 0) < SAME_CALL) this.#join(same, transaction, request);
    else this.#keepApart(transaction, request);
    this.#count++;
    this.hang(place.flow, transaction);
    this.deadlines.plan(transaction);
    return transaction;
  }

  #join(known: SameCall | undefined, transaction: ServerTransaction, request: SipMessage): void {
    const same: SameCall = known ?? { callId: own(request.callId), first: undefined, count: 0 };
    if (known === undefined) {
      this.#servers.set(same.callId, same);
      this.#asked = same.callId;
      this.#answer = same;
    }
    transaction.same = same;
    transaction.next = same.first;
    same.first = transaction;
    same.count++;
  }

  #keepApart(transaction: ServerTransaction, request: SipMessage): void {
    const key = serverKey(request, request.method);
    const mergeKey = transaction.begins ? mergeKeyOf(request) : undefined;
    transaction.apart = { key, mergeKey };
    this.#others.set(key, transaction);
    if (mergeKey !== undefined) this.#merged.set(mergeKey, transaction);
  }

  /** Steps a server transaction and keeps its deadline in view. */
  reply(transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    transaction.reply(message, now, out);
    if (!this.settle(transaction, now)) this.deadlines.plan(transaction);
  }

  /** Makes a number of a server transaction that waits for no more than copies of its request; false where it may not. */
  settle(transaction: ServerTransaction, now: number): boolean {
    const { completed, gone, same, flow, method, begins, branch, host, port, fromTag, seq, answer } = transaction;
    if (!completed || gone || same === undefined || isReliable(flow)) return false;
    const { callId } = same;
    const endAt = now + TRY_TIME;
    if (begins && !this.#begun.keep(begunName(callId, fromTag, method, seq), 0, undefined, endAt)) return false;
    if (!this.#settled.keep([callId, branch, host, method, port ?? -1], transaction.size, answer, endAt)) return false;
    this.#forgotten(transaction);
    this.#leave(same, transaction);
    return true;
  }

  #forgotten(transaction: ServerTransaction): void {
    transaction.gone = true;
    this.#count--;
    this.deadlines.forget(transaction);
    this.unhang(transaction.flow, transaction);
  }

  ack(transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    transaction.ack(message, now, out);
    this.deadlines.plan(transaction);
  }

  forgetClient(transaction: ClientTransaction): void {
    if (transaction.gone) return;
    transaction.gone = true;
    this.#count--;
    this.deadlines.plan(transaction);
    this.unhang(transaction.flow, transaction);
    const { place, branch } = transaction.named;
    const first = place === RESUMED ? this.#resumed.get(branch) : this.#clients.at(place);
    if (!(first instanceof ClientTransaction) || !first.gone || first.cancel?.gone === false) return;
    if (place === RESUMED) this.#resumed.delete(branch);
    else this.#clients.free(place);
  }

  forgetServer(transaction: ServerTransaction): void {
    if (transaction.gone) return;
    this.#forgotten(transaction);
    const { same, apart } = transaction;
    if (same !== undefined) this.#leave(same, transaction);
    if (apart === undefined) return;
    this.#others.delete(apart.key);
    const { mergeKey } = apart;
    if (mergeKey !== undefined && this.#merged.get(mergeKey) === transaction) this.#merged.delete(mergeKey);
  }

  #leave(same: SameCall, transaction: ServerTransaction): void {
    same.count--;
    if (same.first === transaction) same.first = transaction.next;
    for (let one = same.first; one !== undefined; one = one.next)
      if (one.next === transaction) one.next = transaction.next;
    transaction.next = undefined;
    if (same.count > 0) return;
    this.#servers.delete(same.callId);
    if (this.#asked === same.callId) this.#answer = undefined;
  }

  /** One that was adrift has another connection. */
  moveTo(transaction: ServerTransaction, flow: Flow): void {
    transaction.moveTo(flow);
    this.hang(flow, transaction);
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

/** The place of what lies at none: another process gave it its branch. */
const RESUMED = -1;
const NO_VIA = { branch: '', host: '', port: -1 };

/** A copy is as long as its request: what is much shorter wants our answer sent at the price of a few octets. */
export const isCopy = (octets: number, size: number): boolean => octets * 2 >= size;

/** A 2xx of an INVITE that was answered; any other response changes nothing. */
function late(invite: AnsweredInvite, message: SipMessage, now: number, out: EndpointOutput[]): boolean {
  if (message.method === 'INVITE' && message.status >= 200 && message.status < 300) invite.respond(message, now, out);
  return true;
}

/** What the copies of a request outside a dialog share, whatever way they come (section 8.2.2.2). */
const begunName = (callId: string, fromTag: string | undefined, method: string, seq: number): Name => [
  ...([callId, fromTag ?? '', fromTag === undefined ? '-' : '', method] as const),
  seq,
];

/**
 * Names the server transaction that a request belongs to: branch, sent-by and method (section 17.2.3; for ACK the method is its
 * INVITE's); without the cookie of RFC 3261 what RFC 2543 compared.
 */
function serverKey(request: SipMessage, method: string): string {
  const via = request.topVia;
  const branch = via?.branch ?? '';
  if (via && branch.startsWith(COOKIE)) return `${branch}|${via.host}:${via.port ?? ''}|${method}`;
  const { n } = request.cseq;
  const from = request.fromTag ?? '';
  // Of the Via what nobody stamps.
  const sender = `${via?.transport ?? ''} ${via?.host ?? ''}:${via?.port ?? ''} ${branch}`;
  return `2543|${request.callId}|${n}|${from}|${request.uri}|${sender}|${method}`;
}

/** What the copies of one request outside a dialog share, whatever way they come (section 8.2.2.2). */
const mergeKeyOf = (request: SipMessage): string =>
  `${request.cseq.n}|${request.fromTag ?? ''}|${request.callId}|${request.method}`;
