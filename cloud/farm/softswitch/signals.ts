/** What a call's machine wants said over SIP, said by the endpoint. */
import { CALLER, type CallOutput, type Party } from '#shared/call/call.ts';
import { revised, versionOf } from '#shared/call/direction.ts';
import { reasonHeader } from '#shared/call/outcome.ts';
import type { CallHandle, EndpointOutput, SipEndpoint } from '#shared/sip/types.ts';
import { addressOf, type Callee, type Live, type SipPort } from './live.ts';

type Output = CallOutput<Callee>;
type Invite = Extract<Output, { do: 'invite' }>;
type Said = Extract<
  Output,
  { do: 'progress' | 'answer' | 'reject' | 'hangup' | 'reoffer' | 'accept-offer' | 'refuse-offer' }
>;

export interface SignalHooks {
  /** A dialog of a party has begun. */
  readonly bind: (live: Live, party: Party, handle: CallHandle) => void;
  /** A line is part of the call. */
  readonly count: (live: Live, line: string) => void;
}

export class Signals {
  readonly #sip: SipPort;
  readonly #domain: string;
  readonly #hooks: SignalHooks;

  constructor(sip: SipPort, domain: string, hooks: SignalHooks) {
    this.#sip = sip;
    this.#domain = domain;
    this.#hooks = hooks;
  }

  carryOut(live: Live, o: Invite | Said): void {
    if (o.do === 'invite') {
      this.#invite(live, o);
      return;
    }
    const handle = live.handles.get('party' in o ? o.party : CALLER);
    if (handle !== undefined) this.#sip.act((endpoint, now, out) => this.#say(live, handle, o, { endpoint, now, out }));
  }

  #say(
    live: Live,
    handle: CallHandle,
    o: Said,
    { endpoint, now, out }: { endpoint: SipEndpoint; now: number; out: EndpointOutput[] },
  ): void {
    switch (o.do) {
      case 'progress':
        endpoint.progress(handle, o.status, { ...this.#contactOf(live), ...sdpOf(o) }, now, out);
        break;
      case 'answer':
        live.versions.set(CALLER, versionOf(o.sdp));
        endpoint.answer(handle, { contact: '', ...this.#contactOf(live), sdp: o.sdp }, now, out);
        break;
      case 'reject':
        endpoint.reject(handle, o.status, { headers: [['Reason', reasonHeader(o.reason)]] }, now, out);
        break;
      case 'hangup':
        endpoint.hangup(handle, reasonHeader(o.reason), now, out);
        break;
      case 'reoffer':
        endpoint.reoffer(handle, nextVersion(live, o.party, o.sdp), now, out);
        break;
      case 'accept-offer':
        endpoint.acceptOffer(handle, nextVersion(live, o.party, o.sdp), now, out);
        break;
      case 'refuse-offer':
        endpoint.refuseOffer(handle, o.status, now, out);
    }
  }

  #contactOf(live: Live): { readonly contact?: string } {
    return live.flow === undefined ? {} : { contact: this.#sip.contact(live.flow) };
  }

  #invite(live: Live, o: Invite): void {
    const { contact, line, headers = [] } = o.to;
    const from = addressOf(live.caller, this.#domain);
    const options = {
      uri: contact.uri,
      from,
      to: addressOf({ number: line.number }, this.#domain),
      flow: contact.flow,
      contact: this.#sip.contact(contact.flow),
      route: contact.path,
      // To a gateway the number is vouched for (RFC 3325); a direct phone need not know that we did.
      headers: contact.gateway === undefined ? headers : [['P-Asserted-Identity', from] as const, ...headers],
      sdp: o.sdp,
    };
    // The handle is known before anything of the call can be heard.
    const handle = this.#sip.act((endpoint, now, out) => {
      const made = endpoint.invite(options, now, out);
      this.#hooks.bind(live, o.branch, made);
      live.versions.set(o.branch, versionOf(o.sdp));
      return made;
    });
    if (!live.counted.includes(line.id)) this.#hooks.count(live, line.id);
    if (live.opened !== undefined) {
      live.callId = this.#sip.endpoint.dialogId(handle)?.callId ?? '';
      live.opened({ callId: live.callId });
      delete live.opened;
    }
  }
}

function nextVersion(live: Live, party: Party, sdp: string): string {
  const version = Math.max(versionOf(sdp), (live.versions.get(party) ?? 0) + 1);
  live.versions.set(party, version);
  // What passes from phone to phone counts its own versions.
  return live.state.relay ? revised(sdp, version) : sdp;
}

export function sdpOf(from: { readonly sdp?: string }): { readonly sdp?: string } {
  return from.sdp === undefined ? {} : { sdp: from.sdp };
}
