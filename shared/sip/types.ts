/**
 * The words of the SIP stack that its users (softswitch, gateway edge, simulator) know: flows, endpoint, calls. The endpoint is pure
 * (`endpoint.ts`): the wiring (`shared/host/sip.ts`) feeds it messages and time, and carries out its outputs.
 *
 * A *call* is one INVITE dialog usage seen from one end: the endpoint does transactions (RFC 3261 section 17 with RFC 6026),
 * dialogs, ACK, 2xx retransmission, CANCEL and offer/answer bookkeeping; its user only decides.
 */
import type { Address, Peer } from '../kernel/world.ts';
import type { SipMessage } from './message.ts';
import type { BodyPart } from './multipart.ts';

export type SipProtocol = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';

/** Protocols of the flows that we open ourselves. */
export type OpenedProtocol = 'udp' | 'tcp' | 'tls';

/** A way to exchange messages with one peer: a connection, or for UDP the pair of addresses. */
export interface Flow {
  /** Unique while the process lives; a reconnected peer has another. */
  readonly id: string;
  readonly protocol: SipProtocol;
  readonly local: Address;
  readonly remote: Address;
  /** What the channel proved (TLS client certificate); `none` otherwise. */
  readonly peer: Peer;
  /** We opened it, both sides proved who they are, and the peer may send its requests back over it (RFC 5923). */
  readonly alias?: true;
}

export const isReliable = (flow: Flow): boolean => flow.protocol !== 'udp';

/** What is said over the flow is hidden from whoever carries it. */
export const isSecure = (flow: Flow): boolean => flow.protocol === 'tls' || flow.protocol === 'wss';

/** Names one call at this endpoint; made by the endpoint, not on the wire. */
export type CallHandle = string;
/** Names one server or client transaction towards the user. */
export type TransactionHandle = string;

export interface InviteOptions {
  /** Request-URI. */
  readonly uri: string;
  /** From and To as `"name" <uri>`, without tag. */
  readonly from: string;
  readonly to: string;
  readonly flow: Flow;
  /** URI for Contact; the endpoint adds the flow's transport. */
  readonly contact: string;
  /** Values of Route headers, first hop first. */
  readonly route?: readonly string[];
  /** Further headers, such as P-Asserted-Identity or Join. */
  readonly headers?: readonly (readonly [string, string])[];
  /** SDP offer; absent: the offer comes in the 2xx and the answer goes into ACK. */
  readonly sdp?: string;
  /** Further parts of the body, beside the offer (RFC 5621). */
  readonly parts?: readonly BodyPart[];
  /** Says `progress` of a 100 too: the next hop lives. */
  readonly trying?: boolean;
  /** Credentials with which a 401 or 407 of `realm` is answered, once. */
  readonly credentials?: Credentials;
  /** Its 2xx is acknowledged by `confirm`: until then the other side repeats it, and gives up where nobody is left to say so. */
  readonly held?: true;
}

export interface Credentials {
  readonly username: string;
  readonly realm: string;
  readonly ha1: { readonly md5: string; readonly sha256: string };
}

export interface ReplyOptions {
  readonly reason?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly contact?: string;
  readonly body?: string;
  readonly contentType?: string;
  /** The To tag of the answer, where the user makes the dialog itself (SUBSCRIBE). */
  readonly tag?: string;
}

export type EndpointOutput =
  /** Write this message to the flow; for UDP one datagram. `text` is its wire form where that is made already. */
  | { readonly do: 'send'; readonly flow: Flow; readonly message: SipMessage; readonly text?: string }
  /** A new INVITE; `offer` is its SDP, if any. The endpoint has sent 100 Trying by itself. */
  | {
      readonly do: 'incoming';
      readonly call: CallHandle;
      readonly message: SipMessage;
      readonly flow: Flow;
      readonly offer?: string;
    }
  /** A request outside dialogs other than INVITE, ACK and CANCEL (REGISTER, OPTIONS, MESSAGE …): answer with `reply`. */
  | {
      readonly do: 'request';
      readonly transaction: TransactionHandle;
      readonly message: SipMessage;
      readonly flow: Flow;
    }
  /** A response to `request`; final ones end the transaction. */
  | { readonly do: 'response'; readonly transaction: TransactionHandle; readonly message: SipMessage }
  /** No final response came (timer F), or the flow broke. */
  | { readonly do: 'no-response'; readonly transaction: TransactionHandle; readonly why: 'timeout' | 'transport' }
  /**
   * A provisional response 101..199 to our INVITE (with `trying` 100 too); `sdp` for early media. Where the INVITE had no offer and the
   * response is reliable it is one: `acceptOffer` answers it, in PRACK.
   */
  | {
      readonly do: 'progress';
      readonly call: CallHandle;
      readonly status: number;
      readonly sdp?: string;
      readonly message: SipMessage;
    }
  /** Our INVITE was answered 2xx (ACK is sent by the endpoint at once where we offered). `sdp` is answer or late offer. */
  | { readonly do: 'answered'; readonly call: CallHandle; readonly sdp?: string; readonly message: SipMessage }
  /** Our INVITE ended without 2xx. `status` 408 for a time-out, 503 for a broken flow. */
  | { readonly do: 'failed'; readonly call: CallHandle; readonly status: number; readonly message?: SipMessage }
  /** The 2xx that we sent was acknowledged, or before it the reliable response that brought our offer (RFC 3262); `sdp` is the answer to a late offer. */
  | { readonly do: 'confirmed'; readonly call: CallHandle; readonly sdp?: string }
  /** The call is over: by the other side (BYE, CANCEL), by a missing ACK, or by a broken flow in dialog. Comes once, never after our own hangup. */
  | {
      readonly do: 'ended';
      readonly call: CallHandle;
      readonly why: 'bye' | 'cancel' | 'no-ack' | 'transport' | 'timeout';
      readonly message?: SipMessage;
    }
  /** The other side offers anew (re-INVITE, or UPDATE, which may come before the answer; absent SDP: it asks for an offer): `acceptOffer` or `refuseOffer`. */
  | { readonly do: 'offer'; readonly call: CallHandle; readonly sdp?: string }
  /** What became of our re-INVITE. */
  | {
      readonly do: 'reoffered';
      readonly call: CallHandle;
      readonly ok: boolean;
      readonly status: number;
      readonly sdp?: string;
    }
  /** Another request inside the dialog (INFO, MESSAGE, REFER …): answer with `reply`. */
  | {
      readonly do: 'in-dialog';
      readonly call: CallHandle;
      readonly transaction: TransactionHandle;
      readonly message: SipMessage;
    };

/** The session timer of a call (RFC 4028): who refreshes, and how often. */
export interface SessionTimer {
  /** Milliseconds. */
  readonly interval: number;
  readonly refresher: 'us' | 'them';
  /** The other side takes UPDATE; without it the refresh is a re-INVITE. */
  readonly byUpdate: boolean;
}

/** A confirmed dialog as plain data, enough to go on with re-INVITE and BYE after a restart. */
export interface CallSnapshot {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  readonly remoteTarget: string;
  readonly routeSet: readonly string[];
  readonly localSeq: number;
  readonly remoteSeq: number;
  readonly secure: boolean;
  /** True where we sent the INVITE. */
  readonly initiator: boolean;
  readonly contact: string;
  /** The session timer (RFC 4028), and where the other side takes no UPDATE, the description to refresh with. */
  readonly session?: SessionTimer & { readonly described?: string };
  /** Number of our INVITE whose 2xx waits for `confirm`. */
  readonly unconfirmed?: number;
}

/** An INVITE without a final response as plain data, enough to answer, acknowledge or cancel it after a restart. */
export interface PendingInvite {
  /** True where we sent it. */
  readonly outgoing: boolean;
  /** Our tag. */
  readonly tag: string;
  readonly contact: string;
  /** What names it and tells the way, without its body. */
  readonly invite: string;
  /** It came without an offer. */
  readonly asked?: true;
}

/**
 * The endpoint's face. Every method takes monotonic `now` (ms) and appends its outputs to `out`; none throws for anything a
 * peer can send. `now` never runs backwards.
 */
export interface SipEndpoint {
  /** A message as it came from the transport, not yet parsed (one character per octet); junk is answered or dropped as RFC 3261 and 4475 say. */
  receive(text: string, flow: Flow, now: number, out: EndpointOutput[]): void;
  flowClosed(flow: Flow, now: number, out: EndpointOutput[]): void;
  tick(now: number, out: EndpointOutput[]): void;
  due(): number;

  /**
   * Sends a request outside dialogs (REGISTER, OPTIONS, MESSAGE); Via, Max-Forwards, From tag, Call-ID and CSeq are added where absent.
   * With `credentials` a 401 or 407 of their realm is answered, once.
   */
  request(
    message: SipMessage,
    flow: Flow,
    now: number,
    out: EndpointOutput[],
    credentials?: Credentials,
  ): TransactionHandle;
  /** 100 or a final response, but never 408, which says nothing that its sender does not know (RFC 4320 section 4): nothing goes out then. */
  reply(
    transaction: TransactionHandle,
    status: number,
    options: ReplyOptions,
    now: number,
    out: EndpointOutput[],
  ): void;

  invite(options: InviteOptions, now: number, out: EndpointOutput[]): CallHandle;
  /** 101..199 to an incoming call. */
  progress(
    call: CallHandle,
    status: number,
    options: ReplyOptions & { readonly sdp?: string },
    now: number,
    out: EndpointOutput[],
  ): void;
  /** 200 to an incoming call, retransmitted until ACK. */
  answer(
    call: CallHandle,
    options: {
      readonly sdp: string;
      readonly contact: string;
      readonly headers?: readonly (readonly [string, string])[];
    },
    now: number,
    out: EndpointOutput[],
  ): void;
  /** The sender of an incoming call has proved itself: 100 goes out where it was held back (`EndpointOptions.quiet`). */
  known(call: CallHandle, now: number, out: EndpointOutput[]): void;
  /** 3xx..6xx to an incoming call that has no final response yet. */
  reject(call: CallHandle, status: number, options: ReplyOptions, now: number, out: EndpointOutput[]): void;
  /** Lets go of an incoming call that has no final response, without a word: another process serves its INVITE, which this gives. */
  release(call: CallHandle, now: number): SipMessage | undefined;
  /** Ends a call as its state demands: CANCEL, refusal 487/603 or BYE. `reason` goes into a Reason header (RFC 3326). */
  hangup(call: CallHandle, reason: string, now: number, out: EndpointOutput[]): void;
  /**
   * Offers anew inside the dialog; 491 glare is retried by the endpoint as RFC 3261 section 14.1 says. Without SDP the other side is
   * asked for an offer (RFC 3261 section 14.1): it comes in `reoffered`, and the answer is given by `acceptOffer`.
   */
  reoffer(call: CallHandle, sdp: string | undefined, now: number, out: EndpointOutput[]): void;
  /** Offers anew before the call is answered, by UPDATE (RFC 3311), whose outcome is `reoffered`: 488 where the other side cannot take it, 491 by glare. */
  offerEarly(call: CallHandle, sdp: string, now: number, out: EndpointOutput[]): void;
  acceptOffer(call: CallHandle, sdp: string, now: number, out: EndpointOutput[]): void;
  refuseOffer(call: CallHandle, status: number, now: number, out: EndpointOutput[]): void;
  /** Sends a request inside the dialog; 481, 408 or silence ends the call (RFC 3261 section 12.2.1.2), unless it was a NOTIFY. */
  requestInDialog(
    call: CallHandle,
    method: string,
    options: ReplyOptions,
    now: number,
    out: EndpointOutput[],
  ): TransactionHandle;

  /** The flow that a call uses; undefined for one that is over. */
  flowOf(call: CallHandle): Flow | undefined;
  /**
   * The flow that a call uses from now on (the gateway reconnected, a carrier's connection was opened anew); true where it used another
   * one before.
   */
  moveCall(call: CallHandle, flow: Flow): boolean;
  /**
   * Where a call waits to be told what became of its INVITE, whose connection closed: the address from which that came, with the port of
   * sent-by (RFC 3261 section 18.2.2). Undefined for a call that does not.
   */
  backTo(call: CallHandle): Address | undefined;
  /**
   * Asks the other side whether it still knows an established call, by OPTIONS in the dialog (RFC 3261 section 11). Where it does
   * not (481), or is silent, the call is `ended`.
   */
  probe(call: CallHandle, now: number, out: EndpointOutput[]): void;
  snapshot(call: CallHandle): CallSnapshot | undefined;
  /** With `now` its session timer runs anew from then on. */
  restore(snapshot: CallSnapshot, flow: Flow, now?: number): CallHandle;
  /** Acknowledges the 2xx of an INVITE that was `held`. */
  confirm(call: CallHandle, now: number, out: EndpointOutput[]): void;
  /** The INVITE of a call that has no final response. */
  pending(call: CallHandle): PendingInvite | undefined;
  /** Goes on with such an INVITE of an earlier process, `held` where it is ours; undefined where it cannot be read. */
  resume(pending: PendingInvite, flow: Flow, now: number): CallHandle | undefined;
  /** A resumed call was answered before: it is up, and with `repeat` its 2xx goes out again until its ACK, or for 4 s. */
  answerAgain(
    call: CallHandle,
    sdp: string,
    options: { readonly contact: string; readonly repeat: boolean },
    now: number,
    out: EndpointOutput[],
  ): void;
  /** Call-ID and tags, for Join and records; tags are absent until known. */
  dialogId(
    call: CallHandle,
  ): { readonly callId: string; readonly localTag: string; readonly remoteTag?: string } | undefined;
  /** Live transactions and calls, for health and leak tests. */
  counts(): { readonly transactions: number; readonly calls: number };
}
