/**
 * Calls through the gateway. A call from a phone goes to another phone of the house without ever leaving it, or to the
 * softswitch; a call from the softswitch rings the line's phones. House calls are told to the cloud afterwards, exactly once.
 */
import { CALLER, type CallOutput, type Party } from '#shared/call/call.ts';
import { CallDriver, type CallHooks, type MediaReply, type SipPort } from '#shared/host/call-driver.ts';
import type { World } from '#shared/kernel/world.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { CallHandle, Flow, InviteOptions } from '#shared/sip/types.ts';
import { writeNameAddr } from '#shared/sip/uri.ts';
import type { Anchor, Anchored } from '../media-relay/anchor.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, newEdgeCall, type Ring } from './edge-call.ts';
import type { House, HouseLine } from './house.ts';

/** Milliseconds for which phones of the house ring; the cloud's own limit for calls from outside is shorter or longer as it likes. */
const RING_FOR = 60_000;
const RING_FROM_CLOUD = 180_000;

export interface EdgeCallsOptions {
  readonly world: World;
  readonly sip: SipPort;
  readonly house: House;
  readonly anchor: Anchor;
  readonly domain: () => string;
  /** The kept flow, while there is one. */
  readonly upstream: () => Flow | undefined;
  readonly report: (call: VerbRequest<'voice.report'>) => void;
  /** A call is forgotten. */
  readonly over: (call: EdgeCall) => void;
}

export class EdgeCalls {
  readonly driver: CallDriver<Ring, EdgeCall>;
  readonly #o: EdgeCallsOptions;
  #serial = 0;

  constructor(options: EdgeCallsOptions) {
    this.#o = options;
    const hooks: CallHooks<Ring, EdgeCall> = {
      route: async (call) => this.#route(call),
      media: (call, ask) => this.#media(call, ask),
      connect: async (call, a, b) => {
        await options.anchor.connect(call.id, a, b);
        await options.anchor.connect(call.id, b, a);
      },
      release: (call, leg) => options.anchor.release(call.id, leg),
      report: async (call, report) => {
        if (report.event === 'answered' && report.leg === CALLEE_LEG) call.answeredAt ??= options.world.clock.wall();
      },
      inviteOptions: (call, invite) => this.#inviteOptions(call, invite.to, invite.sdp),
      up: () => {},
      over: (call, { reason }) => this.#over(call, reason),
    };
    this.driver = new CallDriver({ sip: options.sip, clock: options.world.clock, log: options.world.log, hooks });
  }

  /** A call comes in, from a phone that proved to be `from`, or from the softswitch. */
  start(
    handle: CallHandle,
    facts: {
      readonly flow: Flow;
      readonly from?: HouseLine;
      readonly shown: string;
      readonly dialled: string;
      readonly callId: string;
      readonly offer?: string;
    },
  ): void {
    const { offer, ...rest } = facts;
    const call = newEdgeCall({
      ...rest,
      id: `c${++this.#serial}x${Math.floor(this.#o.world.clock.wall()).toString(36)}`,
      startedAt: this.#o.world.clock.wall(),
    });
    this.driver.add(call, handle);
    this.driver.feed(call, { on: 'invite', ...(offer === undefined ? {} : { sdp: offer }) });
  }

  /** The call that has an upstream dialog of these tags, and the leg of its phone (for Join). */
  ofDialog(
    callId: string,
    localTag: string,
    remoteTag: string,
  ): { readonly call: EdgeCall; readonly phoneLeg: string } | undefined {
    for (const call of this.driver.all()) {
      for (const [party, handle] of call.handles) {
        const id = this.#o.sip.endpoint.dialogId(handle);
        if (id?.callId !== callId || id.localTag !== localTag || id.remoteTag !== remoteTag) continue;
        return { call, phoneLeg: party === CALLER ? CALLEE_LEG : CALLER_LEG };
      }
    }
    return undefined;
  }

  /** A new flow to the softswitch: calls that run over it go on, unless a softswitch that started again does not know them. */
  moveTo(flow: Flow): void {
    const { sip } = this.#o;
    for (const call of [...this.driver.all()]) {
      for (const [party, handle] of [...call.handles]) {
        if (!this.#isUpstream(call, party)) continue;
        sip.endpoint.moveCall(handle, flow);
        sip.act((endpoint, now, out) => endpoint.probe(handle, now, out));
      }
    }
  }

  #isUpstream(call: EdgeCall, party: Party): boolean {
    if (party === CALLER) return call.from === undefined;
    return call.state.branches.get(party)?.to.kind === 'softswitch';
  }

  #route(call: EdgeCall): void {
    const { house, world, upstream } = this.#o;
    const line = house.dialled(call.dialled);
    const all = line === undefined ? [] : house.phones(line.id, world.clock.mono());
    // Who dials the own number reaches the other phones of the line, never itself.
    const phones = call.from === undefined ? all : all.filter((phone) => phone.flow.id !== call.flow.id);
    const branches: { branch: string; to: Ring }[] = phones.map((phone, i) => ({
      branch: `p${i}`,
      to: { kind: 'phone', phone, line: line as HouseLine },
    }));
    const flow = upstream();
    // A line of this home whose phone is at another gateway is reached through the softswitch.
    if (branches.length === 0 && call.from !== undefined && flow !== undefined && line !== call.from)
      branches.push({ branch: 'cloud', to: { kind: 'softswitch', dialled: call.dialled, flow } });
    if (branches.length === 0) {
      this.driver.feed(call, { on: 'refused', ...noWay(call, line) });
      return;
    }
    if (phones.length > 0 && line !== undefined && call.from !== undefined) call.inside = line;
    const ringFor = call.from === undefined || call.inside === undefined ? RING_FROM_CLOUD : RING_FOR;
    this.driver.feed(call, {
      on: 'routed',
      callerLeg: CALLER_LEG,
      targets: [{ leg: CALLEE_LEG, branches }],
      ringFor,
      relay: true,
    });
  }

  async #media(call: EdgeCall, ask: Extract<CallOutput<Ring>, { do: 'media' }>): Promise<MediaReply> {
    const end = this.#end(call, ask);
    if (end === undefined) return { failed: 503 };
    const { anchor } = this.#o;
    if (ask.want === 'offer') return anchor.offer(end);
    return ask.want === 'answer' ? anchor.answer(end, ask.sdp ?? '') : anchor.accept(end, ask.sdp ?? '');
  }

  /** Where a leg's media is anchored: towards a phone on the LAN, towards the softswitch on the WAN. */
  #end(call: EdgeCall, { leg, party }: { readonly leg: string; readonly party: Party }): Anchored | undefined {
    if (leg === CALLER_LEG) return this.#anchored(call, leg, call.flow, call.from !== undefined);
    const branch = call.state.branches.get(party) ?? [...call.state.branches.values()][0];
    if (branch === undefined) return undefined;
    if (branch.to.kind === 'phone') return this.#anchored(call, leg, branch.to.phone.flow, true);
    const flow = this.#o.upstream();
    return flow === undefined ? undefined : this.#anchored(call, leg, flow, false);
  }

  #anchored(call: EdgeCall, leg: string, flow: Flow, phone: boolean): Anchored {
    return { call: call.id, leg, host: flow.local.host, ...(phone ? { source: flow.remote.host } : {}) };
  }

  #inviteOptions(call: EdgeCall, to: Ring, sdp: string): InviteOptions {
    const { sip, domain, upstream } = this.#o;
    if (to.kind === 'phone') {
      const { phone, line } = to;
      const target = writeNameAddr({ display: '', uri: `sip:${line.number}@${domain()}`, params: new Map() });
      return {
        uri: phone.uri,
        from: call.shown,
        to: target,
        flow: phone.flow,
        contact: sip.contact(phone.flow),
        route: phone.path,
        sdp,
      };
    }
    // While the flow is away the one that was there stands in; the INVITE then fails by its own timer.
    const flow = upstream() ?? to.flow;
    const uri = `sip:${to.dialled}@${domain()}`;
    return {
      uri,
      from: call.shown,
      to: `<${uri}>`,
      flow,
      contact: sip.contact(flow),
      headers: [['P-Asserted-Identity', call.shown]],
      sdp,
    };
  }

  #over(call: EdgeCall, reason: string): void {
    this.#o.over(call);
    if (call.inside === undefined || call.from === undefined) return;
    this.#o.report({
      callId: call.callId,
      from: call.from.number,
      to: call.inside.number,
      startedAt: call.startedAt,
      ...(call.answeredAt === undefined ? {} : { answeredAt: call.answeredAt }),
      endedAt: this.#o.world.clock.wall(),
      reason,
    });
  }
}

/** Why a call rings nobody. */
function noWay(call: EdgeCall, line: HouseLine | undefined): { readonly status: number; readonly reason: string } {
  if (call.from !== undefined && line === undefined) return { status: 503, reason: 'server_unavailable' };
  if (call.from !== undefined && line === call.from) return { status: 486, reason: 'callee_busy' };
  return { status: 480, reason: 'callee_offline' };
}
