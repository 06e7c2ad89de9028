/** Where the media of each leg of a call is anchored: towards a phone on the LAN, towards the softswitch or a way out on the WAN. */
import { CALLER, type CallOutput, type Party } from '#shared/call/call.ts';
import type { MediaReply } from '#shared/host/call-driver.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Anchor, Anchored } from '../media-relay/anchor.ts';
import { CALLER_LEG, type EdgeCall, type Ring } from './edge-call.ts';
import { isUpstream } from './end.ts';

export class CallMedia {
  readonly #anchor: Anchor;
  readonly #upstream: () => Flow | undefined;

  constructor(anchor: Anchor, upstream: () => Flow | undefined) {
    this.#anchor = anchor;
    this.#upstream = upstream;
  }

  /** The description that a call asks for; 503 where its side has no place. */
  async give(call: EdgeCall, ask: Extract<CallOutput<Ring>, { do: 'media' }>): Promise<MediaReply> {
    const end = this.#end(call, ask);
    if (end === undefined) return { failed: 503 };
    if (ask.want === 'offer') return this.#anchor.offer(end, ask.like);
    return ask.want === 'answer'
      ? this.#anchor.answer(end, ask.sdp ?? '', ask.like)
      : this.#anchor.accept(end, ask.sdp ?? '');
  }

  #end(call: EdgeCall, { leg, party }: { readonly leg: string; readonly party: Party }): Anchored | undefined {
    // Who has left a call that goes on is told nothing, and needs no end.
    if (call.state.at === 'up' && !call.handles.has(party)) return undefined;
    // Its flow of the beginning may be gone; the softswitch is where the kept one leads.
    if (leg === CALLER_LEG && isUpstream({ call, party: CALLER }))
      return anchored(call, leg, this.#upstream() ?? call.flow, false);
    if (leg === CALLER_LEG) return anchored(call, leg, call.flow, true);
    const branch = call.state.branches.get(party) ?? [...call.state.branches.values()].find(({ at }) => at !== 'gone');
    if (branch === undefined) return undefined;
    if (branch.to.kind === 'phone') return anchored(call, leg, branch.to.phone.flow, true);
    const flow = branch.to.kind === 'softswitch' ? this.#upstream() : branch.to.flow;
    return flow === undefined ? undefined : anchored(call, leg, flow, false);
  }
}

function anchored(call: EdgeCall, leg: string, flow: Flow, phone: boolean): Anchored {
  return { call: call.id, leg, host: flow.local.host, ...(phone ? { source: flow.remote.host } : {}) };
}
