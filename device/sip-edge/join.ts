/**
 * Media channels that join a call (RFC 3911): the softswitch names the dialog of the conference channel; the gateway answers at
 * once, without ringing, and mixes the channel into what the phone hears. The conference hears only the phone.
 */
import { revised } from '#shared/call/direction.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { isGone } from '#shared/host/call-restore.ts';
import type { Log } from '#shared/kernel/world.ts';
import { readDialogName } from '#shared/sip/refer.ts';
import type { CallHandle, EndpointOutput, Flow } from '#shared/sip/types.ts';
import type { Anchor, Anchored, AnchorReply } from '../media-relay/anchor.ts';
import { askWhether } from './call-flows.ts';
import type { EdgeCalls } from './calls.ts';
import type { EdgeCall } from './edge-call.ts';
import type { SavedChannel } from './saved-call.ts';

/** Channels that one call may have beside its own; more are refused. */
export const JOIN_LIMIT = 4;

interface Channel {
  readonly call: EdgeCall;
  end: Anchored;
  flow: Flow;
  /** Version of our last description (RFC 3264 section 8). */
  version: number;
}

export class Joins {
  readonly #channels = new Map<CallHandle, Channel>();
  readonly #sip: SipPort;
  readonly #anchor: Anchor;
  readonly #calls: () => EdgeCalls;
  readonly #log: Log;
  /** The channels of a call changed. */
  readonly #changed: (call: EdgeCall) => void;
  #serial = 0;

  constructor(
    sip: SipPort,
    anchor: Anchor,
    calls: () => EdgeCalls,
    log: Log,
    changed: (call: EdgeCall) => void = () => {},
  ) {
    this.#sip = sip;
    this.#anchor = anchor;
    this.#calls = calls;
    this.#log = log;
    this.#changed = changed;
  }

  get size(): number {
    return this.#channels.size;
  }

  /** An INVITE from the softswitch with a Join header. */
  async start(handle: CallHandle, flow: Flow, value: string, offer: string | undefined): Promise<void> {
    const target = readDialogName(value);
    // "to-tag" is ours, since the header is written from the receiver's side (RFC 3911 section 4).
    const found =
      target === undefined ? undefined : this.#calls().ofDialog(target.callId, target.toTag, target.fromTag);
    if (found === undefined) return this.#refuse(handle, target === undefined ? 400 : 481);
    if (found.call.joined.size >= JOIN_LIMIT) return this.#refuse(handle, 486);
    if (offer === undefined) return this.#refuse(handle, 488);
    const { call, phoneLeg } = found;
    const leg = `join${++this.#serial}`;
    const end = { call: call.id, leg, host: flow.local.host };
    this.#channels.set(handle, { call, end, flow, version: 1 });
    call.joined.add(leg);
    const reply = await this.#join(end, phoneLeg, offer);
    // The call or the channel may have ended meanwhile; whoever ended it has freed the end.
    if (!this.#channels.has(handle)) return;
    if ('failed' in reply || reply.sdp === undefined) {
      this.#forget(handle);
      return this.#refuse(handle, 'failed' in reply ? reply.failed : 488);
    }
    const { sdp } = reply;
    this.#sip.act((endpoint, now, out) => endpoint.answer(handle, { sdp, contact: this.#sip.contact(flow) }, now, out));
    this.#changed(call);
  }

  /** The channels that joined a call, to be kept with it. */
  saved(call: EdgeCall): SavedChannel[] {
    return [...this.#channels].flatMap(([handle, { call: joined, end, flow, version }]) => {
      const dialog = joined === call ? this.#sip.endpoint.snapshot(handle) : undefined;
      return dialog === undefined ? [] : [{ leg: end.leg, dialog, flow, version, origin: this.#anchor.idOf(end) }];
    });
  }

  /** Takes up a channel of an earlier process. */
  restore(call: EdgeCall, { leg, flow, version, origin }: SavedChannel, handle: CallHandle): void {
    const end = { call: call.id, leg, host: flow.local.host };
    this.#anchor.restore(end, origin);
    this.#channels.set(handle, { call, end, flow, version });
    call.joined.add(leg);
    this.#serial = Math.max(this.#serial, Number(leg.replace('join', '')));
  }

  /** Media of a channel, heard by the phone; a phone that has no media yet cannot be joined. */
  async #join(end: Anchored, phoneLeg: string, offer: string): Promise<AnchorReply> {
    const reply = await this.#anchor.answer(end, offer);
    if ('failed' in reply) return reply;
    try {
      await this.#anchor.connect(end.call, end.leg, phoneLeg);
      return reply;
    } catch (error) {
      this.#log.warn('edge.not-joined', { call: end.call, error: String(error) });
      return { failed: 480 };
    }
  }

  /** What the endpoint says of a channel; true where it was one of ours. */
  take(output: Extract<EndpointOutput, { call: CallHandle }>): boolean {
    const channel = this.#channels.get(output.call);
    if (channel === undefined) return false;
    if (output.do === 'ended') {
      this.#forget(output.call);
      this.#changed(channel.call);
    } else if (output.do === 'offer') void this.#reoffered(output.call, channel, output.sdp);
    else if (output.do === 'reoffered') void this.#told(channel, output);
    return true;
  }

  /** A call is over: the channels that joined it end. */
  callOver(call: EdgeCall): void {
    for (const [handle, channel] of [...this.#channels]) {
      if (channel.call !== call) continue;
      this.#forget(handle);
      this.#sip.act((endpoint, now, out) => endpoint.hangup(handle, '', now, out));
    }
  }

  /** There is a new flow to the softswitch: a channel that had another one of this process is told where its sound is now, as calls are. */
  moveTo(flow: Flow): void {
    for (const [handle, channel] of [...this.#channels]) {
      const before = this.#sip.endpoint.flowOf(handle);
      this.#sip.endpoint.moveCall(handle, flow);
      askWhether(this.#sip, handle);
      if (before === undefined || isGone(before)) continue;
      channel.flow = flow;
      channel.end = { ...channel.end, host: flow.local.host };
      void this.#tell(handle, channel);
    }
  }

  async #tell(handle: CallHandle, channel: Channel): Promise<void> {
    const version = ++channel.version;
    const reply = await this.#anchor.offer(channel.end);
    if (!this.#channels.has(handle)) return;
    if ('failed' in reply || reply.sdp === undefined) return this.#notMoved(channel);
    const sdp = revised(reply.sdp, version);
    this.#sip.act((endpoint, now, out) => endpoint.reoffer(handle, sdp, now, out));
    this.#changed(channel.call);
  }

  async #told(channel: Channel, { ok, sdp }: Extract<EndpointOutput, { readonly do: 'reoffered' }>): Promise<void> {
    const taken = ok && sdp !== undefined ? await this.#anchor.accept(channel.end, sdp) : { failed: 488 };
    if ('failed' in taken) this.#notMoved(channel);
  }

  #notMoved({ call }: Channel): void {
    this.#log.warn('edge.call-not-moved', { call: call.id, tries: 1 });
  }

  async #reoffered(handle: CallHandle, channel: Channel, sdp: string | undefined): Promise<void> {
    const { end } = channel;
    const version = ++channel.version;
    const reply = sdp === undefined ? await this.#anchor.offer(end) : await this.#anchor.answer(end, sdp);
    this.#sip.act((endpoint, now, out) => {
      if ('failed' in reply || reply.sdp === undefined) endpoint.refuseOffer(handle, 488, now, out);
      else endpoint.acceptOffer(handle, revised(reply.sdp, version), now, out);
    });
  }

  #forget(handle: CallHandle): void {
    const channel = this.#channels.get(handle);
    if (channel === undefined) return;
    channel.call.joined.delete(channel.end.leg);
    this.#channels.delete(handle);
    void this.#anchor.release(channel.end.call, channel.end.leg);
  }

  #refuse(handle: CallHandle, status: number): void {
    this.#sip.act((endpoint, now, out) => endpoint.reject(handle, status, {}, now, out));
  }
}
