/**
 * Calls through the gateway. A call from a phone goes to another phone of the house without ever leaving it, or to the
 * softswitch; a call from the softswitch rings the line's phones. House calls are told to the cloud afterwards, exactly once.
 */
import { CALLER, type Party, type Target } from '#shared/call/call.ts';
import { MOVED } from '#shared/call/outcome.ts';
import { CallDriver, type CallHooks, type SipPort } from '#shared/host/call-driver.ts';
import { type Answer, isTaken } from '#shared/host/sip-messaging.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { World } from '#shared/kernel/world.ts';
import { EngineError } from '#shared/media-engine/engine.ts';
import type { VoiceDocument } from '#shared/protocol/documents.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import { parseNameAddr, parseUri, writeNameAddr } from '#shared/sip/uri.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import { factsOf } from './call-facts.ts';
import { overNewConnection } from './call-flows.ts';
import { CallMedia } from './call-media.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, newEdgeCall, type Ring } from './edge-call.ts';
import { edgeInvite } from './edge-invite.ts';
import { RING_FOR_HELP } from './emergency.ts';
import { WaysOfHelp } from './help-ways.ts';
import type { HoldMusic } from './hold-music.ts';
import type { House } from './house.ts';
import type { HouseCalls } from './house-calls.ts';
import { type HouseSwitch, type RingBranch, type RungFor, ringing } from './house-switch.ts';
import type { CallNote } from './insight.ts';
import type { EdgeMessages } from './messages.ts';
import { ReaddressCalls } from './readdress-calls.ts';
import type { RecordClock } from './record-clock.ts';
import { Stranded } from './stranded.ts';

/** Milliseconds for which phones of the house ring; the cloud's own limit for calls from outside is shorter or longer as it likes. */
const RING_FOR = 60_000;
const RING_FROM_CLOUD = 180_000;

export interface EdgeCallsOptions {
  readonly world: World;
  /** Dates calls. */
  readonly times: RecordClock;
  readonly sip: SipPort;
  readonly house: House;
  readonly anchor: Anchor;
  readonly music: HoldMusic;
  readonly domain: () => string;
  /** The kept flow, while there is one. */
  readonly upstream: () => Flow | undefined;
  /** Calls of the house's phones. */
  readonly inside: () => HouseCalls;
  /** A call inside the house is over; after `over`. `id` is new for each. */
  readonly report: (id: string, facts: VerbRequest<'voice.report'>) => void;
  readonly noted: (note: CallNote) => void;
  /** It began, rang, was answered or ended, as far as a phone that watches can tell. */
  readonly changed: (call: EdgeCall) => void;
  /** A call that is kept has changed. */
  readonly kept: (call: EdgeCall) => void;
  /** Somebody is rung. */
  readonly rings: (call: EdgeCall) => void;
  /** A call is answered: resolves once its caller may hear of it. */
  readonly answered: (call: EdgeCall) => Soon<void>;
  /** A call is up. */
  readonly up: (call: EdgeCall) => void;
  /** A call is forgotten. */
  readonly over: (call: EdgeCall) => void;
  /** Whether an applet could name phones for a service code while there is no way to the cloud. */
  readonly helped: () => boolean;
  /** What is known of emergency calls, and the way to the fallback trunk where there is one. */
  readonly emergency: () => VoiceDocument['emergency'];
  readonly fallback: () => Promise<Flow | undefined>;
  /** The way to the gateway's own mobile modem, while it can call. */
  readonly modem: () => Promise<Flow | undefined>;
}

export class EdgeCalls implements HouseSwitch {
  readonly driver: CallDriver<Ring, EdgeCall>;
  readonly #o: EdgeCallsOptions;
  readonly #stranded: Stranded;
  readonly #readdress: ReaddressCalls;
  /** Who waits for the outcome of an offer, by call and party. */
  readonly #renewals = new Map<string, (ok: boolean) => void>();
  #serial = 0;

  constructor(options: EdgeCallsOptions) {
    this.#o = options;
    this.#stranded = new Stranded(options.world.clock);
    const media = new CallMedia(options.anchor, options.upstream);
    const hooks: CallHooks<Ring, EdgeCall> = {
      route: async (call) => (call.help === undefined ? this.#route(call) : this.#help(call)),
      moved: ({ state }, party, uri) =>
        state.branches.get(party)?.to.kind === 'phone' ? options.inside().dialledIn(uri) : undefined,
      reroute: async (call, _leg, reason, moved) =>
        call.ways === undefined
          ? options.inside().reroute(call, reason, moved)
          : this.#helpElsewhere(call, call.ways, reason),
      media: (call, ask) => media.give(call, ask),
      connect: (call, a, b) => this.sound(call, a, b),
      plays: (call, party) => options.music.plays(call, party),
      music: (call, one) => this.driver.later(options.music.change(call, one)),
      release: (call, leg) => options.anchor.release(call.id, leg),
      report: (call, { event, leg }) => {
        if (event === 'ringing') options.changed(call);
        return event === 'answered' && leg === CALLEE_LEG ? this.#answered(call) : undefined;
      },
      inviteOptions: (call, invite) => edgeInvite(options, call, invite),
      invited: (call, { branch }) => this.#invited(call, branch),
      up: (call) => {
        options.inside().up(call);
        options.changed(call);
        options.up(call);
      },
      reoffered: (call) => options.kept(call),
      renewed: (call, party, ok) => this.#renewals.get(`${call.id} ${party}`)?.(ok),
      over: (call, { reason }) => this.#over(call, reason),
    };
    const { sip, world } = options;
    this.driver = new CallDriver({ ...{ sip, hooks }, clock: world.clock, log: world.log });
    const renew = (call: EdgeCall, party: Party) => this.renew(call, party, true);
    this.#readdress = new ReaddressCalls({ ...{ sip, renew }, clock: world.clock, log: world.log, calls: this.driver });
  }

  /** A call comes in, from a phone that proved to be `from`, or from the softswitch. */
  start(
    handle: CallHandle,
    facts: Omit<Parameters<typeof newEdgeCall>[0], 'id' | 'startedAt'> & { readonly offer?: string },
  ): void {
    const { offer, ...rest } = facts;
    const call = newEdgeCall({
      ...rest,
      id: this.#newId(),
      startedAt: this.#o.times.now(),
    });
    const { id, callId, shown, dialled } = call;
    const wall = this.#o.world.clock.wall();
    const from = call.from?.number ?? parseUri(parseNameAddr(shown)?.uri ?? '')?.user ?? '';
    this.#o.noted({ at: 'started', call: id, callId, from, to: dialled, wall });
    this.driver.add(call, handle);
    // Who needs help is looked for as widely as can be.
    const { breadth } = (facts.help === undefined ? facts.hops : undefined) ?? {};
    const wide = breadth === undefined ? {} : { breadth };
    this.driver.feed(call, { on: 'invite', ...(offer === undefined ? {} : { sdp: offer }), ...wide });
  }

  #newId(): string {
    return `c${++this.#serial}x${Math.floor(this.#o.world.clock.wall()).toString(36)}`;
  }

  /** The ways to a number for a line of the house: phones of the house, or the softswitch. */
  waysTo(dialled: string, from: NamedLine, flow: Flow): RingBranch[] {
    const { inside, upstream } = this.#o;
    const lines = inside().linesTo(dialled, from);
    if (lines !== 'cloud') return this.branches({ flow }, lines ?? [], 'p');
    const cloud = upstream();
    return cloud === undefined ? [] : [{ branch: 'cloud', to: { kind: 'softswitch', dialled, flow: cloud } }];
  }

  /** The phones of these lines, without the one that calls: who dials the own number reaches the other phones of the line. */
  branches({ flow }: { readonly flow: Flow }, lines: readonly NamedLine[], prefix: string): RingBranch[] {
    const { house, world } = this.#o;
    return lines
      .flatMap((line) => house.phones(line.id, world.clock.mono()).map((phone) => ({ phone, line })))
      .filter(({ phone }) => phone.flow.id !== flow.id)
      .map(({ phone, line }, i) => ringing(`${prefix}${i}`, phone, line));
  }

  /** Rings phones of the house for one of its phones. */
  ringInside(
    call: EdgeCall,
    branches: readonly RingBranch[],
    how: { readonly ringFor?: number; readonly again: boolean },
  ): void {
    const { ringFor = RING_FOR, again } = how;
    call.ringFor = ringFor;
    if (branches.length > 0 || again) return void this.#routed(call, { branches }, ringFor, again);
    const own = call.inside?.id === call.from?.id;
    delete call.inside;
    this.lost(call, own ? { status: 486, reason: 'callee_busy' } : { status: 480, reason: 'callee_offline' });
  }

  /** The softswitch finds the way. */
  toCloud(call: EdgeCall): void {
    const flow = this.#o.upstream();
    if (flow === undefined) return void this.lost(call, AWAY);
    const to: Ring = { kind: 'softswitch', dialled: call.dialled, flow };
    this.#routed(call, { branches: [{ branch: 'cloud', to }] }, RING_FROM_CLOUD);
  }

  async sendOut(call: EdgeCall, dialled: string): Promise<void> {
    const { upstream, anchor, report } = this.#o;
    // Its end is on the other side of the gateway now.
    await anchor.release(call.id, CALLEE_LEG);
    const flow = upstream();
    if (flow === undefined) return this.driver.feed(call, { on: 'refused', ...AWAY, final: true });
    const facts = this.#facts(call, MOVED);
    if (facts !== undefined) report(`${call.id}m`, facts);
    delete call.inside;
    delete call.rung;
    const branch = { branch: `r${call.round ?? 0}`, to: { kind: 'softswitch', dialled, flow } as const };
    const target = { leg: CALLEE_LEG, branches: [branch] };
    this.driver.feed(call, { on: 'rerouted', target, ringFor: RING_FROM_CLOUD, again: false });
  }

  /** There is no way. Numbers are never an applet's: what is an emergency is refused at once, so that the phone tries elsewhere. */
  lost(call: EdgeCall, no: { readonly status: number; readonly reason: string }): void {
    const service = call.from !== undefined && call.dialled.startsWith('*') && no.status === AWAY.status;
    if (service && this.#o.helped())
      this.#stranded.wait(call, () => this.driver.feed(call, { on: 'refused', ...AWAY }));
    else this.driver.feed(call, { on: 'refused', ...no });
  }

  /** Rings somebody for a phone of the house that is in a call already; `more`: whether its number is withheld, and who transfers it. */
  openFor({ from, flow, dialled, ...more }: RungFor, branches: readonly RingBranch[]): EdgeCall {
    const { world, times, domain, noted } = this.#o;
    const shown = writeNameAddr({ display: '', uri: `sip:${from.number}@${domain()}`, params: new Map() });
    const [id, startedAt] = [this.#newId(), times.now()];
    const call = newEdgeCall({ id, flow, shown, dialled, callId: `${id}.transfer`, startedAt, from, ...more });
    const [first] = branches;
    if (first?.to.kind === 'phone') call.inside = first.to.line;
    noted({ at: 'started', call: id, callId: call.callId, from: from.number, to: dialled, wall: world.clock.wall() });
    this.driver.add(call);
    this.driver.feed(call, { on: 'open', target: { leg: CALLEE_LEG, branches: [...branches] }, ringFor: RING_FOR });
    return call;
  }

  /** Offers a side the endpoint of its leg, `same`: with every hold as it is; resolves with whether it took it. */
  renew(call: EdgeCall, party: Party, same = false): Promise<boolean> {
    const key = `${call.id} ${party}`;
    // Whoever offers it anew already is to hear what comes of that.
    if (same && this.#renewals.has(key)) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#renewals.set(key, (ok) => {
        this.#renewals.delete(key);
        resolve(ok);
      });
      this.driver.feed(call, { on: 'renew', party, ...(same ? { same } : {}) });
    });
  }

  /** Sound between both sides. A call that cannot have it ends, unless it has ended meanwhile and freed its ends. */
  async sound(call: EdgeCall, a: string, b: string): Promise<void> {
    try {
      await this.#o.anchor.pair(call.id, a, b);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      this.driver.feed(call, MEDIA_LOST);
    }
  }

  /** The media engine has lost an end of a call, by its owner: who hears nobody any more hears the end. */
  mediaLost(owner: string): void {
    const [id = '', leg = ''] = owner.split('/');
    const call = leg === CALLER_LEG || leg === CALLEE_LEG ? this.driver.get(id) : undefined;
    if (call !== undefined) this.driver.feed(call, MEDIA_LOST);
  }

  /** Somebody else is in the call: it is kept anew. */
  joined(call: EdgeCall): void {
    this.#o.kept(call);
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

  /** There is a new flow to the softswitch, or none any more. */
  moveTo(flow: Flow | undefined): void {
    this.#readdress.moveTo(flow);
  }

  /** A phone's new connection. */
  phoneBack(flow: Flow, contacts: ReadonlySet<string>): void {
    overNewConnection(this.#o.sip, this.driver.all(), flow, contacts);
  }

  #route(call: EdgeCall): void {
    const { house, inside } = this.#o;
    if (call.replaces !== undefined) return void this.toCloud(call);
    if (call.from !== undefined) return void inside().route(call, call.from);
    const line = house.dialled(call.dialled);
    if (line !== undefined) inside().cameIn(call, line);
    const branches = this.branches(call, line === undefined ? [] : [line], 'p');
    if (branches.length > 0) this.#routed(call, { branches }, RING_FROM_CLOUD);
    else this.driver.feed(call, { on: 'refused', status: 480, reason: 'callee_offline' });
  }

  /** Help: the cloud first, for it knows more ways; fallback trunk, then modem, where that is away, silent or at its wits' end. */
  async #help(call: EdgeCall): Promise<void> {
    const { upstream, fallback, modem, world } = this.#o;
    const flows = { cloud: upstream(), fallback: fallback(), modem: modem() };
    const ways = new WaysOfHelp(world.clock, call.dialled, flows);
    call.ways = ways;
    const first = await ways.next();
    // The phone hears at once that there is no way here, so that it tries elsewhere.
    if (first === undefined) this.driver.feed(call, { on: 'refused', ...AWAY });
    else this.#routed(call, first, RING_FOR_HELP, true);
  }

  /** A way to help has led to nobody. */
  async #helpElsewhere(call: EdgeCall, ways: NonNullable<EdgeCall['ways']>, reason: string): Promise<void> {
    const next = await ways.next();
    if (next === undefined) return this.driver.feed(call, { on: 'refused', status: 503, reason });
    const target = { leg: CALLEE_LEG, ...next };
    this.driver.feed(call, { on: 'rerouted', target, ringFor: RING_FOR_HELP, again: true });
  }

  #routed(call: EdgeCall, to: Omit<Target<Ring>, 'leg'>, ringFor: number, again = false): void {
    const targets = [{ leg: CALLEE_LEG, ...to }];
    this.driver.feed(call, { on: 'routed', callerLeg: CALLER_LEG, targets, ringFor, relay: true, again });
  }

  /** An applet names lines of the house for a call that found no way; false where the call does not wait, or no phone is there. */
  ring(id: string, numbers: readonly string[]): boolean {
    const { house } = this.#o;
    const call = this.#stranded.get(id);
    if (call === undefined) return false;
    const lines = new Set(numbers.flatMap((number) => house.dialled(number) ?? []));
    const others = [...lines].filter((line) => line.id !== call.from?.id);
    const branches = this.branches(call, others, 'p');
    const [first] = branches;
    if (first?.to.kind !== 'phone') return false;
    this.#stranded.forget(id);
    call.inside = first.to.line;
    this.#routed(call, { branches }, RING_FOR);
    return true;
  }

  #facts(call: EdgeCall, reason: string): VerbRequest<'voice.report'> | undefined {
    const { times, house } = this.#o;
    // A call that outlives its home's hold on this gateway is nobody's to tell.
    if (house.areStrange([call.from, call.inside])) return undefined;
    return factsOf(call, reason, { now: times.now(), correction: times.correction });
  }

  /** The call is kept before anybody hears that it is up. */
  #answered(call: EdgeCall): Soon<void> {
    const { times, noted, world, inside, answered } = this.#o;
    if (call.answeredAt === undefined) {
      call.answeredAt = times.now();
      noted({ at: 'answered', call: call.id, wall: world.clock.wall() });
    }
    inside().answered(call);
    return answered(call);
  }

  #invited(call: EdgeCall, branch: Party): void {
    this.#o.changed(call);
    this.#o.rings(call);
    const handle = call.handles.get(branch);
    const callId = handle === undefined ? undefined : this.#o.sip.endpoint.dialogId(handle)?.callId;
    if (callId !== undefined) this.#o.noted({ at: 'invited', call: call.id, callId });
  }

  #over(call: EdgeCall, reason: string): void {
    this.#stranded.forget(call.id);
    // Who waits for what a side makes of an offer hears of it no more.
    for (const party of [CALLER, call.state.winner ?? '']) this.#renewals.get(`${call.id} ${party}`)?.(false);
    this.#readdress.over(call.id);
    this.#o.music.end(call);
    this.#o.inside().over(call);
    this.#o.over(call);
    this.#o.changed(call);
    const wall = this.#o.world.clock.wall();
    this.#o.noted({ at: 'over', call: call.id, reason, wall });
    const facts = this.#facts(call, reason);
    if (facts !== undefined) this.#o.report(call.id, facts);
  }
}

const MEDIA_LOST = { on: 'close', reason: 'media_lost', status: 503 } as const;
const AWAY = { status: 503, reason: 'server_unavailable' } as const;
