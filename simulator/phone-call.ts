/** One call as a phone has it. */
import type { RtpPeer } from '#shared/media-engine/rtp-peer.ts';
import { readEnd } from '#shared/sip/fax.ts';
import type { Direction } from '#shared/sip/sdp.ts';
import type { CallHandle } from '#shared/sip/types.ts';

/** What a call asks of its phone. */
export interface CallOwner {
  answer(call: PhoneCall): void;
  hangup(call: PhoneCall): void;
  offerAgain(call: PhoneCall, direction: Direction, like?: string): void;
  askOffer(call: PhoneCall): void;
}

/** What a fax machine offers. */
const T38 = [
  ...['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', 'm=image 9 udptl t38'],
  ...[
    'a=T38FaxVersion:0',
    'a=T38MaxBitRate:14400',
    'a=T38FaxRateManagement:transferredTCF',
    'a=T38FaxMaxDatagram:400',
    '',
  ],
].join('\r\n');

export class PhoneCall {
  readonly phone: CallOwner;
  readonly outgoing: boolean;
  readonly rtp: RtpPeer;
  state: 'calling' | 'ringing' | 'up' | 'ended' = 'calling';
  /** Final status of a call that was not answered, and why an answered one ended. */
  status = 0;
  why = '';
  /** From of a call that came in, as text. */
  from = '';
  /** Alert-Info of its INVITE. */
  alerts: readonly string[] = [];
  /** Who sent it on, values of History-Info. */
  history: readonly string[] = [];
  /** Who transferred it, the value of Referred-By (RFC 3892). */
  referredBy: string | undefined;
  callId = '';
  /** Provisional statuses heard. */
  readonly progress: number[] = [];
  /** The other side lets us hear nothing. */
  held = false;
  handle: CallHandle = '';
  /** Descriptions of ours so far, and the dialog's `o=` id. */
  version = 1;
  readonly sessionId: number;
  offer: string | undefined;
  /** Bodies of INFO heard. */
  readonly infos: string[] = [];
  /** Bodies of NOTIFY heard. */
  readonly notified: string[] = [];
  /** It has agreed on fax; datagrams of that which came. */
  fax = false;
  readonly pages: Uint8Array[] = [];
  /** Telephone events of the other side. */
  eventType: number | undefined;

  constructor(phone: CallOwner, outgoing: boolean, rtp: RtpPeer, sessionId: number) {
    this.phone = phone;
    this.outgoing = outgoing;
    this.rtp = rtp;
    rtp.onOther = (data) => this.pages.push(data);
    this.sessionId = sessionId;
  }

  answer(): void {
    this.phone.answer(this);
  }

  hangup(): void {
    this.phone.hangup(this);
  }

  /** It asked the other side for an offer, and owes the answer. */
  asked = false;

  /** Asks the other side for an offer (a re-INVITE without one) and answers that. */
  ask(): void {
    this.phone.askOffer(this);
  }

  /** Puts the other side on hold, or takes it back; before the answer too. */
  hold(on: boolean): void {
    this.phone.offerAgain(this, on ? 'sendonly' : 'sendrecv');
  }

  /** Offers fax in place of sound, or sound again. */
  switchToFax(on: boolean): void {
    this.phone.offerAgain(this, 'sendrecv', on ? T38 : undefined);
  }

  /** Talks to where a description of the other side says. */
  hear(sdp: string, voice: Int16Array): void {
    const remote = readEnd(sdp, sdp);
    if (remote === undefined) return;
    this.held = !remote.receives;
    this.fax = remote.opaque === true;
    if (this.fax) this.rtp.stop();
    this.rtp.target = remote.receives ? remote.address : undefined;
    this.rtp.codec = remote.codec;
    this.eventType = remote.eventType;
    this.rtp.eventType = remote.eventType;
    if (!this.fax) this.rtp.play(voice, true);
  }

  /** Samples heard so far. */
  heard(): Int16Array {
    return this.rtp.heard();
  }

  /** Digits that the other side sent as telephone events. */
  get digits(): string {
    return this.rtp.digits;
  }

  press(digit: string): void {
    if (this.eventType !== undefined) this.rtp.press(digit, this.eventType);
  }
}

/** A Refer-To value: a number, or the far side of another call by its dialog (Replaces, RFC 3891). */
export function referTo(
  domain: string,
  target: string | PhoneCall,
  dialog: { readonly callId: string; readonly localTag: string; readonly remoteTag?: string } | undefined,
): string {
  if (typeof target === 'string') return `<sip:${target}@${domain}>`;
  const name = `${dialog?.callId};to-tag=${dialog?.remoteTag};from-tag=${dialog?.localTag}`;
  return `<sip:far@${domain}?Replaces=${encodeURIComponent(name)}>`;
}
