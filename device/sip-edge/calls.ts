/**
 * Calls through the gateway. A call from a phone goes to another phone of the house without ever leaving it, or to the
 * softswitch; a call from the softswitch rings the line's phones. House calls are told to the cloud afterwards, exactly once.
 */
import { CALLER, type CallOutput, type Party, type Target } from '#shared/call/call.ts';
import { alertInfo } from '#shared/call/features/presentation.ts';
import { CallDriver, type CallHooks, type MediaReply, type SipPort } from '#shared/host/call-driver.ts';
import { type Answer, isTaken } from '#shared/host/sip-messaging.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { CallHandle, Flow, InviteOptions } from '#shared/sip/types.ts';
import { parseNameAddr, parseUri, writeNameAddr } from '#shared/sip/uri.ts';
import type { Anchor, Anchored } from '../media-relay/anchor.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, newEdgeCall, type Ring } from './edge-call.ts';
import { fallbackInvite, type Help, RING_FOR_HELP, TRY_FOR_HELP } from './emergency.ts';
import type { House, HouseLine, Phone } from './house.ts';
import type { CallNote } from './insight.ts';
import type { EdgeMessages } from './messages.ts';

/** Milliseconds for which phones of the house ring; the cloud's own limit for calls from outside is shorter or longer as it likes. */
const RING_FOR = 60_000;
const RING_FROM_CLOUD = 180_000;
/** Milliseconds for which a service code that leads nowhere now waits for an applet to name phones of the house. */
export const STRANDED_FOR = 2_000;

export interface EdgeCallsOptions {
  readonly world: World;
  readonly sip: SipPort;
  readonly house: House;
  readonly anchor: Anchor;
  readonly domain: () => string;
  /** The kept flow, while there is one. */
  readonly upstream: () => Flow | undefined;
  /** A call inside the house is over; after `over`. */
  readonly report: (call: EdgeCall, facts: VerbRequest<'voice.report'>) => void;
  readonly noted: (note: CallNote) => void;
  /** It began, rang, was answered or ended, as far as a phone that watches can tell. */
  readonly changed: (call: EdgeCall) => void;
  /** A call is up: the moment to keep it. */
  readonly up: (call: EdgeCall) => void;
  /** A call is forgotten. */
  readonly over: (call: EdgeCall) => void;
  /** Whether an applet could name phones for a service code while there is no way to the cloud. */
  readonly helped: () => boolean;
  /** What is known of emergency calls, and the way to the fallback trunk where there is one. */
  readonly emergency: () => VoiceDocument['emergency'];
  readonly fallback: () => Promise<Flow | undefined>;
}

export class EdgeCalls {
  readonly driver: CallDriver<Ring, EdgeCall>;
  readonly #o: EdgeCallsOptions;
  /** Calls of service codes that found no way, with the end of their patience. */
  readonly #stranded = new Map<string, { readonly call: EdgeCall; readonly timer: Timer }>();
  /** Who waits for the outcome of an offer, by call and party. */
  readonly #renewals = new Map<string, (ok: boolean) => void>();
  #serial = 0;

  constructor(options: EdgeCallsOptions) {
    this.#o = options;
    const hooks: CallHooks<Ring, EdgeCall> = {
      route: async (call) => (call.help === undefined ? this.#route(call) : this.#help(call)),
      media: (call, ask) => this.#media(call, ask),
      connect: async (call, a, b) => {
        await options.anchor.connect(call.id, a, b);
        await options.anchor.connect(call.id, b, a);
      },
      release: (call, leg) => options.anchor.release(call.id, leg),
      report: async (call, report) => {
        if (report.event === 'ringing') options.changed(call);
        if (report.event !== 'answered' || report.leg !== CALLEE_LEG || call.answeredAt !== undefined) return;
        call.answeredAt = options.world.clock.wall();
        options.noted({ at: 'answered', call: call.id, wall: call.answeredAt });
      },
      inviteOptions: (call, invite) => this.#inviteOptions(call, invite.to, invite.sdp),
      invited: (call, { branch }) => this.#invited(call, branch),
      up: (call) => {
        options.changed(call);
        options.up(call);
      },
      renewed: (call, party, ok) => this.#renewals.get(`${call.id} ${party}`)?.(ok),
      over: (call, { reason }) => this.#over(call, reason),
    };
    this.driver = new CallDriver({ sip: options.sip, clock: options.world.clock, log: options.world.log, hooks });
  }

  /** A call comes in, from a phone that proved to be `from`, or from the softswitch. */
  start(
    handle: CallHandle,
    facts: {
      readonly flow: Flow;
      readonly from?: NamedLine;
      readonly help?: Help;
      readonly alerts?: readonly string[];
      readonly shown: string;
      readonly dialled: string;
      readonly callId: string;
      readonly offer?: string;
    },
  ): void {
    const { offer, ...rest } = facts;
    const call = newEdgeCall({
      ...rest,
      id: this.#newId(),
      startedAt: this.#o.world.clock.wall(),
    });
    const { id, callId, shown, dialled, startedAt } = call;
    const from = call.from?.number ?? parseUri(parseNameAddr(shown)?.uri ?? '')?.user ?? '';
    this.#o.noted({ at: 'started', call: id, callId, from, to: dialled, wall: startedAt });
    this.driver.add(call, handle);
    this.driver.feed(call, { on: 'invite', ...(offer === undefined ? {} : { sdp: offer }) });
  }

  #newId(): string {
    return `c${++this.#serial}x${Math.floor(this.#o.world.clock.wall()).toString(36)}`;
  }

  /** The ways to a number for a line of the house: its phones, or the softswitch. */
  waysTo(dialled: string, from: NamedLine, flow: Flow): RingBranch[] {
    const { house, world, upstream } = this.#o;
    const line = house.dialled(dialled);
    const all = line === undefined ? [] : house.phones(line.id, world.clock.mono());
    // Who dials the own number reaches the other phones of the line, never itself.
    const phones = all.filter((phone) => phone.flow.id !== flow.id);
    if (line !== undefined && phones.length > 0) return phones.map((phone, i) => ringing(`p${i}`, phone, line));
    const cloud = upstream();
    // A line of this home whose phone is at another gateway is reached through the softswitch.
    if (cloud === undefined || line?.id === from.id) return [];
    return [{ branch: 'cloud', to: { kind: 'softswitch', dialled, flow: cloud } }];
  }

  /** Rings somebody for a phone of the house that is in a call already. */
  openFor(from: NamedLine, flow: Flow, dialled: string, branches: readonly RingBranch[]): EdgeCall {
    const { world, domain, noted } = this.#o;
    const shown = writeNameAddr({ display: '', uri: `sip:${from.number}@${domain()}`, params: new Map() });
    const [id, startedAt] = [this.#newId(), world.clock.wall()];
    const call = newEdgeCall({ id, flow, shown, dialled, callId: `${id}.transfer`, startedAt, from });
    const [first] = branches;
    if (first?.to.kind === 'phone') call.inside = first.to.line;
    noted({ at: 'started', call: id, callId: call.callId, from: from.number, to: dialled, wall: startedAt });
    this.driver.add(call);
    this.driver.feed(call, { on: 'open', target: { leg: CALLEE_LEG, branches: [...branches] }, ringFor: RING_FOR });
    return call;
  }

  /** Offers a side the endpoint of its leg; resolves with whether it took it. */
  renew(call: EdgeCall, party: Party): Promise<boolean> {
    return new Promise((resolve) => {
      const key = `${call.id} ${party}`;
      this.#renewals.set(key, (ok) => {
        this.#renewals.delete(key);
        resolve(ok);
      });
      this.driver.feed(call, { on: 'renew', party });
    });
  }

  /** Somebody else is in the call: it is kept anew. */
  joined(call: EdgeCall): void {
    this.#o.up(call);
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

  /** A MESSAGE inside a call goes to its other side; between phones of the house the cloud is told of it. */
  async message(handle: CallHandle, message: SipMessage, messages: EdgeMessages): Promise<Answer> {
    const found = this.driver.ofHandle(handle);
    if (found === undefined) return { status: 481 };
    const { call, party } = found;
    const peer = call.handles.get(party === CALLER ? (call.state.winner ?? '') : CALLER);
    if (peer === undefined || call.state.at !== 'up') return { status: 480 };
    const answer = await messages.inCall(message, peer);
    const [caller, callee] = [call.from, call.inside];
    if (isTaken(answer) && caller !== undefined && callee !== undefined) {
      const [from, to] = party === CALLER ? [caller, callee] : [callee, caller];
      messages.told(message, from.id, to.id, call.callId);
    }
    return answer;
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

  /** A phone's new connection: calls with that contact whose connection broke go on over it. */
  phoneBack(flow: Flow, contacts: ReadonlySet<string>): void {
    const { sip } = this.#o;
    for (const call of this.driver.all()) {
      for (const [party, handle] of call.handles) {
        if (this.#isUpstream(call, party)) continue;
        const target = sip.endpoint.snapshot(handle)?.remoteTarget;
        if (target !== undefined && contacts.has(target)) sip.endpoint.moveCall(handle, flow);
      }
    }
  }

  #isUpstream(call: EdgeCall, party: Party): boolean {
    if (party === CALLER) return call.from === undefined;
    return call.state.branches.get(party)?.to.kind === 'softswitch';
  }

  #route(call: EdgeCall): void {
    const { house, world } = this.#o;
    const line = house.dialled(call.dialled);
    const fromCloud = (): RingBranch[] =>
      line === undefined ? [] : house.phones(line.id, world.clock.mono()).map((one, i) => ringing(`p${i}`, one, line));
    const branches = call.from === undefined ? fromCloud() : this.waysTo(call.dialled, call.from, call.flow);
    if (branches.length === 0) {
      // Numbers are never an applet's: what is an emergency is refused at once, so that the phone tries elsewhere.
      if (call.from !== undefined && call.dialled.startsWith('*') && this.#o.helped()) this.#strand(call);
      else this.driver.feed(call, { on: 'refused', ...noWay(call, line) });
      return;
    }
    if (branches[0]?.to.kind === 'phone' && line !== undefined && call.from !== undefined) call.inside = line;
    this.#routed(call, branches, call.from === undefined || call.inside === undefined ? RING_FROM_CLOUD : RING_FOR);
  }

  /** Help: the cloud first, for it knows more ways; the fallback trunk where that is away, silent or at its wits' end. */
  async #help(call: EdgeCall): Promise<void> {
    const upstream = this.#o.upstream();
    const fallback = await this.#o.fallback().catch(() => undefined);
    const branches: RingBranch[] = [];
    if (upstream !== undefined)
      branches.push({ branch: 'cloud', to: { kind: 'softswitch', dialled: call.dialled, flow: upstream } });
    if (fallback !== undefined) branches.push({ branch: 'fallback', to: { kind: 'fallback', flow: fallback } });
    const target = { leg: CALLEE_LEG, branches, oneByOne: { tryFor: TRY_FOR_HELP, always: true } };
    // The phone hears at once that there is no way here, so that it tries elsewhere.
    if (branches.length === 0) this.driver.feed(call, { on: 'refused', status: 503, reason: 'server_unavailable' });
    else
      this.driver.feed(call, {
        ...{ on: 'routed', callerLeg: CALLER_LEG, targets: [target], ringFor: RING_FOR_HELP, relay: true },
      });
  }

  #routed(call: EdgeCall, branches: readonly RingBranch[], ringFor: number): void {
    const targets = [{ leg: CALLEE_LEG, branches: [...branches] }];
    this.driver.feed(call, { on: 'routed', callerLeg: CALLER_LEG, targets, ringFor, relay: true });
  }

  #strand(call: EdgeCall): void {
    const { clock } = this.#o.world;
    const timer = clock.at(clock.mono() + STRANDED_FOR, () => {
      if (this.#stranded.delete(call.id)) this.driver.feed(call, { on: 'refused', ...noWay(call, undefined) });
    });
    this.#stranded.set(call.id, { call, timer });
  }

  /** An applet names lines of the house for a call that found no way; false where the call does not wait, or no phone is there. */
  ring(id: string, numbers: readonly string[]): boolean {
    const { house, world } = this.#o;
    const waiting = this.#stranded.get(id);
    if (waiting === undefined) return false;
    const { call, timer } = waiting;
    const lines = new Set(numbers.flatMap((number) => house.dialled(number) ?? []));
    const branches = [...lines]
      .filter((line) => line.id !== call.from?.id)
      .flatMap((line) => house.phones(line.id, world.clock.mono()).map((phone) => ({ phone, line })))
      .map(({ phone, line }, i) => ({ line, ...ringing(`p${i}`, phone, line) }));
    const [first] = branches;
    if (first === undefined) return false;
    timer.cancel();
    this.#stranded.delete(id);
    call.inside = first.line;
    this.#routed(call, branches, RING_FOR);
    return true;
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
    const flow = branch.to.kind === 'fallback' ? branch.to.flow : this.#o.upstream();
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
        headers: call.alerts?.map((value) => ['Alert-Info', value] as const) ?? alertInfo({ inside: true, talking: 0 }),
        sdp,
      };
    }
    const { help, shown, from, id } = call;
    const settings = this.#o.emergency();
    if (to.kind === 'fallback' && help !== undefined && settings !== undefined) {
      const known = { help, shown, id, number: from?.number ?? '' };
      return fallbackInvite(known, settings, domain(), { flow: to.flow, contact: sip.contact(to.flow), sdp });
    }
    const dialled = to.kind === 'softswitch' ? to.dialled : call.dialled;
    // While the flow is away the one that was there stands in; the INVITE then fails by its own timer.
    const flow = upstream() ?? to.flow;
    const uri = dialled.startsWith('urn:') ? dialled : `sip:${dialled}@${domain()}`;
    return {
      uri,
      from: call.shown,
      to: `<${uri}>`,
      flow,
      contact: sip.contact(flow),
      headers: [['P-Asserted-Identity', call.shown]],
      sdp,
      ...(help === undefined ? {} : { trying: true }),
    };
  }

  #invited(call: EdgeCall, branch: Party): void {
    this.#o.changed(call);
    const handle = call.handles.get(branch);
    const callId = handle === undefined ? undefined : this.#o.sip.endpoint.dialogId(handle)?.callId;
    if (callId !== undefined) this.#o.noted({ at: 'invited', call: call.id, callId });
  }

  #over(call: EdgeCall, reason: string): void {
    this.#stranded.get(call.id)?.timer.cancel();
    this.#stranded.delete(call.id);
    this.#o.over(call);
    this.#o.changed(call);
    this.#o.noted({ at: 'over', call: call.id, reason, wall: this.#o.world.clock.wall() });
    const way = call.state.winner ?? [...call.state.branches.keys()].at(-1) ?? '';
    const alone = call.help !== undefined && call.state.branches.get(way)?.to.kind === 'fallback';
    const to = alone ? call.dialled : call.inside?.number;
    if (to === undefined || call.from === undefined) return;
    this.#o.report(call, {
      callId: call.callId,
      from: call.from.number,
      to,
      startedAt: call.startedAt,
      ...(call.answeredAt === undefined ? {} : { answeredAt: call.answeredAt }),
      endedAt: call.lastedUntil ?? this.#o.world.clock.wall(),
      reason,
    });
  }
}

type RingBranch = Target<Ring>['branches'][number];

/** A phone that rings, over the flow that it registered last; its others stand by. */
function ringing(branch: string, { others = [], ...phone }: Phone, line: NamedLine): RingBranch {
  const to = (one: Phone): Ring => ({ kind: 'phone', phone: one, line });
  return { branch, to: to(phone), ...(others.length === 0 ? {} : { others: others.map(to) }) };
}

/** Why a call rings nobody. */
function noWay(call: EdgeCall, line: HouseLine | undefined): { readonly status: number; readonly reason: string } {
  if (call.from !== undefined && line === undefined) return { status: 503, reason: 'server_unavailable' };
  if (call.from !== undefined && line?.id === call.from.id) return { status: 486, reason: 'callee_busy' };
  return { status: 480, reason: 'callee_offline' };
}
