/** One call as a phone has it. */
import type { RtpPeer } from '#shared/media-engine/rtp-peer.ts';
import type { Direction } from '#shared/sip/sdp.ts';
import type { CallHandle } from '#shared/sip/types.ts';

/** What a call asks of its phone. */
export interface CallOwner {
  answer(call: PhoneCall): void;
  hangup(call: PhoneCall): void;
  offerAgain(call: PhoneCall, direction: Direction): void;
}

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
  /** Telephone events of the other side. */
  eventType: number | undefined;

  constructor(phone: CallOwner, outgoing: boolean, rtp: RtpPeer, sessionId: number) {
    this.phone = phone;
    this.outgoing = outgoing;
    this.rtp = rtp;
    this.sessionId = sessionId;
  }

  answer(): void {
    this.phone.answer(this);
  }

  hangup(): void {
    this.phone.hangup(this);
  }

  /** Puts the other side on hold, or takes it back. */
  hold(on: boolean): void {
    this.phone.offerAgain(this, on ? 'sendonly' : 'sendrecv');
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
