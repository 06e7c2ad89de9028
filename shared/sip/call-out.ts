/** Calls that we make: INVITE, forks, 2xx and its ACK (RFC 3261 section 13.2). */
import { NEVER } from '../kernel/machine.ts';
import { FORK_LIMIT } from './answered-invite.ts';
import { answerTo, retryWithCredentials } from './auth.ts';
import { contactValue, proofOf, SESSION_TYPE, SEVENTY_HOPS, sdpOf } from './build.ts';
import { Call, type Core, hopOf, leadOn } from './call.ts';
import { byeAndForget, ended, refuseEarly, sendBye, sendCancel } from './call-end.ts';
import { tryReoffer } from './call-offer.ts';
import { takeReliable } from './call-reliable.ts';
import { longerAgain, offerWithTimer, takeTimer } from './call-session.ts';
import {
  addRoutes,
  asRequestUri,
  type Dialog,
  type DialogSeed,
  dialogOfResponse,
  dialogRequest,
  isSips,
} from './dialog.ts';
import { type Field, type Header, makeField, oneLine, steadyField } from './fields.ts';
import { CALL_ID, headerKind, MAX_FORWARDS } from './headers.ts';
import { SipMessage } from './message.ts';
import { writeMultipart } from './multipart.ts';
import { own } from './params.ts';
import { parse } from './parse.ts';
import { nameAt, placeOf } from './places.ts';
import { MalformedSuccess } from './plain-final.ts';
import { TRY_TIME } from './timers.ts';
import {
  type Acked,
  type ClientTransaction,
  type ClientUser,
  type Failure,
  type LateUser,
  sendAgain,
} from './transaction.ts';
import type { CallHandle, Credentials, EndpointOutput, Flow, InviteOptions } from './types.ts';

/** Longest time between provisional responses, and of ringing without one, ms: ours for timer C (RFC 3261 section 16.6). */
export const RING_LIMIT = 600_000;
/** How a call ends whose 2xx cannot be read (RFC 3261 section 21.5.3: an invalid response from downstream). */
const UNREADABLE = 502;
/** Starts a call. */
export function startCall(
  core: Core,
  handle: CallHandle,
  options: InviteOptions,
  now: number,
  out: EndpointOutput[],
): void {
  const { flow, contact } = options;
  const localTag = nameAt(core.tokens.next(8), placeOf(handle));
  const callId = oneLine(headerOf(options, CALL_ID) ?? core.tokens.next(16));
  const call = new Call(core, { handle, outgoing: true, at: 'calling', flow, contact, callId, localTag });
  call.credentials = options.credentials;
  const headers = [...(options.headers ?? []), ...offerWithTimer(call)];
  call.described = options.sdp;
  const invite = inviteOf(core, { ...options, headers }, { callId, localTag });
  const seed = { callId, localTag, local: invite.header('From') ?? '', uri: invite.uri };
  const { trying = false, held = false } = options;
  const user = new OutgoingInvite(call, seed, { offered: options.sdp !== undefined, trying, held });
  call.client = core.transactions.start(invite, flow, user, now, out);
  call.plan();
}

const headerOf = (options: InviteOptions, id: number): string | undefined =>
  options.headers?.find(([name]) => headerKind(name)?.id === id)?.[1];

function inviteOf(core: Core, options: InviteOptions, names: { callId: string; localTag: string }): SipMessage {
  const { sdp, parts = [] } = options;
  const fields: Field[] = [
    SEVENTY_HOPS,
    makeField('From', `${options.from};tag=${names.localTag}`),
    makeField('To', options.to),
    makeField('Call-ID', names.callId),
    FIRST_INVITE,
    makeField('Contact', contactValue(options.contact, options.flow, isSips(options.uri))),
  ];
  const uri = addRoutes(fields, options.route ?? [], asRequestUri(options.uri));
  fields.push(...core.capabilities);
  for (const [name, value] of options.headers ?? []) {
    const field = makeField(name, value);
    if (field.id === MAX_FORWARDS) fields[0] = field;
    else if (field.id !== CALL_ID) fields.push(field);
  }
  let body = sdp ?? '';
  if (sdp !== undefined && parts.length > 0) {
    const whole = writeMultipart([{ type: SDP, body: sdp }, ...parts], core.tokens.next(16));
    body = whole.body;
    fields.push(makeField('Content-Type', whole.type));
  } else if (sdp !== undefined) fields.push(SESSION_TYPE);
  return new SipMessage('request', 'INVITE', oneLine(uri), 0, '', fields, body);
}

const SDP = 'application/sdp';
const FIRST_INVITE = steadyField('CSeq', '1 INVITE');

/** Most calls have one answer: what is kept of it half a minute long is to be small. */
const NOBODY: readonly Acked[] = [];

/** Hears the responses to our first INVITE, also after the call is over: a late 2xx still wants ACK and BYE. */
export class OutgoingInvite implements ClientUser {
  readonly #call: Call;
  readonly #seed: DialogSeed;
  readonly #offered: boolean;
  readonly #trying: boolean;
  readonly #held: boolean;
  /** ACKs of the 2xx, as sent, by To tag; undefined while the user owes the answer to a late offer. */
  #acks: readonly Acked[] = NOBODY;
  /** Credentials of the INVITE that was let through; undefined where nobody asked for any. */
  #proof: readonly Header[] | undefined;
  /** A nonce had grown stale. */
  #renewed = false;
  #lengthened = false;

  constructor(call: Call, seed: DialogSeed, how: { offered: boolean; trying: boolean; held: boolean }) {
    this.#trying = how.trying;
    this.#held = how.held;
    this.#call = call;
    this.#seed = seed;
    this.#offered = how.offered;
  }

  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    if (message.status < 200) this.#provisional(message, now, out);
    else if (message.status < 300) this.#success(transaction, message, now, out);
    else this.#failure(transaction, message, now, out);
    this.#call.plan();
  }

  onFailure(_transaction: ClientTransaction, why: Failure, now: number, out: EndpointOutput[]): void {
    this.#end(why === 'timeout' ? 408 : 503, now, out);
  }

  #provisional(message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    if (call.at === 'calling') {
      call.at = 'ringing';
      if (call.silent) sendCancel(call, now, out);
    }
    call.ringBy = now + RING_LIMIT;
    if (message.status === 100 && this.#trying && !call.silent) {
      out.push({ do: 'progress', call: call.handle, status: 100, message });
    }
    if (call.silent || call.at !== 'ringing' || message.status === 100) return;
    if (message.toTag !== undefined && !this.#early(message)) return;
    if (!takeReliable(call, call.dialog, message, now, out)) return;
    const sdp = sdpOf(message);
    out.push({ do: 'progress', call: call.handle, status: message.status, message, ...(sdp !== undefined && { sdp }) });
  }

  /** Makes or renews an early dialog (section 12.1); false where there are too many. */
  #early(message: SipMessage): boolean {
    const call = this.#call;
    const tag = message.toTag ?? '';
    if (call.dialog?.remoteTag === tag) return true;
    const forks = call.forks ?? [];
    const known = forks.find((fork) => fork.remoteTag === tag);
    if (!known && forks.length >= FORK_LIMIT - 1) return false;
    if (call.dialog) call.forks = [...forks.filter((fork) => fork !== known), call.dialog];
    call.dialog = known ?? dialogOfResponse(this.#seed, message);
    return true;
  }

  #success(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const tag = message.toTag ?? '';
    const known = this.#acks.find((one) => one.tag === tag);
    if (known) {
      if (known.ack) sendAgain(this.#call.flow, known.ack, out);
      return;
    }
    if (this.#acks.length >= FORK_LIMIT) return;
    const call = this.#call;
    const dialog = dialogOfResponse(this.#seed, message);
    const first = this.#acks.length === 0 && call.at !== 'over';
    if (!first) {
      this.#refuseFork(transaction, dialog, now, out);
      return;
    }
    this.#adopt(dialog);
    if (call.silent || message instanceof MalformedSuccess) {
      this.#ack(dialog, undefined, out);
      if (!call.silent) out.push({ do: 'failed', call: call.handle, status: UNREADABLE });
      byeAndForget(call, now, out);
      return;
    }
    this.#answered(transaction, dialog, message, now, out);
  }

  /** The dialog of the first 2xx becomes the call's; other early dialogs end with it (section 13.2.2.4). */
  #adopt(dialog: Dialog): void {
    const call = this.#call;
    const early = [...(call.forks ?? []), ...(call.dialog ? [call.dialog] : [])];
    const same = early.find((one) => one.remoteTag === dialog.remoteTag);
    dialog.remoteSeq = same?.remoteSeq ?? -1;
    dialog.localSeq = Math.max(dialog.localSeq, same?.localSeq ?? 0);
    if (same?.said !== undefined) dialog.said = same.said;
    call.dialog = dialog;
    call.forks = undefined;
    call.client = undefined;
    call.ringBy = NEVER;
    leadOn(call, dialog);
  }

  #answered(
    transaction: ClientTransaction,
    dialog: Dialog,
    message: SipMessage,
    now: number,
    out: EndpointOutput[],
  ): void {
    const call = this.#call;
    const { early } = call;
    call.owedPrack = undefined;
    // A reliable provisional response said it before, and an UPDATE may have changed it since (RFC 3262 section 5, RFC 3311).
    const isOld = early?.changed === true && early.tag === dialog.remoteTag;
    const sdp = (isOld ? undefined : sdpOf(message)) ?? dialog.said;
    if (dialog.said !== undefined) dialog.said = undefined;
    const seq = message.cseq.n;
    if (early !== undefined && early.tag !== dialog.remoteTag) refuseEarly(call, 481, now, out);
    takeTimer(call, message, now);
    // An INVITE without an offer may have got one before, and its PRACK the answer.
    const isDone = this.#offered || sdp === undefined || early?.tag === dialog.remoteTag;
    if (isDone && !this.#held) {
      this.#ack(dialog, undefined, out, seq);
      call.at = 'confirmed';
    } else {
      call.held = isDone ? seq : undefined;
      call.at = 'answered';
      call.offerBy = now + TRY_TIME;
      this.#acks = [...this.#acks, { tag: dialog.remoteTag, ack: undefined }];
      call.owedAck = (answer, when, list) => {
        this.#ack(dialog, answer, list, seq);
        call.owedAck = undefined;
        call.held = undefined;
        call.offerBy = NEVER;
        call.at = 'confirmed';
        call.core.transactions.lessen(transaction, when);
        tryReoffer(call, when, list);
      };
    }
    out.push({ do: 'answered', call: call.handle, message, ...(sdp !== undefined && { sdp }) });
    tryReoffer(call, now, out);
  }

  #ack(
    dialog: Dialog,
    answer: string | undefined,
    out: EndpointOutput[],
    seq?: number,
    flow: Flow = this.#call.flow,
  ): void {
    const { core } = this.#call;
    const acked = acknowledge(core, dialog, { flow, proof: this.#proof }, out, answer, seq);
    this.#acks = this.#acks.length === 0 ? [acked] : [...this.#acks.filter(({ tag }) => tag !== acked.tag), acked];
  }

  /** A 2xx of another fork: acknowledged, then ended. */
  #refuseFork(transaction: ClientTransaction, dialog: Dialog, now: number, out: EndpointOutput[]): void {
    const { core, farewell: headers, credentials } = this.#call;
    const flow = hopOf(core, dialog, transaction.flow);
    this.#ack(dialog, undefined, out, undefined, flow);
    sendBye(core, dialog, { flow, headers, credentials }, now, out);
  }

  answered(): { readonly acked: Acked; readonly user: LateUser; readonly flow: Flow } | undefined {
    const [acked, further] = this.#acks;
    if (acked?.ack === undefined || further !== undefined) return undefined;
    const { core, credentials, flow } = this.#call;
    return { acked, flow, user: new Latecomers(core, credentials) };
  }

  #failure(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void {
    const call = this.#call;
    const again = call.silent ? undefined : (this.#retry(transaction, message) ?? this.#longer(transaction, message));
    if (!again) {
      this.#end(message.status, now, out, message);
      return;
    }
    this.#proof = proofOf(again);
    call.at = 'calling';
    call.dialog = undefined;
    call.forks = undefined;
    call.client = call.core.transactions.start(again, call.flow, this, now, out);
  }

  /** Our session interval was too short for the other side (422, RFC 4028 section 7.4): once more with what it needs. */
  #longer(transaction: ClientTransaction, message: SipMessage): SipMessage | undefined {
    const { request } = transaction;
    const again = this.#lengthened ? undefined : longerAgain(this.#call, request, message);
    this.#lengthened ||= again !== undefined;
    return again;
  }

  /** A server's and a proxy's challenge are answered once each (section 22.3), and once more where only a nonce had grown stale. */
  #retry({ request }: ClientTransaction, message: SipMessage): SipMessage | undefined {
    const { core, credentials } = this.#call;
    const again = retryWithCredentials(core, request, message, credentials);
    if (again === undefined || request?.header(answerTo(message.status)) === undefined) return again;
    if (this.#renewed || !isStale(message)) return undefined;
    this.#renewed = true;
    return again;
  }

  #end(status: number, now: number, out: EndpointOutput[], message?: SipMessage): void {
    const call = this.#call;
    if (call.at === 'over') return;
    if (!call.silent) out.push({ do: 'failed', call: call.handle, status, ...(message && { message }) });
    call.client = undefined;
    refuseEarly(call, 487, now, out);
    call.forget(now);
  }
}

/** Sends the ACK of a 2xx (section 13.2.2.4), with the answer to the offer that it brought. */
function acknowledge(
  core: Core,
  dialog: Dialog,
  { flow, proof = [] }: { readonly flow: Flow; readonly proof: readonly Header[] | undefined },
  out: EndpointOutput[],
  answer?: string,
  seq = dialog.localSeq,
): Acked {
  const headers = answer === undefined ? proof : [...proof, SESSION_TYPE];
  const ack = dialogRequest(dialog, 'ACK', headers, answer, seq);
  return { tag: own(dialog.remoteTag), ack: core.transactions.sendAck(ack, flow, out) };
}

/** Ends forks of an INVITE that answer after its call is up, or over. */
class Latecomers implements LateUser {
  readonly #core: Core;
  readonly #credentials: Credentials | undefined;

  constructor(core: Core, credentials: Credentials | undefined) {
    this.#core = core;
    this.#credentials = credentials;
  }

  forked(first: string, flow: Flow, message: SipMessage, now: number, out: EndpointOutput[]): Acked {
    const { message: sent } = parse(first);
    const { callId = '', fromTag: localTag = '', uri = '' } = sent ?? {};
    const dialog = dialogOfResponse({ callId, localTag, local: sent?.header('From') ?? '', uri }, message);
    const acked = acknowledge(this.#core, dialog, { flow, proof: proofOf(sent) }, out);
    sendBye(this.#core, dialog, { flow, headers: [], credentials: this.#credentials }, now, out);
    return acked;
  }
}

/** The challenge says that only the nonce is too old (RFC 7616 section 3.3). */
export function isStale(message: SipMessage): boolean {
  const values = [...message.headerAll('WWW-Authenticate'), ...message.headerAll('Proxy-Authenticate')];
  return values.some((value) => value.toLowerCase().replaceAll(' ', '').includes('stale=true'));
}

/** The user does not want the offer that came in the 2xx: acknowledged, then ended. */
export function refuseLateOffer(call: Call, now: number, out: EndpointOutput[]): void {
  call.silent = true;
  call.owedAck?.(undefined, now, out);
  byeAndForget(call, now, out);
}

/** The user let the answer to a late offer, or the ringing, wait too long. */
export function giveUp(call: Call, now: number, out: EndpointOutput[]): void {
  if (call.owedAck !== undefined) {
    ended(call, 'timeout', out);
    call.owedAck(undefined, now, out);
    byeAndForget(call, now, out);
    return;
  }
  call.ringBy = NEVER;
  if (!call.silent) out.push({ do: 'failed', call: call.handle, status: 408 });
  call.silent = true;
  sendCancel(call, now, out);
}
