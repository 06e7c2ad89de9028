/** One INVITE dialog usage as this end sees it: plain state; what happens to it is in the `call-*.ts` files. */
import { NEVER } from '../kernel/machine.ts';
import { Roster } from '../kernel/roster.ts';
import type { HeaderLine } from './build.ts';
import type { Abilities, Refusal } from './checks.ts';
import type { Timed } from './deadlines.ts';
import type { Dialog } from './dialog.ts';
import type { DigestHash } from './digest.ts';
import type { Field } from './fields.ts';
import type { SipMessage } from './message.ts';
import { type Follows, nextHop } from './next-hop.ts';
import { nameAt, Places, placeOf } from './places.ts';
import type { Tokens } from './tokens.ts';
import type { ClientTransaction, Failure, ServerTransaction, ServerUser } from './transaction.ts';
import type { OnFlow, Transactions } from './transactions.ts';
import type { CallHandle, Credentials, EndpointOutput, Flow, SessionTimer } from './types.ts';

/** How much one endpoint holds at once; what comes beyond it from outside gets 503. */
export interface EndpointLimits {
  readonly calls: number;
  readonly transactions: number;
}

/** What all calls of an endpoint share. */
export interface Core {
  readonly transactions: Transactions;
  readonly tokens: Tokens;
  readonly abilities: Abilities;
  /** See `EndpointOptions`. */
  readonly screen: ((message: SipMessage, flow: Flow) => Refusal | undefined) | undefined;
  readonly quiet: ((message: SipMessage, flow: Flow) => boolean) | undefined;
  readonly stray: ((message: SipMessage, flow: Flow, text: string) => boolean) | undefined;
  readonly elsewhere: ((message: SipMessage, flow: Flow, text: string) => boolean) | undefined;
  readonly forgotten: ((flow: Flow) => boolean) | undefined;
  readonly follows: Follows | undefined;
  readonly regains: ((flow: Flow) => boolean) | undefined;
  readonly limits: EndpointLimits;
  /** Allow and Supported, on messages that make or refresh a dialog. */
  readonly capabilities: readonly Field[];
  /** The same of who sends and acknowledges no reliable provisional responses (RFC 3262). */
  readonly plain: readonly Field[];
  /** Supported, on every other request but ACK (RFC 4028 section 7.1). */
  readonly supported: readonly HeaderLine[];
  readonly hash: DigestHash;
  /** Seconds between refreshes of a call (RFC 4028); undefined: no session timers. */
  readonly sessionExpires: number | undefined;
  /** Reliable provisional responses are sent and acknowledged (RFC 3262). */
  readonly reliable: boolean;
  readonly calls: Calls;
  readonly hooks: CallHooks;
}

/** The calls of an endpoint, by handle and by our tag, which is random and ours alone. */
export class Calls {
  readonly #places = new Places<Call>();
  /** By their tags, which another endpoint made: those that were restored. */
  readonly #restored = new Roster<string, Call>();
  #made = 0;

  get size(): number {
    return this.#places.size;
  }

  /** Takes a place for one more. */
  newHandle(): CallHandle {
    return nameAt(`c${++this.#made}-`, this.#places.take());
  }

  add(call: Call): void {
    this.#places.put(call.place, call);
    if (placeOf(call.localTag) !== call.place) this.#restored.set(call.localTag, call);
  }

  get(handle: CallHandle): Call | undefined {
    const call = this.#places.of(handle);
    return call?.handle === handle ? call : undefined;
  }

  ofTag(tag: string): Call | undefined {
    const call = this.#places.of(tag);
    if (call?.localTag === tag) return call;
    return this.#restored.size === 0 ? undefined : this.#restored.get(tag);
  }

  delete(call: Call): void {
    if (this.#places.at(call.place) !== call) return;
    this.#places.free(call.place);
    if (this.#restored.size > 0 && this.#restored.get(call.localTag) === call) this.#restored.delete(call.localTag);
  }
}

/** A provisional response that waits for its PRACK (RFC 3262). */
export interface Unpracked {
  readonly rseq: number;
  readonly seq: number;
  readonly response: SipMessage;
  /** Our offer stands in it, and its PRACK brings the answer (section 5). */
  readonly offers: boolean;
  resendAt: number;
  gap: number;
  readonly endAt: number;
}

/** What an incoming call knows of its reliable responses. */
export interface ReliableState {
  rseq: number;
  unpracked: Unpracked | undefined;
  /** Sent once the PRACK of the one before has come: the next response, or the final one. */
  readonly waiting: ((now: number, out: EndpointOutput[]) => void)[];
}

/** The session of an early dialog whose first offer was answered by a reliable provisional response, or by its PRACK (RFC 3262 section 5). */
export interface EarlySession {
  /** The other end's tag: of several forks the one that answered first. */
  readonly tag: string;
  /** The other end knows UPDATE. */
  readonly takesUpdate: boolean;
  /** A later response to the INVITE has nothing to say of it, or what it says is old: the answer came by PRACK, or an offer changed it. */
  changed: boolean;
  /** The other side's UPDATE or PRACK with an offer, and our UPDATE, without a final response. */
  server: ServerTransaction | undefined;
  client: ClientTransaction | undefined;
}

/** How a call's deadlines and transactions reach the code that knows what to do. */
export interface CallHooks {
  tick(call: Call, now: number, out: EndpointOutput[]): void;
  broken(call: Call, now: number, out: EndpointOutput[]): void;
  acked(call: Call, message: SipMessage, now: number, out: EndpointOutput[]): void;
  serverFailed(call: Call, transaction: ServerTransaction, why: Failure, now: number, out: EndpointOutput[]): void;
}

/**
 * `calling`: our INVITE has no answer at all yet. `ringing`: provisional, either way. `answered`: 2xx sent and ACK awaited, or 2xx
 * with an offer received and our answer awaited. `confirmed`: ACK sent or received. `over`: forgotten by the endpoint.
 */
export type CallPhase = 'calling' | 'ringing' | 'answered' | 'confirmed' | 'over';

/** A 2xx that is repeated until its ACK (RFC 3261 section 13.3.1.4). */
export interface Unacked {
  readonly response: SipMessage;
  readonly transaction: ServerTransaction;
  readonly seq: number;
  /** The ACK carries the answer to the offer in our 2xx. */
  readonly late: boolean;
  readonly initial: boolean;
  /** An earlier process sent it too: its ACK may have come there. */
  readonly again?: true;
  resendAt: number;
  gap: number;
  readonly endAt: number;
}

/** Our wish to change the session: sent, or waiting for its turn. */
export interface Reoffer {
  /** Empty: the other side is asked for an offer. */
  sdp: string;
  /** 491 answers so far. */
  glares: number;
  /** A newer wish that came while this one was in flight; it goes next. */
  next: string | undefined;
  /** Not a wish of the user: it keeps the session alive (RFC 4028). */
  refreshes: boolean;
}

export class Call implements Timed, OnFlow, ServerUser {
  planned: Timed['planned'];
  at: CallPhase;
  flow: Flow;
  /** URI of our Contact. */
  contact: string;
  /** In the early phase of an outgoing call the dialog of the last provisional response. */
  dialog: Dialog | undefined;
  /** Early dialogs of other forks. */
  forks: Dialog[] | undefined;
  /** The user hung up and hears no more of this call. */
  silent = false;
  /** Reason headers for the BYE or CANCEL that is still to be sent after hangup. */
  farewell: readonly HeaderLine[] = [];
  credentials: Credentials | undefined;
  /** Our INVITE or re-INVITE without a final response. */
  client: ClientTransaction | undefined;
  /** The other side's INVITE, or UPDATE with an offer, without a final response. */
  server: ServerTransaction | undefined;
  /** The INVITE in `server` came without an offer. */
  asked = false;
  unacked: Unacked | undefined;
  /** Refuses the INVITE, which waits for a connection. */
  parting: ((now: number, out: EndpointOutput[]) => void) | undefined;
  /** Sends the ACK of an outgoing call whose 2xx brought the offer. */
  owedAck: ((sdp: string | undefined, now: number, out: EndpointOutput[]) => void) | undefined;
  /** Number of our INVITE that was `held`, and whose mere ACK it owes. */
  held: number | undefined;
  /** Restored: the ACK of its INVITE of that number may be missing. */
  mayOwe: { readonly seq: number; readonly until: number } | undefined;
  reoffer: Reoffer | undefined;
  /** Deadlines: retry after 491, give up ringing or a re-INVITE of ours, repeat a provisional response, answer an offer, find a new flow. */
  retryAt = NEVER;
  ringBy = NEVER;
  repeatAt = NEVER;
  offerBy = NEVER;
  flowBy = NEVER;
  /** Session timer: refresh, and end without a refresh. */
  refreshAt = NEVER;
  expireAt = NEVER;
  session: SessionTimer | undefined;
  /** The least interval that the other side has asked for (Min-SE of a 422, or of a request that refreshes), seconds. */
  least: number | undefined;
  /** Our last description, to refresh with. */
  described: string | undefined;
  rel: ReliableState | undefined;
  /** Sends the PRACK of a reliable response that brought the offer for which our INVITE asked. */
  owedPrack: ((sdp: string, now: number, out: EndpointOutput[]) => void) | undefined;
  early: EarlySession | undefined;
  readonly handle: CallHandle;
  /** Where it lies among the calls of its endpoint; handle and tag end in it. */
  readonly place: number;
  readonly outgoing: boolean;
  readonly callId: string;
  readonly localTag: string;
  readonly core: Core;

  constructor(core: Core, start: CallStart) {
    this.core = core;
    this.handle = start.handle;
    this.outgoing = start.outgoing;
    this.at = start.at;
    this.flow = start.flow;
    this.contact = start.contact;
    this.callId = start.callId;
    this.localTag = start.localTag;
    this.place = placeOf(this.handle);
    core.calls.add(this);
    core.transactions.hang(this.flow, this);
  }

  due(): number {
    if (this.at === 'over') return NEVER;
    const resendAt = this.unacked?.resendAt ?? NEVER;
    const endAt = this.unacked?.endAt ?? NEVER;
    const { retryAt, ringBy, repeatAt, offerBy, flowBy, refreshAt, expireAt } = this;
    const prackAt = this.#prackAt();
    return Math.min(resendAt, endAt, retryAt, ringBy, repeatAt, offerBy, flowBy, refreshAt, expireAt, prackAt);
  }

  /** When a reliable response is to be repeated or given up, or what waited for its PRACK may go. */
  #prackAt(): number {
    const { rel } = this;
    if (rel === undefined) return NEVER;
    if (rel.unpracked !== undefined) return Math.min(rel.unpracked.resendAt, rel.unpracked.endAt);
    return rel.waiting.length > 0 && this.early?.server === undefined ? 0 : NEVER;
  }

  tick(now: number, out: EndpointOutput[]): void {
    this.core.hooks.tick(this, now, out);
  }

  /** Keeps this call's deadline in view; to be called after a change. */
  plan(): void {
    this.core.transactions.deadlines.plan(this);
  }

  broken(now: number, out: EndpointOutput[]): void {
    this.core.hooks.broken(this, now, out);
  }

  onAck(_transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    this.core.hooks.acked(this, message, now, out);
  }

  /** Its INVITE is without a final response, or its 2xx without ACK, on a connection that is replaced when it closes. */
  waits(transaction: ServerTransaction): boolean {
    if (this.outgoing || this.at === 'over' || this.core.regains?.(transaction.flow) !== true) return false;
    return this.unacked?.transaction === transaction || (this.at === 'ringing' && this.server === transaction);
  }

  /** Its INVITE waits for another connection. */
  get isAdrift(): boolean {
    return this.at === 'ringing' && this.server?.adrift === true;
  }

  onFailure(transaction: ServerTransaction, why: Failure, now: number, out: EndpointOutput[]): void {
    this.core.hooks.serverFailed(this, transaction, why, now, out);
  }

  /** From now on the endpoint knows nothing of this call; transactions that still run keep what they need, for a limited time. */
  forget(now: number): void {
    this.client?.cancelled(now);
    if (this.client) this.core.transactions.deadlines.plan(this.client);
    this.at = 'over';
    this.core.calls.delete(this);
    this.core.transactions.unhang(this.flow, this);
    this.unacked = undefined;
    this.owedAck = undefined;
    this.owedPrack = undefined;
    this.parting = undefined;
    this.reoffer = undefined;
    // Its transactions outlive it by half a minute, and what it knew holds the texts of whole messages.
    this.dialog = undefined;
    this.forks = undefined;
    this.described = undefined;
    this.session = undefined;
    this.early = undefined;
    this.plan();
  }

  moveTo(flow: Flow): void {
    this.core.transactions.unhang(this.flow, this);
    this.flow = flow;
    this.flowBy = NEVER;
    this.core.transactions.hang(flow, this);
    this.#sayAgain(flow);
  }

  /** What was said of its INVITE meanwhile, or just before, may be lost: it is said again at once, over the connection that there is now. */
  #sayAgain(flow: Flow): void {
    const { server, unacked, core } = this;
    if (server?.adrift) {
      core.transactions.moveTo(server, flow);
      this.repeatAt = 0;
    }
    if (unacked?.transaction.adrift) {
      core.transactions.moveTo(unacked.transaction, flow);
      unacked.resendAt = 0;
    }
    this.plan();
  }
}

/** The flow that requests of this dialog take, whose INVITE took that one. */
export const hopOf = ({ follows }: Core, dialog: Dialog, flow: Flow): Flow =>
  (follows && nextHop(dialog, flow, follows)) ?? flow;

/** From now on the call's requests go where its dialog leads. */
export function leadOn(call: Call, dialog: Dialog): void {
  const to = hopOf(call.core, dialog, call.flow);
  if (to !== call.flow) call.moveTo(to);
}

export interface CallStart {
  readonly handle: CallHandle;
  readonly outgoing: boolean;
  readonly at: CallPhase;
  readonly flow: Flow;
  readonly contact: string;
  readonly callId: string;
  readonly localTag: string;
}
