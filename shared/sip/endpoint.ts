/** The face of the SIP stack: sorts what comes in and carries out what its user decides. Pure; see `types.ts` for the contract. */
import type { Address, Random } from '../kernel/world.ts';
import { type HeaderLine, reasonHeader } from './build.ts';
import { Call, Calls, type Core, type EndpointLimits } from './call.ts';
import { callHooks } from './call-dialog.ts';
import { acceptEarly, offerEarly } from './call-early.ts';
import { hangup } from './call-end.ts';
import { rejectCall, senderKnown, sendOk, sendProgress } from './call-in.ts';
import { refuseOffer, wishOffer } from './call-offer.ts';
import { refuseLateOffer, startCall } from './call-out.ts';
import { acknowledgeAgain, answerAgain, owesAck, pendingOf, resumeCall } from './call-resume.ts';
import { runTimer } from './call-session.ts';
import type { Abilities, Refusal } from './checks.ts';
import { dialogFromSnapshot, dialogToSnapshot } from './dialog.ts';
import type { DigestHash } from './digest.ts';
import { steadyField } from './fields.ts';
import { Inbound } from './inbound.ts';
import type { SipMessage } from './message.ts';
import type { Follows } from './next-hop.ts';
import { PlainRequests } from './plain-requests.ts';
import { Tokens } from './tokens.ts';
import { Transactions } from './transactions.ts';
import type {
  CallHandle,
  CallSnapshot,
  Credentials,
  EndpointOutput,
  Flow,
  InviteOptions,
  PendingInvite,
  ReplyOptions,
  SipEndpoint,
  TransactionHandle,
} from './types.ts';

export interface EndpointOptions {
  readonly random: Random;
  /** Digest of a text, lower-case hex; for answers to challenges. */
  readonly hash: DigestHash;
  /** Methods served; default: all that the endpoint knows, REGISTER included. */
  readonly allow?: readonly string[];
  /** Option tags understood besides what the stack does by itself; default `join`, `replaces` and `norefersub`. */
  readonly supported?: readonly string[];
  /** For an element that sends calls on: refuses Max-Forwards 0 (RFC 7332 section 3). */
  readonly backToBack?: boolean;
  /** Session timers (RFC 4028): the interval that is asked for, seconds, at least 90. Default: none. */
  readonly sessionExpires?: number;
  /** Sends and acknowledges reliable provisional responses (RFC 3262). Default: no. */
  readonly reliable?: boolean;
  /**
   * Asked first about every request that begins something. What it refuses is answered as a stateless server does (RFC 3261 section
   * 8.2.7): nothing is kept, and a copy is refused anew. For challenges, whose requests mostly come back signed.
   */
  readonly screen?: (message: SipMessage, flow: Flow) => Refusal | undefined;
  /**
   * Asked about every INVITE that is taken: true where nobody has proved yet to be at the address that it seems to come from. Until
   * `known` no 100 goes there, and a refusal goes once (RFC 3261 section 26.3.2.4), so that no stranger is sent more than it sent.
   */
  readonly quiet?: (message: SipMessage, flow: Flow) => boolean;
  /** Stands before every tag, branch and Call-ID that it makes, so that another process knows whose they are. Default: nothing. */
  readonly mark?: string;
  /**
   * Asked about a response without its transaction, and a request or ACK inside a dialog that nobody here knows, with its wire form.
   * True: it is not ours to answer, or comes again by `receive`.
   */
  readonly stray?: (message: SipMessage, flow: Flow, text: string) => boolean;
  /** Asked about a request that begins something, and a CANCEL, before anything is kept of it. True: another process serves it. */
  readonly elsewhere?: (message: SipMessage, flow: Flow, text: string) => boolean;
  /**
   * Asked of a flow on which a 2xx to an INVITE came that nobody knows. True: whoever sent it may have been called by an earlier process,
   * and is told that the call is over (RFC 3261 section 13.2.2.4: ACK, then BYE). Default: it is dropped.
   */
  readonly forgotten?: (flow: Flow) => boolean;
  /**
   * Asked about calls over UDP whose dialog leads elsewhere than where its INVITE came from or went to. True: their requests go there (RFC
   * 3261 section 12.2.1.1). Default: never, for what a phone behind a NAT says of itself leads nowhere.
   */
  readonly follows?: Follows;
  /**
   * Asked of a connection that closed. True: another one is looked for, to be told of by `moveCall`; a call that rings goes on, and what is
   * said of its INVITE waits for that (RFC 3261 section 18.2.2). Default: such a call ends.
   */
  readonly regains?: (flow: Flow) => boolean;
  readonly limits?: Partial<EndpointLimits>;
}

/** The limits unless the options say otherwise. */
export const ENDPOINT_LIMITS: EndpointLimits = { calls: 50_000, transactions: 200_000 };

/** What is served unless the options say otherwise. */
export const ALLOW = [
  'INVITE',
  'ACK',
  'CANCEL',
  'BYE',
  'OPTIONS',
  'UPDATE',
  'INFO',
  'MESSAGE',
  'REFER',
  'NOTIFY',
  'REGISTER',
] as const;

/** A restored dialog goes on this far above its snapshot's number, for requests may have been sent since (section 12.2.1.1 lets gaps be). */
const RESTORE_GAP = 1000;

export class Endpoint implements SipEndpoint {
  readonly #core: Core;
  readonly #plain: PlainRequests;
  readonly #inbound: Inbound;

  constructor(options: EndpointOptions) {
    const { sessionExpires, reliable = false } = options;
    const plain = [...(options.supported ?? ['join', 'replaces', 'norefersub'])];
    if (sessionExpires !== undefined) plain.push('timer');
    const supported = reliable ? [...plain, '100rel'] : plain;
    const abilities: Abilities = {
      allow: reliable ? [...(options.allow ?? ALLOW), 'PRACK'] : (options.allow ?? ALLOW),
      supported,
      backToBack: options.backToBack ?? false,
    };
    const allow = steadyField('Allow', abilities.allow.join(', '));
    const fields = (tags: readonly string[]) => (tags.length > 0 ? [steadyField('Supported', tags.join(', '))] : []);
    const tokens = new Tokens(options.random, options.mark);
    this.#core = {
      transactions: new Transactions(tokens),
      tokens,
      abilities,
      screen: options.screen,
      quiet: options.quiet,
      stray: options.stray,
      elsewhere: options.elsewhere,
      forgotten: options.forgotten,
      follows: options.follows,
      regains: options.regains,
      limits: { ...ENDPOINT_LIMITS, ...options.limits },
      capabilities: [allow, ...fields(supported)],
      plain: [allow, ...fields(plain)],
      supported: supported.length > 0 ? [['Supported', supported.join(', ')]] : [],
      hash: options.hash,
      sessionExpires,
      reliable,
      calls: new Calls(),
      hooks: callHooks,
    };
    this.#plain = new PlainRequests(this.#core);
    this.#inbound = new Inbound(this.#core, this.#plain);
  }

  receive(text: string, flow: Flow, now: number, out: EndpointOutput[]): void {
    this.#inbound.receive(text, flow, now, out);
  }

  flowClosed(flow: Flow, now: number, out: EndpointOutput[]): void {
    this.#core.transactions.flowClosed(flow, now, out);
  }

  tick(now: number, out: EndpointOutput[]): void {
    this.#core.transactions.run(now, out);
  }

  due(): number {
    return this.#core.transactions.due();
  }

  request(
    message: SipMessage,
    flow: Flow,
    now: number,
    out: EndpointOutput[],
    credentials?: Credentials,
  ): TransactionHandle {
    return this.#plain.send(message, { flow, credentials }, now, out);
  }

  reply(
    transaction: TransactionHandle,
    status: number,
    options: ReplyOptions,
    now: number,
    out: EndpointOutput[],
  ): void {
    this.#plain.reply(transaction, status, options, now, out);
  }

  invite(options: InviteOptions, now: number, out: EndpointOutput[]): CallHandle {
    const handle = this.#core.calls.newHandle();
    startCall(this.#core, handle, options, now, out);
    return handle;
  }

  progress(
    call: CallHandle,
    status: number,
    options: ReplyOptions & { readonly sdp?: string },
    now: number,
    out: EndpointOutput[],
  ): void {
    const found = this.#core.calls.get(call);
    if (found) sendProgress(found, status, options, now, out);
  }

  answer(
    call: CallHandle,
    options: { readonly sdp: string; readonly contact: string; readonly headers?: readonly HeaderLine[] },
    now: number,
    out: EndpointOutput[],
  ): void {
    const found = this.#core.calls.get(call);
    if (found && !found.outgoing && found.at === 'ringing') sendOk(found, options.sdp, options, now, out);
  }

  reject(call: CallHandle, status: number, options: ReplyOptions, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found) rejectCall(found, status, options, now, out);
  }

  known(call: CallHandle, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found) senderKnown(found, now, out);
  }

  release(call: CallHandle, now: number): SipMessage | undefined {
    const found = this.#core.calls.get(call);
    const transaction = found?.server;
    if (!found || !transaction || found.outgoing || found.at !== 'ringing') return undefined;
    const { request } = transaction;
    found.server = undefined;
    found.forget(now);
    this.#core.transactions.forgetServer(transaction);
    return request;
  }

  hangup(call: CallHandle, reason: string, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found) hangup(found, reasonHeader(reason), now, out);
  }

  reoffer(call: CallHandle, sdp: string | undefined, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found) wishOffer(found, sdp ?? '', now, out);
  }

  offerEarly(call: CallHandle, sdp: string, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found) offerEarly(found, sdp, now, out);
  }

  acceptOffer(call: CallHandle, sdp: string, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found && acceptEarly(found, sdp, now, out)) return;
    if (found?.owedPrack) found.owedPrack(sdp, now, out);
    else if (found?.owedAck) found.owedAck(sdp, now, out);
    else if (found?.at === 'confirmed') sendOk(found, sdp, {}, now, out);
  }

  refuseOffer(call: CallHandle, status: number, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found?.owedPrack) hangup(found, [], now, out);
    else if (found?.owedAck) refuseLateOffer(found, now, out);
    else if (found) refuseOffer(found, status, now, out);
  }

  requestInDialog(
    call: CallHandle,
    method: string,
    options: ReplyOptions,
    now: number,
    out: EndpointOutput[],
  ): TransactionHandle {
    return this.#plain.sendInDialog(this.#core.calls.get(call), method, options, now, out);
  }

  flowOf(call: CallHandle): Flow | undefined {
    return this.#core.calls.get(call)?.flow;
  }

  moveCall(call: CallHandle, flow: Flow): boolean {
    const found = this.#core.calls.get(call);
    const moves = found !== undefined && found.flow.id !== flow.id;
    found?.moveTo(flow);
    return moves;
  }

  probe(call: CallHandle, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found?.mayOwe !== undefined && found.mayOwe.until > now) acknowledgeAgain(found, found.mayOwe.seq, out);
    if (found?.at === 'confirmed') this.#plain.sendInDialog(found, 'OPTIONS', {}, now, out);
  }

  backTo(call: CallHandle): Address | undefined {
    const found = this.#core.calls.get(call);
    const waiting = found?.unacked?.transaction ?? (found?.at === 'ringing' ? found.server : undefined);
    if (waiting?.adrift !== true) return undefined;
    const { remote, protocol } = waiting.flow;
    return { host: remote.host, port: waiting.port ?? (protocol === 'tls' ? 5061 : 5060) };
  }

  snapshot(call: CallHandle): CallSnapshot | undefined {
    const found = this.#core.calls.get(call);
    if (!found?.dialog) return undefined;
    const isUp = found.at === 'confirmed' || found.at === 'answered';
    if (!isUp && (found.outgoing || found.at !== 'ringing')) return undefined;
    const { session, described } = found;
    const plain = dialogToSnapshot(found.dialog, found.outgoing, found.contact);
    const snapshot = found.held === undefined ? plain : { ...plain, unconfirmed: found.held };
    if (session === undefined) return snapshot;
    return {
      ...snapshot,
      session: { ...session, ...(session.byUpdate || described === undefined ? {} : { described }) },
    };
  }

  restore(snapshot: CallSnapshot, flow: Flow, now?: number): CallHandle {
    const { initiator: outgoing, contact, callId, localTag } = snapshot;
    const handle = this.#core.calls.newHandle();
    const call = new Call(this.#core, { handle, outgoing, at: 'confirmed', flow, contact, callId, localTag });
    call.dialog = dialogFromSnapshot(snapshot);
    call.dialog.localSeq += RESTORE_GAP;
    if (snapshot.unconfirmed !== undefined && now !== undefined) owesAck(call, snapshot.unconfirmed, now);
    if (snapshot.session !== undefined && now !== undefined) {
      call.described = snapshot.session.described;
      runTimer(call, snapshot.session, now);
      call.plan();
    }
    return handle;
  }

  confirm(call: CallHandle, now: number, out: EndpointOutput[]): void {
    const found = this.#core.calls.get(call);
    if (found?.held !== undefined) found.owedAck?.(undefined, now, out);
  }

  pending(call: CallHandle): PendingInvite | undefined {
    const found = this.#core.calls.get(call);
    return found && pendingOf(found);
  }

  resume(pending: PendingInvite, flow: Flow, now: number): CallHandle | undefined {
    return resumeCall(this.#core, pending, flow, now)?.handle;
  }

  answerAgain(
    call: CallHandle,
    sdp: string,
    options: { readonly contact: string; readonly repeat: boolean },
    now: number,
    out: EndpointOutput[],
  ): void {
    const found = this.#core.calls.get(call);
    if (found) answerAgain(found, sdp, options, now, out);
  }

  dialogId(
    call: CallHandle,
  ): { readonly callId: string; readonly localTag: string; readonly remoteTag?: string } | undefined {
    const found = this.#core.calls.get(call);
    if (!found) return undefined;
    const { callId, localTag, dialog } = found;
    return dialog ? { callId, localTag, remoteTag: dialog.remoteTag } : { callId, localTag };
  }

  counts(): { readonly transactions: number; readonly calls: number } {
    return { transactions: this.#core.transactions.count, calls: this.#core.calls.size };
  }

  /** Requests that wait for the user's reply, for health and leak tests. */
  get waiting(): number {
    return this.#plain.waiting;
  }
}
