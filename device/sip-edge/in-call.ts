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
import { type DialogName, readRefer, referAccepted, writeDialogName } from '#shared/sip/refer.ts';
import { refuseNotify } from '#shared/sip/stray-notify.ts';
import type { CallHandle, EndpointOutput } from '#shared/sip/types.ts';
import type { EdgeCalls } from './calls.ts';
import type { EdgeCall } from './edge-call.ts';
import { isUpstream } from './end.ts';
import type { HouseTransfers } from './house-transfer.ts';

/** Headers of NOTIFY that the phone needs. */
const TOLD = ['Event', 'Subscription-State'] as const;

export class InCall {
  readonly #sip: SipPort;
  readonly #calls: EdgeCalls;
  readonly #asks: SipAsks;
  readonly #transfers: HouseTransfers;
  /** The number of the phone's last REFER that went to the softswitch: what comes of a second one is told under it (RFC 3515 section 2.4.6). */
  readonly #referred = new WeakMap<EdgeCall, number>();

  constructor(sip: SipPort, calls: EdgeCalls, transfers: HouseTransfers) {
    this.#transfers = transfers;
    this.#sip = sip;
    this.#calls = calls;
    this.#asks = new SipAsks(sip);
  }

  /** True for the news of a request that was sent here. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#asks.take(output);
  }

  /** The status with which a request inside a call is answered. */
  async take(handle: CallHandle, message: SipMessage): Promise<number> {
    const found = this.#calls.driver.ofHandle(handle);
    if (found === undefined) return message.method === 'INFO' ? 200 : 481;
    const { call, party } = found;
    const other = party === CALLER ? (call.state.winner ?? '') : CALLER;
    const peer = call.handles.get(other);
    if (message.method === 'INFO') return this.#info(call, peer, message);
    // Whose other side has left (parked, or one of three) keeps its dialog, which 481 would end, and stays where it is.
    if (message.method === 'REFER' && peer === undefined && call.state.at === 'up') return 491;
    if (peer === undefined || call.state.at !== 'up') return 481;
    // Phones here are never asked to transfer: what they tell of that, nobody wants to know.
    if (message.method === 'NOTIFY' && !isUpstream(found)) return refuseNotify(message, ['refer']).status;
    if (message.method === 'NOTIFY')
      return this.#ask(peer, message, 'NOTIFY', toldHeaders(message, this.#referred.get(call)));
    if (message.method !== 'REFER') return 501;
    const inHouse = this.#transfers.take(handle, message, { call, party });
    if (inHouse === undefined) this.#referred.set(call, message.cseq.n);
    return inHouse ?? this.#refer(peer, message);
  }

  async #info(call: EdgeCall, peer: CallHandle | undefined, message: SipMessage): Promise<number> {
    if (peer === undefined || call.state.at !== 'up') return message.body === '' ? 200 : 480;
    return this.#ask(peer, message, 'INFO', []);
  }

  /** The softswitch transfers; to it the phone's other call has another name. */
  async #refer(peer: CallHandle, message: SipMessage): Promise<number> {
    const asked = readRefer(message);
    if ('refuse' in asked) return asked.refuse;
    const replaces = asked.replaces === undefined ? undefined : this.#upstreamName(asked.replaces);
    if (asked.replaces !== undefined && replaces === undefined) return 404;
    const to =
      replaces === undefined ? asked.uri : `${asked.uri}?Replaces=${encodeURIComponent(writeDialogName(replaces))}`;
    const privacy = wantsPrivacy(message) ? [['Privacy', 'id'] as const] : [];
    // What the answer has to say is what the softswitch is asked for.
    return this.#ask(peer, message, 'REFER', [['Refer-To', `<${to}>`], ...referAccepted(asked.silent), ...privacy]);
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

/** Headers of the answer to a request inside a call. */
export function answerHeaders(message: SipMessage, status: number): readonly HeaderLine[] {
  const asked = message.method === 'REFER' && status < 300 ? readRefer(message) : undefined;
  return asked === undefined || 'refuse' in asked ? [] : referAccepted(asked.silent);
}

/** What a NOTIFY of the softswitch tells a phone; `referred`: the phone's number of the REFER that it is about, where that has one. */
export function toldHeaders(message: SipMessage, referred: number | undefined): [string, string][] {
  return TOLD.flatMap((name): [string, string][] => {
    const value = message.header(name);
    return value === undefined
      ? []
      : [[name, value.replace(/;\s*id=\d+/, referred === undefined ? '' : `;id=${referred}`)]];
  });
}
