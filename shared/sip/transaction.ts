/** One transaction each: a machine, the messages that it repeats, and who wants to hear of it. */
import { NEVER, TICK } from '../kernel/machine.ts';
import type { Timed } from './deadlines.ts';
import {
  type InviteClientInput,
  type InviteClientOutput,
  type InviteClientState,
  inviteClient,
  newInviteClient,
} from './invite-client.ts';
import {
  type InviteServerInput,
  type InviteServerOutput,
  type InviteServerState,
  inviteServer,
  newInviteServer,
} from './invite-server.ts';
import { newResponse, type SipMessage } from './message.ts';
import { own } from './params.ts';
import { parse } from './parse.ts';
import {
  newRequestClient,
  type RequestClientOutput,
  type RequestClientState,
  requestClient,
} from './request-client.ts';
import {
  newRequestServer,
  type RequestServerOutput,
  type RequestServerState,
  requestServer,
} from './request-server.ts';
import type { Answer } from './settled.ts';
import type { EndpointOutput, Flow } from './types.ts';
import { isReliable } from './types.ts';
import { write } from './write.ts';

export type Failure = 'timeout' | 'transport';

/** The user of a client transaction. */
export interface ClientUser {
  onResponse(transaction: ClientTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void;
  /** No final response came, or none can come any more. */
  onFailure(transaction: ClientTransaction, why: Failure, now: number, out: EndpointOutput[]): void;
  /** Of an INVITE that was answered: what is left to do, where that is but to repeat its ACK, and the way that takes. */
  answered?(): { readonly acked: Acked; readonly user: LateUser; readonly flow: Flow } | undefined;
}

/** Who answered, and our ACK as sent; undefined while the user owes the answer to a late offer. */
export interface Acked {
  readonly tag: string;
  readonly ack: string | undefined;
}

/** Hears of a 2xx of another fork, acknowledges it and ends it. `ack`: that of the first, as sent. */
export interface LateUser {
  forked(ack: string, flow: Flow, message: SipMessage, now: number, out: EndpointOutput[]): Acked;
}

/** The user of a server transaction. */
export interface ServerUser {
  /** An ACK that came with the branch of its INVITE although the response was 2xx. */
  onAck(transaction: ServerTransaction, message: SipMessage, now: number, out: EndpointOutput[]): void;
  /** True where another connection is being looked for: what is to be said of this INVITE waits for it. */
  waits?(transaction: ServerTransaction): boolean;
  /** The response could not be delivered, or none was given in time. */
  onFailure(transaction: ServerTransaction, why: Failure, now: number, out: EndpointOutput[]): void;
}

/** Who holds transactions: told when one has terminated, asked for the ACK of a failed INVITE. */
export interface Holder {
  forgetClient(transaction: ClientTransaction): void;
  forgetServer(transaction: ServerTransaction): void;
  acknowledge(request: SipMessage, response: SipMessage): SipMessage;
}

/** The branch of a client transaction, which ends in the place where its holder keeps it. */
export interface ClientName {
  readonly branch: string;
  readonly place: number;
}

export class ClientTransaction implements Timed {
  planned: Timed['planned'];
  readonly named: ClientName;
  readonly flow: Flow;
  readonly method: string;
  readonly user: ClientUser;
  /** Of an INVITE: that of its CANCEL, which has the same branch. */
  cancel: ClientTransaction | undefined;
  /** Terminated and forgotten. */
  gone = false;
  /** Gone once nothing needs it any more. */
  request: SipMessage | undefined;
  readonly #holder: Holder;
  readonly #invite: InviteClientState | undefined;
  readonly #other: RequestClientState | undefined;
  /** Wire form of the ACK for a refusal. */
  #ack: string | undefined;

  constructor(named: ClientName, request: SipMessage, flow: Flow, user: ClientUser, holder: Holder) {
    this.named = named;
    this.flow = flow;
    this.method = request.method;
    this.user = user;
    this.request = request;
    this.#holder = holder;
    if (request.method === 'INVITE') this.#invite = newInviteClient(isReliable(flow));
    else this.#other = newRequestClient(isReliable(flow));
  }

  /** True until a final response or a failure. */
  get pending(): boolean {
    const at = this.#invite?.at ?? this.#other?.at;
    return at === 'calling' || at === 'trying' || at === 'proceeding' || at === 'idle';
  }

  /** True once a provisional response came and while no final one has: the time for CANCEL. */
  get proceeding(): boolean {
    return (this.#invite?.at ?? this.#other?.at) === 'proceeding';
  }

  /** The final response came, and there is no more to do than to wait for copies of it. */
  get completed(): boolean {
    return this.#invite === undefined ? this.#other?.at === 'completed' : this.#invite.at === 'accepted';
  }

  due(): number {
    if (this.#invite) return inviteClient.due(this.#invite);
    return this.#other ? requestClient.due(this.#other) : NEVER;
  }

  tick(now: number, out: EndpointOutput[]): void {
    this.#step(TICK, undefined, now, out);
  }

  start(now: number, out: EndpointOutput[]): void {
    this.#step({ on: 'start' }, undefined, now, out);
  }

  /** An INVITE that went out long ago, and had a provisional response. */
  resume(now: number): void {
    if (this.#invite === undefined) return;
    inviteClient.step(this.#invite, { on: 'start' }, now, []);
    inviteClient.step(this.#invite, { on: 'response', status: 100 }, now, []);
  }

  respond(message: SipMessage, now: number, out: EndpointOutput[]): void {
    this.#step({ on: 'response', status: message.status }, message, now, out);
  }

  /** CANCEL went out, or nobody waits any more: the final response may take 64*T1 from now. */
  cancelled(now: number): void {
    if (this.#invite) inviteClient.step(this.#invite, { on: 'cancel' }, now, []);
  }

  broken(now: number, out: EndpointOutput[]): void {
    this.#step({ on: 'transport-error' }, undefined, now, out);
  }

  #step(
    input: InviteClientInput | typeof TICK,
    message: SipMessage | undefined,
    now: number,
    out: EndpointOutput[],
  ): void {
    if (this.#invite) {
      const todo: InviteClientOutput[] = [];
      inviteClient.step(this.#invite, input, now, todo);
      for (const item of todo) this.#perform(item, message, now, out);
    } else if (this.#other && input.on !== 'cancel') {
      const todo: RequestClientOutput[] = [];
      requestClient.step(this.#other, input, now, todo);
      for (const item of todo) this.#perform(item, message, now, out);
    }
  }

  #perform(item: InviteClientOutput, message: SipMessage | undefined, now: number, out: EndpointOutput[]): void {
    switch (item.do) {
      case 'send':
        if (this.request) out.push({ do: 'send', flow: this.flow, message: this.request });
        return;
      case 'ack':
        if (!this.#ack && this.request && message) {
          this.#ack = own(write(this.#holder.acknowledge(this.request, message)));
        }
        if (this.#ack) sendAgain(this.flow, this.#ack, out);
        return;
      case 'deliver':
        if (!message) return;
        this.user.onResponse(this, message, now, out);
        if (message.status >= 200) this.request = undefined;
        return;
      case 'fail':
        this.user.onFailure(this, item.why, now, out);
        return;
      case 'end':
        this.request = undefined;
        this.#ack = undefined;
        this.#holder.forgetClient(this);
        return;
    }
  }
}

export class ServerTransaction implements Timed {
  planned: Timed['planned'];
  readonly method: string;
  /** Of the top Via: what tells it from others of its Call-ID (RFC 3261 section 17.2.3). */
  readonly branch: string;
  readonly host: string;
  readonly port: number | undefined;
  /** Outside a dialog: with the From tag, what the copies of a request that came along two ways share (section 8.2.2.2). */
  readonly begins: boolean;
  readonly seq: number;
  readonly fromTag: string | undefined;
  /** Its holder's: where it lies, and the one behind it there. */
  same: SameCall | undefined;
  next: ServerTransaction | undefined;
  apart: ServerKeys | undefined;
  /** Terminated and forgotten. */
  gone = false;
  flow: Flow;
  /** Its connection closed, and it waits for another. */
  adrift = false;
  user: ServerUser | undefined;
  /** Gone after the final response. */
  request: SipMessage | undefined;
  readonly #holder: Holder;
  readonly #invite: InviteServerState | undefined;
  readonly #other: RequestServerState | undefined;
  /** Wire form of the last response: a text is a fraction of a message's size, and copies are rare. */
  #response: string | undefined;
  /** Where responses go: for UDP without rport the port of sent-by (RFC 3261 section 18.2.2). */
  #back: Flow;
  /** Octets of the request, as it came. */
  readonly size: number;

  constructor(request: SipMessage, begins: boolean, at: ServerPlace, holder: Holder, now: number) {
    const via = request.topVia;
    this.method = request.method;
    this.branch = own(via?.branch ?? '');
    this.host = own(via?.host ?? '');
    this.port = via?.port;
    this.begins = begins;
    this.seq = request.cseq.n;
    this.fromTag = begins && request.fromTag !== undefined ? own(request.fromTag) : undefined;
    this.flow = at.flow;
    this.#back = at.back;
    this.size = at.size;
    this.request = request;
    this.#holder = holder;
    if (request.method === 'INVITE') this.#invite = newInviteServer(isReliable(at.flow));
    else this.#other = newRequestServer(isReliable(at.flow), now);
  }

  /** See `InviteServerState.quiet`. */
  get quiet(): boolean {
    return this.#invite?.quiet === true;
  }

  set quiet(quiet: boolean) {
    if (this.#invite) this.#invite.quiet = quiet;
  }

  /** True until the final response. */
  get pending(): boolean {
    const at = this.#invite?.at ?? this.#other?.at;
    return at === 'trying' || at === 'proceeding';
  }

  /** The final response went, a 2xx was acknowledged, and there is no more to do than to wait for copies of the request. */
  get completed(): boolean {
    return this.#invite === undefined ? this.#other?.at === 'completed' : this.#invite.at === 'accepted' && !this.user;
  }

  /** What a copy of the request gets; undefined: nothing. */
  get answer(): Answer | undefined {
    return this.#response === undefined ? undefined : { flow: this.#back, text: this.#response };
  }

  due(): number {
    if (this.#invite) return inviteServer.due(this.#invite);
    return this.#other ? requestServer.due(this.#other) : NEVER;
  }

  tick(now: number, out: EndpointOutput[]): void {
    this.#step(TICK, undefined, now, out);
  }

  repeated(now: number, out: EndpointOutput[]): void {
    this.#step({ on: 'request' }, undefined, now, out);
  }

  ack(message: SipMessage, now: number, out: EndpointOutput[]): void {
    if (this.#invite) this.#step({ on: 'ack' }, message, now, out);
  }

  reply(message: SipMessage, now: number, out: EndpointOutput[]): void {
    this.#step({ on: 'reply', status: message.status }, message, now, out);
  }

  broken(now: number, out: EndpointOutput[]): void {
    this.adrift = this.#invite !== undefined && this.user?.waits?.(this) === true;
    // RFC 6026 section 7.1: its state stays as it is.
    if (!this.adrift) this.#step({ on: 'transport-error' }, undefined, now, out);
  }

  /** Its responses go over this connection from now on. */
  moveTo(flow: Flow): void {
    this.adrift = false;
    this.flow = flow;
    this.#back = flow;
  }

  #step(
    input: InviteServerInput | typeof TICK,
    message: SipMessage | undefined,
    now: number,
    out: EndpointOutput[],
  ): void {
    if (this.#invite) {
      const todo: InviteServerOutput[] = [];
      inviteServer.step(this.#invite, input, now, todo);
      for (const item of todo) this.#perform(item, message, now, out);
    } else if (this.#other && input.on !== 'ack') {
      const todo: RequestServerOutput[] = [];
      requestServer.step(this.#other, input, now, todo);
      for (const item of todo) this.#perform(item, message, now, out);
    }
  }

  #perform(
    item: InviteServerOutput | RequestServerOutput,
    message: SipMessage | undefined,
    now: number,
    out: EndpointOutput[],
  ): void {
    switch (item.do) {
      case 'trying':
        if (this.request) this.#reply(newResponse(this.request, 100), out);
        return;
      case 'reply':
        if (!message) return;
        this.#reply(message, out);
        return;
      case 'resend':
        if (this.#response) sendAgain(this.#back, this.#response, out);
        return;
      case 'deliver-ack':
        if (message) this.user?.onAck(this, message, now, out);
        return;
      case 'fail':
        this.user?.onFailure(this, item.why, now, out);
        return;
      case 'end':
        this.request = undefined;
        this.#response = undefined;
        this.#holder.forgetServer(this);
        return;
    }
  }

  #reply(message: SipMessage, out: EndpointOutput[]): void {
    const text = write(message);
    // The 2xx of an INVITE is repeated by its user alone (RFC 6026 section 8.7).
    this.#response = this.#invite?.at === 'accepted' ? undefined : text;
    if (message.status >= 200) this.request = undefined;
    out.push({ do: 'send', flow: this.#back, message, text });
  }
}

/** Sends a kept wire form again; one that has outgrown what any peer reads is left. */
export function sendAgain(flow: Flow, text: string, out: EndpointOutput[]): void {
  const { message } = parse(text);
  if (message) out.push({ do: 'send', flow, message, text });
}

/** The server transactions of one Call-ID: mostly an INVITE and the BYE of its call. */
export interface SameCall {
  readonly callId: string;
  first: ServerTransaction | undefined;
  count: number;
}

/** By what a server transaction is found that does not lie with the others of its Call-ID. */
export interface ServerKeys {
  readonly key: string;
  /** None inside a dialog. */
  readonly mergeKey: string | undefined;
}

/** Whence a request came and where its responses go. */
export interface ServerPlace {
  readonly flow: Flow;
  readonly back: Flow;
  /** Octets of the request. */
  readonly size: number;
}
