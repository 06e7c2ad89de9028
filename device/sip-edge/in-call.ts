/**
 * Requests inside calls that belong to the other side: INFO (digits of phones that know no RFC 4733) goes through, REFER of a phone
 * goes (where it is not about the house alone) to the softswitch with the names of its dialogs translated, and NOTIFY of the softswitch tells the phone what came of it.
 */
import { CALLER } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipAsks } from '#shared/host/sip-messaging.ts';
import type { HeaderLine } from '#shared/sip/build.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { wantsPrivacy } from '#shared/sip/privacy.ts';
import {
  type DialogName,
  readRefer,
  referAccepted,
  referProgress,
  renewsNews,
  SIPFRAG,
  writeDialogName,
} from '#shared/sip/refer.ts';
import { refuseNotify } from '#shared/sip/stray-notify.ts';
import type { CallHandle, EndpointOutput } from '#shared/sip/types.ts';
import type { EdgeCalls } from './calls.ts';
import type { EdgeCall } from './edge-call.ts';
import { isUpstream, lineOf } from './end.ts';
import type { HouseTransfers } from './house-transfer.ts';

/** The answer to a request. */
interface Answered {
  readonly status: number;
  readonly headers: readonly HeaderLine[];
}

/** Headers of NOTIFY that the phone needs. */
const TOLD = ['Event', 'Subscription-State'] as const;

export class InCall {
  readonly #sip: SipPort;
  readonly #calls: EdgeCalls;
  readonly #asks: SipAsks;
  readonly #transfers: HouseTransfers;
  /** The phone's last REFER that went to the softswitch, by the number of its news; `deaf`: it wants no more of it. */
  readonly #referred = new WeakMap<EdgeCall, { readonly id: number | undefined; deaf: boolean }>();

  constructor(sip: SipPort, calls: EdgeCalls, transfers: HouseTransfers) {
    this.#transfers = transfers;
    this.#sip = sip;
    this.#calls = calls;
    this.#asks = new SipAsks(sip);
  }

  /** True for the news of a request that was sent here. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#asks.take(output) || this.#transfers.heard(output);
  }

  /** The answer to a request inside a call. */
  async answer(handle: CallHandle, message: SipMessage): Promise<Answered> {
    if (message.method === 'SUBSCRIBE') return this.#renew(handle, message);
    const status = await this.#take(handle, message);
    const asked = message.method === 'REFER' && status < 300 ? readRefer(message) : undefined;
    return { status, headers: asked === undefined || 'refuse' in asked ? [] : referAccepted(asked.silent) };
  }

  /** A SUBSCRIBE inside a call: a subscription is a dialog of its own (RFC 6665 section 4.5.2), but for the news of a transfer. */
  #renew(handle: CallHandle, message: SipMessage): Answered {
    const found = this.#calls.driver.ofHandle(handle);
    const inHouse = this.#transfers.toldIn(handle);
    const referred = found === undefined ? undefined : this.#referred.get(found.call);
    const { state, ...answer } = renewsNews(message, inHouse ?? (referred?.deaf === false ? referred : undefined));
    if (state === undefined) return answer;
    if (inHouse !== undefined) this.#transfers.renewed(handle, state);
    else if (referred !== undefined) {
      const { headers, body } = referProgress(100, referred.id, state);
      const news = { headers, body, contentType: SIPFRAG };
      this.#sip.act((endpoint, now, out) => void endpoint.requestInDialog(handle, 'NOTIFY', news, now, out));
      referred.deaf = state.startsWith('terminated');
    }
    return answer;
  }

  /** The status with which a request inside a call is answered. */
  async #take(handle: CallHandle, message: SipMessage): Promise<number> {
    const found = this.#calls.driver.ofHandle(handle);
    if (found === undefined) return message.method === 'INFO' ? 200 : 481;
    const { call, party } = found;
    const other = party === CALLER ? (call.state.winner ?? '') : CALLER;
    const peer = call.handles.get(other);
    if (message.method === 'INFO') return this.#info(call, peer, message);
    // Whose other side has left (parked, or one of three) keeps its dialog, which 481 would end, and stays where it is.
    if (message.method === 'REFER' && (peer === undefined || call.state.at !== 'up')) return 491;
    if (peer === undefined || call.state.at !== 'up') return 481;
    // Phones here are never asked to transfer: what they tell of that, nobody wants to know.
    if (message.method === 'NOTIFY' && !isUpstream(found)) return refuseNotify(message, ['refer']).status;
    if (message.method === 'NOTIFY') return this.#told(call, peer, message);
    if (message.method !== 'REFER') return 501;
    // Whoever is outside has no line that would call for it.
    if (lineOf(found) === undefined) return 403;
    const id = this.#transfers.numberOf(handle, message);
    const inHouse = this.#transfers.take(handle, message, { call, party }, id);
    return inHouse ?? this.#refer(call, peer, message, id);
  }

  /** The softswitch tells the phone what came of its REFER. */
  async #told(call: EdgeCall, peer: CallHandle, message: SipMessage): Promise<number> {
    const referred = this.#referred.get(call);
    const isLast = message.header('Subscription-State')?.trim().toLowerCase().startsWith('terminated') === true;
    if (isLast) this.#referred.delete(call);
    return referred?.deaf === true ? 481 : this.#ask(peer, message, 'NOTIFY', toldHeaders(message, referred?.id));
  }

  async #info(call: EdgeCall, peer: CallHandle | undefined, message: SipMessage): Promise<number> {
    if (peer === undefined || call.state.at !== 'up') return message.body === '' ? 200 : 480;
    return this.#ask(peer, message, 'INFO', []);
  }

  /** The softswitch transfers; to it the phone's other call has another name. */
  async #refer(call: EdgeCall, peer: CallHandle, message: SipMessage, id: number | undefined): Promise<number> {
    const asked = readRefer(message);
    if ('refuse' in asked) return asked.refuse;
    const replaces = asked.replaces === undefined ? undefined : this.#upstreamName(asked.replaces);
    if (asked.replaces !== undefined && replaces === undefined) return 603;
    const to =
      replaces === undefined ? asked.uri : `${asked.uri}?Replaces=${encodeURIComponent(writeDialogName(replaces))}`;
    const privacy = wantsPrivacy(message) ? [['Privacy', 'id'] as const] : [];
    const before = this.#referred.get(call);
    // News may come before the answer.
    if (!asked.silent) this.#referred.set(call, { id, deaf: false });
    // What the answer has to say is what the softswitch is asked for.
    const headers = [['Refer-To', `<${to}>`] as const, ...referAccepted(asked.silent), ...privacy];
    const status = await this.#ask(peer, message, 'REFER', headers);
    if (status < 300 || asked.silent) return status;
    if (before === undefined) this.#referred.delete(call);
    else this.#referred.set(call, before);
    return status;
  }

  /** The upstream dialog of the call that a phone knows by this name: from its side our tag is the from-tag's other end. */
  #upstreamName({ callId, toTag, fromTag }: DialogName): Omit<DialogName, 'earlyOnly'> | undefined {
    const found = this.#calls.ofDialog(callId, toTag, fromTag);
    if (found === undefined) return undefined;
    const { call } = found;
    for (const [party, handle] of call.handles) {
      const id = isUpstream({ call, party }) ? this.#sip.endpoint.dialogId(handle) : undefined;
      if (id?.remoteTag !== undefined) return { callId: id.callId, toTag: id.remoteTag, fromTag: id.localTag };
    }
    return undefined;
  }

  async #ask(
    peer: CallHandle,
    message: SipMessage,
    method: string,
    headers: readonly (readonly [string, string])[],
  ): Promise<number> {
    const contentType = message.header('Content-Type');
    const options = { headers, body: message.body, ...(contentType === undefined ? {} : { contentType }) };
    const answer = await this.#asks.send((endpoint, now, out) =>
      endpoint.requestInDialog(peer, method, options, now, out),
    );
    return answer.status === 0 ? 408 : answer.status;
  }
}

/** What a NOTIFY of the softswitch tells a phone; `id`: the number by which the phone knows its REFER, where that was not its first in the call. */
export function toldHeaders(message: SipMessage, id: number | undefined): [string, string][] {
  return TOLD.flatMap((name): [string, string][] => {
    const value = message.header(name);
    return value === undefined
      ? []
      : [[name, name === 'Event' ? `refer${id === undefined ? '' : `;id=${id}`}` : value]];
  });
}
