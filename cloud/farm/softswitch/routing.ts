/** Where a call goes: the session manager says; while it is away the softswitch itself completes what costs nobody money in advance. */
import type { Bus, Outcome } from '#cloud/bus/bus.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import type { Store } from '#cloud/store/store.ts';
import type { CallInput, Target } from '#shared/call/call.ts';
import { alertInfo } from '#shared/call/features/presentation.ts';
import { inFull, readDialled } from '#shared/call/numbers.ts';
import { MOVED, reasonOf } from '#shared/call/outcome.ts';
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import type { Clock, Crypto } from '#shared/kernel/world.ts';
import { sipStatus } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { timesOf, withheld } from '#shared/sip/diversion.ts';
import { unlocated } from './emergency/conveyed.ts';
import type { Help } from './emergency/help.ts';
import type { OutgoingCall } from './identity/sign.ts';
import type { Lines } from './lines.ts';
import type { Callee, Live } from './live.ts';
import type { Location } from './location.ts';
import { BUS_LIMIT, SELF } from './media.ts';
import type { Outside } from './outside.ts';
import { callsOf, type TrunkWay } from './trunk/trunk.ts';

/** Milliseconds that phones ring, and that a held call waits for its instruction. */
export const RING_FOR = 30_000;
export const HOLD_FOR = 30_000;
/** Milliseconds for which a trunk may say nothing at all before the next one is tried; shorter where somebody needs help. */
export const TRY_FOR = 5_000;
export const TRY_FOR_HELP = 2_500;
/** … and the last of them: its answer may lie in our own queue when everybody calls at once. */
const LAST_FOR_HELP = 10_000;
const BY_ALL_WAYS = { tryFor: TRY_FOR_HELP, lastFor: LAST_FOR_HELP, always: true };
/** Milliseconds that those who help may take to answer. */
export const RING_FOR_HELP = 180_000;
/** Milliseconds for which the session manager may wait for digits of a warm line; the call machine waits a little longer. */
const WARM_LIMIT = 3_500;
/** Calls that a line of class `standard` may have at once, as caller and callee together. */
export const LINE_CALLS = 4;

export interface RouterOptions {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly crypto: Crypto;
  readonly lines: Lines;
  readonly location: Location;
  readonly countOf: (line: string) => number;
  /** A place for one more call of a line or trunk, see `Calls`. */
  readonly ensure: (id: string, limit: number) => Promise<void> | undefined;
  readonly newId: (prefix: 'chn') => string;
  readonly outside: Pick<Outside, 'trunks' | 'emergency' | 'guard' | 'identity' | 'enum'>;
}

/** What the session manager is asked. */
type Asking = { -readonly [K in keyof VerbRequest<'session.route'>]: VerbRequest<'session.route'>[K] };
type Reroute = Extract<CallInput<Callee>, { on: 'rerouted' | 'refused' }>;
type Route = Extract<CallInput<Callee>, { on: 'routed' | 'held' | 'refused' }> | Taking;

/** The caller takes a call that rings, as `leg`. */
export interface Taking {
  readonly on: 'taking';
  readonly session: string;
  readonly ringing: string;
  readonly leg: string;
}

export class Router {
  readonly #o: RouterOptions;
  /** Branches named so far: of one leg in one process no two have the same name. */
  #branches = 0;

  constructor(options: RouterOptions) {
    this.#o = options;
  }

  route(live: Live): Soon<Route> {
    const { bus } = this.#o;
    if (live.help !== undefined) return this.#help(live, live.help);
    const { session = false, critical = false } = live.privacy ?? {};
    // Media go from end to end where nobody stands between.
    if (session && critical && !bus.has('media')) return refused(500);
    if (live.taking !== undefined) return { on: 'taking', ...live.taking };
    return soon(live.replaces === undefined ? this.#reach(live.dialled) : undefined, (reach) =>
      soon(this.#ask(live, reach), (asked) => this.#way(live, asked)),
    );
  }

  #ask(live: Live, reach: Asking['reach']): Soon<Outcome<'session.route'>> {
    const { bus, clock } = this.#o;
    const { id: call, callId, line, dialled: to, direct, hidden, callBack, verstat, diverted, replaces } = live;
    const from = line === undefined ? { from: live.caller.number } : { line: line.id };
    const request: Asking = { call, callId, ...from, to, at: clock.wall(), direct };
    if (hidden === true) request.hidden = true;
    if (callBack === true) request.callBack = true;
    if (verstat !== undefined) request.verstat = verstat;
    if (diverted !== undefined) request.diversions = timesOf(diverted);
    // A gateway's word of its own lines.
    const last = live.gateway === undefined ? undefined : diverted?.at(-1);
    if (last !== undefined) {
      request.sentOn = last.number;
      live.sentOn = diverted?.length;
    }
    if (reach !== undefined) request.reach = reach;
    if (replaces !== undefined) request.replaces = replaces;
    // A warm line waits for digits.
    return bus.ask('session.route', request, SELF, to === '' ? BUS_LIMIT + WARM_LIMIT : BUS_LIMIT);
  }

  /** What the session manager's word means. */
  #way(live: Live, asked: Outcome<'session.route'>): Soon<Route> {
    if (!asked.ok) {
      const { code, server = 'session-manager' } = asked.fault;
      const away = (code === 'server_unavailable' || code === 'timeout') && server === 'session-manager';
      return away && live.replaces === undefined
        ? this.#alone(live)
        : { on: 'refused', status: sipStatus(code), reason: code };
    }
    const { value } = asked;
    if (value.do === 'take') {
      const { session, ringing, leg } = value;
      return { on: 'taking', session, ringing, leg };
    }
    live.session = value.session;
    if (value.do === 'wait') return { on: 'held', callerLeg: value.leg, limit: HOLD_FOR, ring: value.ring === true };
    sentOnBy(live, value.diverted);
    return soon(this.#targets(live, value.targets), (targets) => {
      const { callerLeg, again = false, ringFor = RING_FOR, hidden } = value;
      if (hidden === true) live.hidden = true;
      // Whoever comes next may be behind a gateway.
      return { on: 'routed', callerLeg, targets, ringFor, again, relay: again || this.#relay(live, targets) };
    });
  }

  /** One after the other, as each may count. */
  #targets(live: Live, named: readonly Named[], found: Target<Callee>[] = []): Soon<Target<Callee>[]> {
    for (let next = named[found.length]; next !== undefined; next = named[found.length]) {
      const target = this.#targetOf(live, next);
      if (target instanceof Promise) {
        return target.then((one) => {
          found.push(one);
          return this.#targets(live, named, found);
        });
      }
      found.push(target);
    }
    return found;
  }

  /** Where the phones are that a number means at first sight: the session manager need not ask back. */
  #reach(dialled: string): Soon<Asking['reach']> {
    return soon(this.#near(this.#o.lines.byUser(dialled)), (line) => {
      if (line === undefined) return undefined;
      return (
        this.#o.location.registration(line.id, this.#o.clock.mono()) ?? { line: line.id, contacts: 0, direct: false }
      );
    });
  }

  /** A line that may be rung, with all of its phones: they may have registered with another process. */
  #near(asked: Soon<LineRow | undefined>): Soon<LineRow | undefined> {
    const { refresh } = this.#o.location;
    return refresh === undefined
      ? asked
      : soon(asked, (line) => (line === undefined ? undefined : refresh(line.id).then(() => line)));
  }

  /** Where a call goes that was not taken; `to`: what a phone of the leg dials for the caller. */
  async reroute(live: Live, leg: string, reason: string, to?: string): Promise<Reroute> {
    const { bus, clock } = this.#o;
    const diversions = timesOf(live.diverted ?? []);
    const request = {
      session: live.session,
      leg,
      reason,
      at: clock.wall(),
      diversions,
      ...(to === undefined ? {} : { to }),
    };
    const asked = await bus.request('session.reroute', request, SELF, BUS_LIMIT);
    if (!asked.ok) return { on: 'refused', status: 480, reason };
    const { again, ringFor = RING_FOR, diverted, instructed } = asked.value;
    if (instructed === true) return { on: 'refused', status: 480, reason: MOVED, final: true };
    sentOnBy(live, diverted);
    return { on: 'rerouted', target: await this.#targetOf(live, asked.value), ringFor, again };
  }

  /** Whom the session manager means. */
  #targetOf(live: Live, named: Named): Soon<Target<Callee>> {
    const { lines } = this.#o;
    const { leg, line, number, owner, ownerHidden = false } = named;
    if (number === undefined) {
      return soon(this.#near(lines.byId(line ?? '')), (to) =>
        soon(this.ensure(to), () => this.#shown(live, named, to, this.target(leg, to, live.callBack))),
      );
    }
    const answers = owner === undefined || owner === live.line?.id ? live.line : lines.byId(owner);
    return soon(answers, (one) => this.outward(leg, number, one, live, ownerHidden));
  }

  /** The phones' INVITEs tell how the call shows: the caller's name as the line's owner noted it, and the ring. */
  #shown(live: Live, { callerName, ring }: Noted, line: LineRow | undefined, target: Target<Callee>): Target<Callee> {
    const inside = line !== undefined && line.home === live.line?.home;
    const talking = line === undefined ? 0 : this.#o.countOf(line.id);
    if (callerName === undefined && ring === undefined && !inside && talking === 0) return target;
    const headers = alertInfo({ ring, inside, talking });
    const show = (to: Callee): Callee => ({
      ...to,
      ...(headers.length === 0 ? {} : { headers }),
      ...(callerName === undefined ? {} : { callerName }),
    });
    const branches = target.branches.map(({ to, others, ...rest }) => ({
      ...{ ...rest, to: show(to) },
      ...(others === undefined ? {} : { others: others.map(show) }),
    }));
    return { ...target, branches };
  }

  /** A number outside, by whom DNS names for it, then by every trunk that takes it; `owner` answers for the call, `ownerHidden` in private. */
  async outward(
    leg: string,
    number: string,
    owner: LineRow | undefined,
    live: Live,
    ownerHidden = false,
  ): Promise<Target<Callee>> {
    if (!(await this.#o.outside.guard.mayCall(live.id, owner, number))) {
      return { leg, branches: [], otherwise: 403, because: 'destination_barred' };
    }
    const sentOn = owner === undefined || owner.id === live.line?.id ? undefined : owner.number;
    const { trunks, identity, enum: dns } = this.#o.outside;
    const found = [...(await dns.ways(number, sentOn)), ...(await trunks.ways(number, sentOn))];
    if (found.length === 0 && !trunks.take(number)) return { leg, branches: [], otherwise: 404 };
    const used = new Map(found.map(({ trunk }) => [trunk.id, callsOf(trunk)]));
    await Promise.all([...used].map(([id, most]) => this.#o.ensure(id, most)));
    const vouched = ownerHidden ? found.map((way) => ({ ...way, ownerHidden })) : found;
    const ways = await identity.signed(vouched, this.#outgoing(live, number, owner));
    return { ...this.#byTrunks(leg, ways, true), otherwise: 503, oneByOne: { tryFor: TRY_FOR } };
  }

  #outgoing(live: Live, called: string, line: LineRow | undefined): OutgoingCall {
    const { caller, cameBy, proof, diverted = [], sentOn = 0 } = live;
    const by = sentOn === 0 ? [] : diverted.slice(-sentOn).map(({ number }) => number);
    return {
      ...{ caller: caller.number, called, wall: this.#o.clock.wall() },
      // Whoever sends a call on twice, because it was not taken, sends it to the last only.
      sentOnBy: by.filter((number, i) => number !== by[i + 1]),
      ...(proof === undefined ? {} : { proof }),
      ...(line === undefined ? {} : { line }),
      ...(live.line === undefined ? {} : { from: live.line }),
      ...(cameBy === undefined ? {} : { cameBy }),
    };
  }

  #unlocated(way: TrunkWay, facts: OutgoingCall): Promise<TrunkWay[]> {
    const bare = unlocated(way);
    return this.#o.outside.identity.signed(bare === undefined ? [] : [bare], facts);
  }

  /** `limited`: only as many calls as the trunks may have; `bare`: the same ways without a location. */
  #byTrunks(
    leg: string,
    ways: readonly TrunkWay[],
    limited = false,
    bare: readonly (TrunkWay | undefined)[] = [],
  ): Target<Callee> {
    const branches = ways.map((trunk, i) => {
      const contact = { uri: '', flow: trunk.flow, path: [], open: false };
      const most = limited ? { most: callsOf(trunk.trunk) } : {};
      const less = bare[i];
      return {
        ...{ branch: this.#o.newId('chn'), to: { contact, trunk, ...most } },
        ...(less === undefined ? {} : { bare: { contact, trunk: less, ...most } }),
      };
    });
    return { leg, branches };
  }

  /**
   * A call for help asks nobody but the operator's own table: it is told of afterwards. Without a route, a line may have the code as its
   * number.
   */
  async #help(live: Live, help: Help): Promise<Route> {
    const { outside, lines } = this.#o;
    live.autonomous = true;
    live.session = this.#derived('ses', live.callId, '');
    const leg = this.#derived('leg', live.callId, 'callee');
    const callerLeg = this.#derived('leg', live.callId, 'caller');
    const found = await outside.emergency.ways(help, live.caller.number);
    const facts = this.#outgoing(live, help.service, live.line);
    const ways = await outside.identity.signed(found, facts);
    // Each with a signature of its own: whoever checks them takes one only once.
    const bare = await Promise.all(found.map(async (way) => (await this.#unlocated(way, facts))[0]));
    const line = ways.length > 0 ? undefined : await this.#near(lines.byUser(help.number));
    // The phone hears at once that there is no way here, so that it tries elsewhere.
    if (ways.length === 0 && line === undefined) return refused(503);
    const target: Target<Callee> =
      line === undefined
        ? { ...this.#byTrunks(leg, ways, false, bare), otherwise: 503, oneByOne: BY_ALL_WAYS }
        : this.target(leg, line, true);
    const relay = this.#relay(live, [target]);
    return { on: 'routed', callerLeg, targets: [target], ringFor: RING_FOR_HELP, relay };
  }

  /** A place for a call to a line, where its calls are limited. */
  ensure(line: LineRow | undefined): Promise<void> | undefined {
    return line?.class === 'standard' ? this.#o.ensure(line.id, LINE_CALLS) : undefined;
  }

  /** The phones of a line as the target of a leg; `beyondLimits` where somebody needs help. */
  target(leg: string, line: LineRow | undefined, beyondLimits = false): Target<Callee> {
    if (line === undefined) return { leg, branches: [], otherwise: 404 };
    if (!beyondLimits && line.class === 'standard' && this.#o.countOf(line.id) >= LINE_CALLS)
      return { leg, branches: [], otherwise: 486 };
    const contacts = this.#o.location.contacts(line.id, this.#o.clock.mono());
    const most = !beyondLimits && line.class === 'standard' ? LINE_CALLS : undefined;
    const branches = contacts.map((contact) => ({
      branch: `${leg}-${++this.#branches}`,
      to: { contact, line, most },
      others: contact.others?.map((other) => ({ contact: other, line, most })),
    }));
    return { leg, branches };
  }

  /**
   * SDP passes untouched between direct phones that no NAT hides; everything else is relayed. Without the media server it
   * passes too: better than no call.
   */
  #relay(live: Live, targets: readonly Target<Callee>[]): boolean {
    if (!this.#o.bus.has('media')) return false;
    const v6 = live.flow?.remote.host.includes(':');
    const near = ({ contact: { open, flow } }: Callee) => open && flow.remote.host.includes(':') === v6;
    return (
      !live.open ||
      live.privacy?.session === true ||
      // Many phones name themselves in the description.
      live.hidden === true ||
      !targets.every(({ branches }) => branches.every(({ to }) => near(to)))
    );
  }

  async #alone(live: Live): Promise<Route> {
    live.autonomous = true;
    live.session = this.#derived('ses', live.callId, '');
    const dialled = readDialled(inFull(live.dialled, live.line?.number));
    if (dialled === undefined || dialled.kind === 'media') return refused(503);
    if (await this.#prepaid(live.line)) return refused(503);
    const line = await this.#near(this.#o.lines.byUser(dialled.kind === 'name' ? dialled.name : dialled.number));
    await this.ensure(line);
    const leg = this.#derived('leg', live.callId, 'callee');
    // From outside only our own lines can be reached, or calls could go round.
    const outward = line === undefined && dialled.kind === 'number' && live.cameBy === undefined;
    const target = outward
      ? await this.outward(leg, dialled.number, live.line, live)
      : this.target(leg, line, live.callBack);
    if (target.branches.length === 0 && line === undefined && target.because === undefined) return refused(404);
    const callerLeg = this.#derived('leg', live.callId, 'caller');
    return { on: 'routed', callerLeg, targets: [target], ringFor: RING_FOR, relay: this.#relay(live, [target]) };
  }

  /** Who pays in advance cannot call while nobody can reserve; unknown counts as paying afterwards. */
  async #prepaid(line: LineRow | undefined): Promise<boolean> {
    if (line === undefined) return false;
    const row = await this.#o.store.one<{ mode: string }>('SELECT mode FROM balance WHERE home = ?', [line.home]);
    return row?.mode === 'prepaid';
  }

  /** An id that follows from the call alone. */
  #derived(prefix: 'ses' | 'leg', callId: string, role: string): string {
    const sum = this.#o.crypto.hash('sha256', fromLatin1(`${callId} ${role}`));
    return `${prefix}_${base32(sum.subarray(0, 15))}`;
  }
}

interface Noted {
  readonly callerName?: string;
  readonly ring?: 'family' | 'friend';
}

/** Whom a leg rings, in the session manager's words. */
interface Named extends Noted {
  readonly leg: string;
  readonly line?: string;
  readonly number?: string;
  readonly owner?: string;
  readonly ownerHidden?: boolean;
}

/** The call was sent on again. */
function sentOnBy(live: Live, diverted: VerbReply<'session.reroute'>['diverted'] = []): void {
  if (diverted.length === 0) return;
  const told = live.privacy?.history === true ? withheld(diverted) : diverted;
  live.diverted = [...(live.diverted ?? []), ...told];
  live.sentOn = (live.sentOn ?? 0) + diverted.length;
}

function refused(status: number): Route {
  return { on: 'refused', status, reason: reasonOf(status) };
}
