/** Calls and phones over a restart of the gateway: kept while it runs, taken up by the next process. Wires `kept.ts` to the edge. */

import { CALLER, type Party } from '#shared/call/call.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { isGone, Restorer } from '#shared/host/call-restore.ts';
import type { Soon } from '#shared/kernel/soon.ts';
import { within } from '#shared/kernel/time.ts';
import type { Address, World } from '#shared/kernel/world.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Flow } from '#shared/sip/types.ts';
import { type Anchor, nodeOf } from '../media-relay/anchor.ts';
import type { EdgeCalls } from './calls.ts';
import type { EdgeCall } from './edge-call.ts';
import { isWhole } from './end.ts';
import type { House } from './house.ts';
import type { HouseCalls, KeptFeatures } from './house-calls.ts';
import type { HouseWatch, KeptWatches } from './house-watch.ts';
import type { Joins } from './join.ts';
import { Kept } from './kept.ts';
import type { KeptParked, Parking } from './parking.ts';
import type { RecordClock } from './record-clock.ts';
import { LEGS, restoreCall, type SavedCall, saveCall, saveRinging } from './saved-call.ts';
import type { ThreeWay } from './three-way.ts';

/** Milliseconds for which an answer waits for its call's file. A card that takes longer, or takes nothing, holds up no call. */
export const KEPT_WITHIN = 1_000;
/** Milliseconds of ringing after which a call is kept: who answers at once costs no write for that. */
export const RINGS_AFTER = 150;

export interface ContinuityOptions {
  readonly world: World;
  /** Dates calls. */
  readonly times: RecordClock;
  /** Folder of what is kept. */
  readonly state: string;
  readonly sip: SipPort;
  readonly anchor: Anchor;
  readonly house: House;
  readonly calls: () => EdgeCalls;
  readonly joins: () => Joins;
  readonly threeWay: () => ThreeWay;
  readonly parking: () => Parking;
  readonly inside: () => HouseCalls;
  readonly watch: () => HouseWatch;
  /** The flow over UDP to an address. */
  readonly datagrams: (remote: Address) => Promise<Flow>;
  readonly report: (call: VerbRequest<'voice.report'>) => Promise<void>;
}

export class Continuity {
  readonly #o: ContinuityOptions;
  readonly #kept: Kept;
  readonly #restorer: Restorer;
  /** Calls that have rung for long enough, or soon may have: each is written once as it rings. */
  readonly #rang = new WeakSet<EdgeCall>();

  constructor(options: ContinuityOptions) {
    const { world, state, sip, datagrams } = options;
    this.#o = options;
    this.#kept = new Kept(world.disk, world.log, state);
    this.#restorer = new Restorer(sip, world.clock, datagrams);
  }

  /** Reads what an earlier process left. What it resolves with is to be run once UDP is bound, and takes calls and phones up. */
  async before(): Promise<() => Promise<void>> {
    const { phones, calls, facts, features, watches } = await this.#kept.load();
    this.#o.inside().restore(features);
    for (const { id, report } of facts) this.tell(id, report);
    const known = new Set(calls.map(({ id }) => id));
    const alive = await this.#o.anchor.alive((call) => known.has(call));
    return async () => {
      const { house, world } = this.#o;
      for (const phone of phones)
        house.restore(phone, await this.#restorer.flow(phone.flow), world.clock.mono(), world.clock.wall());
      for (const saved of calls) await this.#takeUp(saved, alive);
      this.#o.threeWay().begin();
      this.#restorer.begin();
      await this.#o.watch().restore(watches, (flow) => this.#restorer.flow(flow));
    };
  }

  /** A call of an earlier process goes on; where its media is gone (the power was cut) it ends, for both sides. */
  async #takeUp(saved: SavedCall, alive: ReadonlySet<string>): Promise<void> {
    const { anchor, calls, joins, world } = this.#o;
    const { clock } = world;
    const call = restoreCall(saved, { now: clock.mono(), wall: clock.wall() });
    const { driver } = calls();
    driver.add(call);
    for (const side of saved.pending ?? []) await this.#resume(call, side);
    for (const side of saved.sides) {
      anchor.restore({ call: call.id, leg: side.leg }, side.origin);
      if (side.party !== saved.parked?.party && !call.handles.has(side.party))
        driver.bind(call, side.party, await this.#restorer.add(side));
    }
    if (saved.parked !== undefined) this.#o.parking().restore(call, saved.parked);
    if (saved.talk !== undefined) this.#o.threeWay().restore(call, saved.talk);
    for (const channel of saved.channels) joins().restore(call, channel, await this.#restorer.add(channel));
    const legs = saved.talk === undefined ? LEGS : saved.sides.map(({ leg }) => leg);
    if (legs.every((leg) => alive.has(nodeOf(call.id, leg)))) return this.#goOn(call, saved);
    // Nobody knows when it ended; that it was answered is sure.
    call.lastedUntil = call.answeredAt ?? call.startedAt;
    driver.feed(call, { on: 'close', reason: 'lost', status: 503 });
  }

  /** A side whose INVITE had no final response, or may not have heard of it. */
  async #resume(call: EdgeCall, side: NonNullable<SavedCall['pending']>[number]): Promise<void> {
    const { anchor, calls, world } = this.#o;
    anchor.restore({ call: call.id, leg: side.leg }, side.origin);
    const handle = await this.#restorer.resume(side);
    if (handle === undefined) return;
    calls().driver.bind(call, side.party, handle);
    if (call.answeredAt === undefined || side.sdp === undefined) return;
    this.#restorer.answer(handle, side.sdp, world.clock.wall() - call.answeredAt);
  }

  /** What was just being made of it is done again; who rings or is rung over a connection is gone. */
  #goOn(call: EdgeCall, { pending = [], ringsUntil }: SavedCall): void {
    const { sip, calls } = this.#o;
    const { driver } = calls();
    // The engine may not have heard of it.
    if (ringsUntil === undefined && pending.length > 0) driver.later(calls().sound(call, ...LEGS));
    if (ringsUntil === undefined) return;
    const gone = (party: Party) => {
      const handle = call.handles.get(party);
      const flow = handle === undefined ? undefined : sip.endpoint.flowOf(handle);
      return flow === undefined || isGone(flow);
    };
    if (gone(CALLER)) driver.feed(call, { on: 'close', reason: 'server_unavailable', status: 503 });
    else
      for (const branch of [...call.state.branches.keys()])
        if (gone(branch)) driver.feed(call, { on: 'failed', branch, status: 480 });
  }

  /** Somebody is rung: what rings on in a moment is kept, so that a later process can go on with it or end it. */
  rings(call: EdgeCall): void {
    if (this.#rang.has(call)) return;
    this.#rang.add(call);
    const { clock } = this.#o.world;
    clock.at(clock.mono() + RINGS_AFTER, () => {
      const at = { now: clock.mono(), wall: clock.wall(), correction: this.#o.times.correction };
      const saved = saveRinging(call, this.#o.sip.endpoint, this.#o.anchor, at);
      if (saved !== undefined) this.#kept.call(saved);
    });
  }

  /** A call is answered, and its caller has not heard of it yet: resolves once it is kept, or the disk has had its time. */
  answered(call: EdgeCall): Soon<void> {
    const saved = this.#saved(call);
    return saved && within(this.#o.world.clock, KEPT_WITHIN, this.#kept.callNow(saved), undefined);
  }

  /** The sides or channels of a call that is up changed, or it is parked from now on. */
  keep(call: EdgeCall, parked?: KeptParked): void {
    const saved = call.state.at === 'up' ? this.#saved(call, parked) : undefined;
    if (saved !== undefined) this.#kept.call(saved);
  }

  #saved(call: EdgeCall, parked?: KeptParked): SavedCall | undefined {
    const { sip, anchor, joins, threeWay, times } = this.#o;
    const talk = threeWay().nameOf(call);
    const { correction } = times;
    const kept = { channels: joins().saved(call), parked, correction, ...(talk === undefined ? {} : { talk }) };
    return saveCall(call, sip.endpoint, anchor, kept);
  }

  /** From time to time: what the disk did not take is written again, and so are calls where the wall clock was corrected that dates them. */
  look(): void {
    this.#kept.retry();
    if (!this.#o.times.corrected()) return;
    for (const call of this.#o.calls().driver.all()) if (isWhole(call)) this.keep(call);
  }

  over(call: EdgeCall): void {
    this.#kept.over(call.id);
  }

  /** Facts of a call that is over stay on the disk until they are in the outbox. */
  tell(id: string, report: VerbRequest<'voice.report'>): void {
    this.#kept.facts({ v: 1, id, report });
    void this.#o.report(report).then(() => this.#kept.over(id));
  }

  /** Phones may have come or gone. */
  phones(): void {
    this.#kept.phones(this.#o.house.kept());
  }

  features(features: KeptFeatures): void {
    this.#kept.features(features);
  }

  watches(watches: KeptWatches): void {
    this.#kept.watches(watches);
  }

  /** Resolves once all that is to be kept is on the disk. */
  async stop(): Promise<void> {
    this.#restorer.stop();
    await this.#kept.settled();
    this.#kept.retry();
    await this.#kept.settled();
  }
}
