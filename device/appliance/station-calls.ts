/**
 * The calls of a device that is itself one SIP endpoint. Called, it answers at once, plays its chime and then gives back what it
 * hears (so that whoever set it up can hear that both ways work); calling, it plays its chime over and over.
 */

import { revised } from '#shared/call/direction.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { World } from '#shared/kernel/world.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import type { CallHandle, EndpointOutput, Flow } from '#shared/sip/types.ts';
import { type Anchor, type Anchored, GROUP, nodeOf } from '../media-relay/anchor.ts';

/** Calls at a time; one more gets 486. */
export const STATION_CALLS = 4;

const LEG = 'far';
const CHIME_LEG = 'chime';

interface StationCall {
  readonly end: Anchored;
  /** It called, by its button. */
  readonly outgoing: boolean;
  /** Version of our last description (RFC 3264 section 8). */
  version: number;
}

export interface StationCallsOptions {
  readonly world: World;
  readonly sip: SipPort;
  readonly engine: MediaEngine;
  readonly anchor: Anchor;
  /** Path of the chime's file. */
  readonly chime: string;
  readonly changed: () => void;
}

/** Whom a call goes to: addresses as in `InviteOptions`. */
export interface Outgoing {
  readonly uri: string;
  readonly from: string;
  readonly flow: Flow;
}

export class StationCalls {
  readonly #o: StationCallsOptions;
  readonly #calls = new Map<CallHandle, StationCall>();
  /** Outgoing calls whose media is still being prepared. */
  #preparing = 0;
  #serial = 0;

  constructor(options: StationCallsOptions) {
    this.#o = options;
    options.engine.onEvent((event) => {
      if (event.on === 'player-ended') void this.#chimed(event.id);
    });
  }

  get size(): number {
    return this.#calls.size + this.#preparing;
  }

  /** A call comes in over the kept flow. */
  async start(handle: CallHandle, flow: Flow, offer: string | undefined): Promise<void> {
    if (this.size >= STATION_CALLS) return this.#refuse(handle, 486);
    if (offer === undefined) return this.#refuse(handle, 488);
    const call = this.#newCall(flow, false);
    this.#calls.set(handle, call);
    this.#o.changed();
    const reply = await this.#o.anchor.answer(call.end, offer);
    // The caller may have given up meanwhile.
    if (!this.#calls.has(handle)) return this.#release(call);
    if ('failed' in reply || reply.sdp === undefined) {
      this.#forget(handle);
      return this.#refuse(handle, 'failed' in reply ? reply.failed : 488);
    }
    const { sdp } = reply;
    const { sip } = this.#o;
    sip.act((endpoint, now, out) => endpoint.answer(handle, { sdp, contact: sip.contact(flow) }, now, out));
    await this.#chime(call);
  }

  /** Calls; false where it has too many calls or no media. */
  async call({ uri, from, flow }: Outgoing): Promise<boolean> {
    if (this.size >= STATION_CALLS) return false;
    const call = this.#newCall(flow, true);
    this.#preparing++;
    const reply = await this.#o.anchor.offer(call.end);
    this.#preparing--;
    if ('failed' in reply || reply.sdp === undefined) {
      await this.#release(call);
      return false;
    }
    const { sdp } = reply;
    const { sip } = this.#o;
    const contact = sip.contact(flow);
    const headers: [string, string][] = [['P-Asserted-Identity', from]];
    const options = { uri, from, to: `<${uri}>`, flow, contact, headers, sdp };
    this.#calls.set(
      sip.act((endpoint, now, out) => endpoint.invite(options, now, out)),
      call,
    );
    this.#o.changed();
    return true;
  }

  /** What the endpoint says of a call. */
  take(output: Extract<EndpointOutput, { call: CallHandle }>): void {
    const call = this.#calls.get(output.call);
    if (call === undefined) return;
    if (output.do === 'ended' || output.do === 'failed') this.#forget(output.call);
    else if (output.do === 'answered') void this.#answered(output.call, call, output.sdp);
    else if (output.do === 'offer') void this.#offered(output.call, call, output.sdp);
  }

  /** A new flow to the softswitch: the calls go on over it. */
  moveTo(flow: Flow): void {
    const { sip } = this.#o;
    for (const handle of this.#calls.keys()) {
      sip.endpoint.moveCall(handle, flow);
      sip.act((endpoint, now, out) => endpoint.probe(handle, now, out));
    }
  }

  hangUpAll(): void {
    for (const handle of [...this.#calls.keys()]) this.#hangUp(handle);
  }

  async #answered(handle: CallHandle, call: StationCall, sdp: string | undefined): Promise<void> {
    const reply = sdp === undefined ? { failed: 488 } : await this.#o.anchor.accept(call.end, sdp);
    if (!this.#calls.has(handle)) return;
    if ('failed' in reply) this.#hangUp(handle);
    else await this.#chime(call);
  }

  async #offered(handle: CallHandle, call: StationCall, sdp: string | undefined): Promise<void> {
    call.version++;
    const { anchor, sip } = this.#o;
    const reply = sdp === undefined ? await anchor.offer(call.end) : await anchor.answer(call.end, sdp);
    sip.act((endpoint, now, out) => {
      if ('failed' in reply || reply.sdp === undefined) endpoint.refuseOffer(handle, 488, now, out);
      else endpoint.acceptOffer(handle, revised(reply.sdp, call.version), now, out);
    });
  }

  async #chime({ end, outgoing }: StationCall): Promise<void> {
    const { engine, anchor, chime, world } = this.#o;
    const id = nodeOf(end.call, CHIME_LEG);
    try {
      const source = { file: chime };
      await engine.player({ id, owner: `${end.call}/${CHIME_LEG}`, group: GROUP, source, loop: outgoing, gain: 1 });
      await engine.connect(id, nodeOf(end.call, LEG), true);
      await engine.start(id);
    } catch (error) {
      // The call ended meanwhile, or the file cannot be played: the call itself goes on.
      world.log.warn('appliance.no-chime', { error: String(error) });
    }
    if (![...this.#calls.values()].some((call) => call.end === end)) await anchor.release(end.call, CHIME_LEG);
  }

  /** The chime of a call that came in is over: from now on it gives back what it hears. */
  async #chimed(player: string): Promise<void> {
    const call = [...this.#calls.values()].find(({ end }) => nodeOf(end.call, CHIME_LEG) === player);
    if (call === undefined) return;
    await this.#o.engine.release(player);
    const node = nodeOf(call.end.call, LEG);
    await this.#o.anchor
      .connect(call.end.call, LEG, LEG)
      .catch(() => this.#o.world.log.debug('appliance.gone', { node }));
  }

  #newCall(flow: Flow, outgoing: boolean): StationCall {
    const call = `a${++this.#serial}x${Math.floor(this.#o.world.clock.wall()).toString(36)}`;
    return { end: { call, leg: LEG, host: flow.local.host }, outgoing, version: 1 };
  }

  #hangUp(handle: CallHandle): void {
    this.#o.sip.act((endpoint, now, out) => endpoint.hangup(handle, '', now, out));
    this.#forget(handle);
  }

  #forget(handle: CallHandle): void {
    const call = this.#calls.get(handle);
    if (call === undefined) return;
    this.#calls.delete(handle);
    void this.#release(call);
    this.#o.changed();
  }

  async #release({ end }: StationCall): Promise<void> {
    await this.#o.anchor.release(end.call, end.leg);
    await this.#o.anchor.release(end.call, CHIME_LEG);
  }

  #refuse(handle: CallHandle, status: number): void {
    this.#o.sip.act((endpoint, now, out) => endpoint.reject(handle, status, {}, now, out));
  }
}
