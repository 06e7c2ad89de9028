import type { LineRow } from '#cloud/store/directory.ts';
import type { CallInput, CallOutput, Party } from '#shared/call/call.ts';
import { CALLER } from '#shared/call/call.ts';
import { hopHeaders } from '#shared/call/hops.ts';
import { CallDriver, type MediaReply } from '#shared/host/call-driver.ts';
import { Roster } from '#shared/kernel/roster.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { CallHandle, EndpointOutput, Flow, InviteOptions } from '#shared/sip/types.ts';
import type { CallsOptions } from './calls-options.ts';
import { Circles } from './circles.ts';
import { redirectionOf } from './dialled.ts';
import type { HoldMusic } from './hold-music.ts';
import { LineCounts } from './line-counts.ts';
import { addressOf, type Callee, calledLine, endOf, type Live } from './live.ts';
import { askMedia, join, SELF } from './media.ts';
import type { Taking } from './routing.ts';
import type { Snapshots } from './snapshots.ts';
import { toldTo } from './told.ts';
import { failureOf, SILENCE, trunkInvite } from './trunk/trunk.ts';

type Output = CallOutput<Callee>;

/** From of a caller that withholds its number (RFC 3323 section 4.1.1.3). */
const ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>';

export class Calls {
  readonly #o: CallsOptions;
  readonly #driver: CallDriver<Callee, Live>;
  readonly #counts: LineCounts;
  /** Media endpoints by leg, for calls in progress. */
  readonly #endpoints = new Roster<string, Map<string, string>>();
  /** Established calls. */
  readonly #up = new Set<string>();
  readonly #outIds = new Set<string>();
  readonly circles = new Circles();
  readonly music: HoldMusic;
  #idle: (() => void)[] = [];
  /** Who waits for the outcome of a new offer, by call and party. */
  readonly #renewals = new Map<string, (done: boolean) => void>();

  constructor(options: CallsOptions) {
    this.#o = options;
    this.music = options.music;
    this.#counts = new LineCounts(options);
    const { sip, clock, log, route, reroute } = options;
    this.#driver = new CallDriver<Callee, Live>({
      ...{ sip, clock, log, failed: 'softswitch.call-failed' },
      hooks: {
        ...{ route, reroute },
        // A carrier's word is not followed.
        moved: ({ state }, party, uri) =>
          state.branches.get(party)?.to.line === undefined ? undefined : redirectionOf(uri, options.isOurs),
        media: (live, ask) => this.#media(live, ask),
        connect: (live, caller, leg) => this.#connect(live, caller, leg),
        release: (live, leg) => this.#release(live, leg),
        report: (live, report) => this.#report(live, report),
        inviteOptions: (live, invite) => this.#inviteOptions(live, invite),
        invited: (live, { branch, to }) => this.#invited(live, branch, to),
        up: (live) => this.#established(live),
        renewed: (live, party, done) => this.#renewals.get(`${live.id} ${party}`)?.(done),
        plays: (live, party) => options.music.plays(live, party),
        music: (live, one) => this.#driver.later(options.music.change(live, one, (leg) => this.endpointOf(live, leg))),
        over: (live, { reason }) => this.#over(live, reason),
      },
    });
  }

  get size(): number {
    return this.#driver.size;
  }

  /** Calls that are neither established nor over. */
  get between(): number {
    return this.size - this.#up.size;
  }

  get snapshots(): Snapshots {
    return this.#o.snapshots;
  }

  all(): Iterable<Live> {
    return this.#driver.all();
  }

  get(id: string): Live | undefined {
    return this.#driver.get(id);
  }

  /** The call that holds a leg of a session. */
  withLeg(session: string, leg: string): Live | undefined {
    for (const live of this.all()) {
      if (live.session === session && (live.state.callerLeg?.id === leg || live.state.legs.has(leg))) return live;
    }
    return undefined;
  }

  ofHandle(handle: CallHandle): { readonly call: Live; readonly party: Party } | undefined {
    return this.#driver.ofHandle(handle);
  }

  /** True for the Call-ID of an INVITE that we sent to a trunk. */
  isOwn(callId: string): boolean {
    return this.#outIds.has(callId);
  }

  /** Calls of a line or trunk, at all processes. */
  countOf(line: string): number {
    return this.#counts.of(line);
  }

  /** Calls of it that this process has. */
  ownOf(line: string): number {
    return this.#counts.own(line);
  }

  /** See `LineCounts`. */
  ensure(id: string, limit: number): Promise<void> | undefined {
    return this.#counts.ensure(id, limit);
  }

  fits(id: string, limit: number): boolean {
    return this.#counts.fits(id, limit);
  }

  add(live: Live, caller?: CallHandle): void {
    if (live.state.at === 'up') this.#up.add(live.id);
    this.#driver.add(live, caller);
    if (live.line !== undefined) this.count(live, live.line);
  }

  bind(live: Live, party: Party, handle: CallHandle): void {
    this.#driver.bind(live, party, handle);
  }

  /** One more call of a line, or of the trunk of that id. */
  count(live: Live, line: LineRow | string): void {
    this.#counts.add(live, line);
  }

  /** A side goes on as another call, with what counts for its line. */
  hand(from: Live, party: Party, to: Live, line: string): void {
    this.#driver.hand(from, party, to);
    const at = from.counted.indexOf(line, from.line?.id === line ? 1 : 0);
    if (at < 0) return;
    from.counted.splice(at, 1);
    to.counted.push(line);
  }

  /** Tells once what becomes of the new offer that this side gets. */
  onRenewed(live: Live, party: Party, tell: (done: boolean) => void): void {
    const key = `${live.id} ${party}`;
    this.#renewals.set(key, (done) => {
      this.#renewals.delete(key);
      tell(done);
    });
  }

  /** The media endpoint of a leg; after a restart it is found again. */
  async endpointOf(live: Live, leg: string): Promise<string | undefined> {
    const known = this.#endpoints.get(live.id)?.get(leg);
    if (known !== undefined) return known;
    const found = await this.#o.bus.request('media.endpoint.offer', { session: live.session, leg }, SELF);
    return found.ok ? found.value.endpoint : undefined;
  }

  feed(live: Live, input: CallInput<Callee>): void {
    this.#driver.feed(live, input);
  }

  /** The caller of `taker`, whose line that is, takes the call that rings there; where it rings no more the taker is refused. */
  pickUp(taker: Live, { session, ringing, leg }: Taking, branch: string): void {
    const live = this.withLeg(session, ringing);
    const { line, flow, gateway, contact: uri = '' } = taker;
    const fits = live !== undefined && line !== undefined && flow !== undefined;
    const to = fits
      ? { contact: { uri, flow, path: [], open: false, ...(gateway === undefined ? {} : { gateway }) }, line }
      : undefined;
    if (live !== undefined && to !== undefined && this.#driver.pickUp(taker, live, { branch, leg, to }))
      this.count(live, to.line);
    else
      this.#driver.later(
        this.#o.reporter.leg({ session, leg, event: 'ended', at: this.#o.clock.wall(), reason: 'callee_unknown' }),
      );
    this.feed(taker, { on: 'refused', status: 404, reason: 'callee_unknown' });
  }

  /** Another process serves this call, which has no way yet: it is forgotten here; gives its INVITE. */
  giveUp(live: Live): SipMessage | undefined {
    const handle = this.#driver.loosen(live, CALLER);
    const invite = handle === undefined ? undefined : this.#o.sip.act((endpoint, now) => endpoint.release(handle, now));
    this.feed(live, { on: 'refused', status: 404, reason: 'callee_unknown' });
    return invite;
  }

  /** What the endpoint says of a call. */
  take(output: Extract<EndpointOutput, { call: CallHandle }>): void {
    if (output.do === 'failed') this.#noted(output);
    this.#driver.take(output);
  }

  /** What a refusal says of the way: whoever kept the flow to a phone has lost it (430), or how a trunk failed. */
  #noted({ call: handle, status, message }: Extract<EndpointOutput, { do: 'failed' }>): void {
    const { call, party } = this.#driver.ofHandle(handle) ?? {};
    const to = party === undefined ? undefined : call?.state.branches.get(party)?.to;
    if (call === undefined || to === undefined) return;
    if (status === 430) this.#o.flowGone(to);
    if (to.trunk !== undefined && to.trunk === call.tried) call.failure = failureOf(status, message);
  }

  /** A gateway came back: its calls go on over the new flow where it still knows them. Who was asked over the old one answers no more. */
  moveTo(gateway: string, flow: Flow): void {
    const { sip, closeFlow } = this.#o;
    const own = (live: Live) => [...live.handles].filter(([party]) => endOf(live, party).gateway === gateway);
    for (const [, handle] of [...this.all()].flatMap(own)) {
      const left = sip.endpoint.flowOf(handle);
      if (!sip.endpoint.moveCall(handle, flow)) continue;
      this.probe([handle]);
      if (left !== undefined) closeFlow(left);
    }
  }

  /** Asks these sides whether the call still is for them; a side that does not know it, or is silent, ends it. */
  probe(sides: readonly CallHandle[]): void {
    for (const side of sides) this.#o.sip.act((endpoint, now, out) => endpoint.probe(side, now, out));
  }

  /** Ends what is not established; what is up stays for the next process. Resolves once no call is in between. */
  async settle(): Promise<void> {
    for (const live of [...this.all()]) {
      if (live.state.at !== 'up') this.feed(live, { on: 'close', reason: 'server_unavailable', status: 503 });
    }
    if (this.between > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    this.#driver.rest();
  }

  async #media(live: Live, ask: Extract<Output, { do: 'media' }>): Promise<MediaReply> {
    const endpoints = this.#endpoints.get(live.id) ?? new Map<string, string>();
    if (this.#driver.get(live.id) !== undefined) this.#endpoints.set(live.id, endpoints);
    return askMedia(this.#o.bus, live, endpoints, ask, (side) => this.#o.sip.endpoint.flowOf(side));
  }

  async #connect(live: Live, caller: string, leg: string): Promise<void> {
    const [a, b] = await Promise.all([this.endpointOf(live, caller), this.endpointOf(live, leg)]);
    if (a === undefined || b === undefined) return;
    const { bus, log } = this.#o;
    const fault = await join(bus, a, b);
    if (fault !== undefined) log.warn('softswitch.not-connected', { call: live.id, fault: fault.code });
  }

  async #release(live: Live, leg: string): Promise<void> {
    const { session } = live;
    const changing = this.music.settled(live);
    if (changing !== undefined) await changing;
    await this.#o.bus.request('media.endpoint.release', { session, leg }, SELF);
  }

  #report(live: Live, o: Extract<Output, { do: 'report' }>): Soon<unknown> {
    const at = this.#o.clock.wall();
    if (o.event === 'ringing') this.#o.changed?.(live);
    if (o.event === 'answered') live.answeredAt = at;
    if (o.event === 'ended' && live.opened !== undefined) {
      live.opened({ failed: o.reason ?? 'callee_offline' });
      live.opened = undefined;
    }
    // Such a call waits for nobody.
    if (live.autonomous) return o.event === 'answered' ? this.#driver.later(this.#o.snapshots.save(live)) : undefined;
    const { session } = live;
    const { leg, event, reason } = o;
    if (event === 'ended') {
      const { best: status = 0 } = live.state;
      const refused = live.answeredAt === undefined && status >= 400 ? { status } : {};
      const said = { session, leg, event, at, ...refused };
      return this.#o.reporter.ended(live, reason === undefined ? said : { ...said, reason });
    }
    const callId = this.#callIdOf(live, leg, o.branch);
    const report = callId === undefined ? { session, leg, event, at } : { session, leg, event, at, callId };
    return event === 'answered' ? this.#answered(live, report) : this.#o.reporter.leg(report);
  }

  /** Told again of a restored call: the process before may have died between the two commits. */
  wasAnswered(live: Live): void {
    const { winner, branches } = live.state;
    const leg = branches.get(winner ?? '')?.leg ?? live.state.callerLeg?.id;
    if (leg === undefined || live.autonomous) return;
    const { session, answeredAt: at = live.startedAt } = live;
    const callId = this.#callIdOf(live, leg, winner);
    const report = { session, leg, event: 'answered' as const, at };
    this.#driver.later(this.#o.reporter.leg(callId === undefined ? report : { ...report, callId }));
  }

  /** The answer is on record, and whoever comes after this process finds the call, before anybody hears that it is up. */
  #answered(live: Live, report: VerbRequest<'leg.report'>): Promise<unknown> {
    const kept = this.#o.snapshots.save(live);
    this.#driver.later(kept);
    return Promise.all([this.#o.reporter.leg(report), kept.catch(() => undefined)]);
  }

  #callIdOf(live: Live, leg: string, branch: string | undefined): string | undefined {
    const party = leg === live.state.callerLeg?.id ? CALLER : branch;
    const handle = party === undefined ? undefined : live.handles.get(party);
    return handle === undefined ? undefined : this.#o.sip.endpoint.dialogId(handle)?.callId;
  }

  #inviteOptions(live: Live, invite: Extract<Output, { do: 'invite' }>): InviteOptions | number {
    const { branch, to, sdp, breadth } = invite;
    const { sip, domain } = this.#o;
    if (to.most !== undefined && !this.#hasRoom(live, to, to.most)) return to.trunk === undefined ? 486 : 503;
    const { contact, line, trunk, callerName, headers } = to;
    const hops = hopHeaders(live.hops, breadth);
    if (trunk !== undefined) {
      return { ...trunkInvite(trunk, live, { hops, contact: sip.contact(contact.flow), sdp }), held: true };
    }
    const caller = callerName === undefined ? live.caller : { ...live.caller, name: callerName };
    const from = live.hidden === true ? ANONYMOUS : addressOf(caller, domain);
    const called = line?.number ?? '';
    const told = toldTo(live, { caller, from, called, domain, gateway: contact.gateway !== undefined });
    return {
      uri: contact.uri,
      from,
      to: addressOf(line === undefined ? { number: called } : calledLine(line), domain),
      flow: contact.flow,
      contact: sip.contact(contact.flow),
      route: contact.path,
      headers: told.length === 0 && headers === undefined ? hops : [...hops, ...told, ...(headers ?? [])],
      sdp,
      held: true,
      // A flow that may be dead is given up for another one, unless it says that it got the INVITE.
      ...(live.state.branches.get(branch)?.others === undefined ? {} : { trying: true }),
    };
  }

  /** The last place may have gone since the way was looked for. */
  #hasRoom(live: Live, { line, trunk }: Callee, most: number): boolean {
    const id = trunk?.trunk.id ?? line?.id;
    return id === undefined || live.counted.includes(id) || this.fits(id, most);
  }

  #invited(live: Live, branch: string, { line, trunk }: Callee): void {
    this.#o.changed?.(live);
    this.#o.snapshots.rings(live);
    const id = trunk?.trunk.id ?? line?.id;
    if (id !== undefined && !live.counted.includes(id))
      this.count(live, trunk === undefined && line !== undefined ? line : id);
    if (trunk !== undefined) {
      // Another way is tried: the one before led nowhere.
      if (live.tried !== undefined) this.#o.trunkHeard(live.tried, live.failure ?? SILENCE, trunk);
      live.failure = undefined;
      live.way = trunk.trunk.id;
      live.tried = trunk;
      this.#sentOut(live, branch);
    }
    if (live.opened === undefined) return;
    const handle = live.handles.get(branch);
    live.callId = (handle === undefined ? undefined : this.#o.sip.endpoint.dialogId(handle)?.callId) ?? '';
    live.opened({ callId: live.callId });
    live.opened = undefined;
  }

  #sentOut(live: Live, branch: string): void {
    const handle = live.handles.get(branch);
    const callId = handle === undefined ? undefined : this.#o.sip.endpoint.dialogId(handle)?.callId;
    if (callId === undefined) return;
    live.outIds = [...(live.outIds ?? []), callId];
    this.#outIds.add(callId);
    this.circles.out(live);
  }

  #established(live: Live): void {
    this.#up.add(live.id);
    this.circles.settled(live);
    this.#o.changed?.(live);
    if (live.way !== undefined) {
      if (live.tried !== undefined) this.#o.trunkHeard(live.tried, 'works');
      this.#o.answeredOutside?.(live.id);
    }
    this.#rest();
  }

  #over(live: Live, reason: string): void {
    this.#o.ended?.(live, reason);
    this.#o.changed?.(live);
    // Who waits for what a side makes of an offer hears of it no more.
    for (const party of [CALLER, live.state.winner ?? '']) this.#renewals.get(`${live.id} ${party}`)?.(false);
    for (const callId of live.outIds ?? []) this.#outIds.delete(callId);
    this.circles.settled(live);
    this.#up.delete(live.id);
    this.#endpoints.delete(live.id);
    this.#counts.remove(live);
    if (live.answeredAt !== undefined || live.saving !== undefined) this.#o.snapshots.remove(live);
    if (live.autonomous) this.#driver.later(this.#o.reporter.whole(live, reason));
    this.#rest();
  }

  #rest(): void {
    if (this.#idle.length === 0 || this.between > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
