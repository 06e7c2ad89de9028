/** One softswitch process as one of several: what it shares with the others, put together for the server. */
import type { Fleet } from '#cloud/bus/fleet.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import type { Store } from '#cloud/store/store.ts';
import type { Door } from '#shared/call/register.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { SavedSide } from '#shared/host/call-restore.ts';
import type { SipTransport } from '#shared/host/sip.ts';
import type { DialogName } from '#shared/sip/refer.ts';
import type { RegisterOutcome } from '#shared/sip/registrar.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import { write } from '#shared/sip/write.ts';
import type { Calls } from '../calls.ts';
import { endOf, type Live } from '../live.ts';
import type { Location } from '../location.ts';
import type { Returning } from '../returning.ts';
import type { Taking } from '../routing.ts';
import type { Watch } from '../watch.ts';
import { type FarLeg, farLeg } from './dialogs.ts';
import { Leases } from './leases.ts';
import { Mates } from './mates.ts';
import { SharedBindings } from './shared-bindings.ts';
import { SharedCounts } from './shared-counts.ts';
import { SharedLamps } from './shared-lamps.ts';
import type { Proven, Word } from './words.ts';

export interface FleetSideOptions {
  readonly location: Location;
  readonly transport: () => SipTransport;
  readonly sip: () => SipPort;
  /** Takes up calls that are this process's now. */
  readonly restore: (calls: readonly string[]) => Promise<void>;
  readonly cameBack: (gateway: string, flow: Flow) => void;
  readonly calls: () => Pick<Calls, 'ownOf' | 'withLeg' | 'giveUp'>;
  readonly returning: () => Pick<Returning, 'registered'>;
  readonly watch: () => Pick<Watch, 'dialogs' | 'changedElsewhere'>;
  readonly door: () => Pick<Door, 'heardWrong'>;
}

/** What the mates themselves do not deal with. */
type Other = Extract<Word, { do: 'counts' | 'watch' | 'lamps' | 'wrong' }>;

/** A call that rings at another process. */
export interface Ringing {
  readonly owner: string;
  readonly taking: NonNullable<Proven['taking']>;
}

export class FleetSide {
  readonly mates: Mates;
  readonly counts: SharedCounts;
  readonly seats: Leases;
  readonly lamps: SharedLamps;
  readonly owner: string;
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #o: FleetSideOptions;
  readonly #shared: SharedBindings;
  readonly #failed: (error: unknown) => void;

  constructor(fleet: Fleet, { world, store }: Pick<PartContext, 'world' | 'store'>, options: FleetSideOptions) {
    this.#o = options;
    this.owner = fleet.owner;
    const { location, transport, restore, cameBack } = options;
    const { clock, log } = world;
    this.#failed = (error) => log.error('softswitch.bindings-not-kept', { error: String(error) });
    const changed = (line?: string) => {
      this.#shared.changed(line);
      if (line !== undefined) this.#maybeBack(line).catch(this.#failed);
    };
    this.#store = store;
    this.#fleet = fleet;
    const heard = (from: string, word: Other) => this.#heard(from, word, clock.wall());
    this.mates = new Mates({ fleet, store, log, transport, restore, cameBack, changed, heard });
    this.counts = new SharedCounts({ fleet, own: (id) => options.calls().ownOf(id) });
    this.seats = new Leases({
      ...{ fleet, clock },
      own: (id) => options.calls().ownOf(id),
      elsewhere: (id) => this.counts.elsewhere(id),
    });
    this.lamps = new SharedLamps({
      fleet,
      own: (line) => options.watch().dialogs(line),
      changed: (line) => options.watch().changedElsewhere(line),
    });
    this.#shared = new SharedBindings({
      ...{ fleet, store, clock, location },
      tell: (line) => this.mates.tell(line),
      flowTo: (remote) => transport().flowTo({ protocol: 'udp', ...remote }),
    });
    location.refresh = (line) => (line === undefined ? this.#shared.syncAll() : this.#shared.sync(line));
  }

  #heard(from: string, word: Other, wall: number): void {
    if (word.do === 'counts') this.counts.hear(from, word);
    else if (word.do === 'wrong') this.#o.door().heardWrong(word.source, word.account, wall);
    else this.lamps.hear(from, word);
  }

  /** A phone with a call of ours may have come back over a connection of another process. */
  async #maybeBack(line: string): Promise<void> {
    const { calls, location, returning } = this.#o;
    if (calls().ownOf(line) === 0) return;
    const before = location.reached(line);
    await this.#shared.sync(line);
    returning().registered(line, before);
  }

  /** A wrong digest came here: a source has one budget of guesses, not one at each process. */
  wrong(source: string, account: string): void {
    const fleet = this.#fleet;
    for (const owner of fleet.alive()) {
      if (owner !== fleet.owner) fleet.send(owner, { do: 'wrong', source, account } satisfies Word);
    }
  }

  /** Where the call rings that the caller of this one takes, if at another process. */
  async ringsAt(live: Live, way: Taking): Promise<Ringing | undefined> {
    const { session, ringing, leg } = way;
    // What was handed to us is not handed on.
    if (live.taking !== undefined || this.#o.calls().withLeg(session, ringing) !== undefined) return undefined;
    const owner = await this.mates.where(session);
    return owner === undefined ? undefined : { owner, taking: { session, ringing, leg } };
  }

  /** Lets that process serve the call; false where the caller has gone meanwhile. */
  handOver(live: Live, { owner, taking }: Ringing): boolean {
    const { line, flow, gateway, callId } = live;
    const invite = line === undefined || flow === undefined ? undefined : this.#o.calls().giveUp(live);
    if (line === undefined || flow === undefined || invite === undefined) return false;
    const by = gateway === undefined ? {} : { gateway: { gateway, home: line.home } };
    this.mates.handOver(owner, callId, { flow, text: write(invite) }, { line: line.id, ...by, taking });
    return true;
  }

  /** An established dialog that another process has. */
  farLeg(name: DialogName): Promise<FarLeg | undefined> {
    return farLeg(this.#store, name);
  }

  begin(): Promise<void> {
    return this.#shared.begin();
  }

  stop(): void {
    this.seats.stop();
  }

  /** The own number of calls of a line or trunk changed. */
  counted(id: string): void {
    this.counts.changed(id);
    this.seats.changed(id);
  }

  change(line: string, run: () => RegisterOutcome): Promise<RegisterOutcome> {
    return this.#shared.change(line, run);
  }

  lost(flow: Flow): void {
    const lines = this.#o.location.linesOf(flow);
    if (lines.length > 0) this.#shared.lost(flow, lines).catch(this.#failed);
  }

  gone(line: string, uri?: string): void {
    this.#shared.gone(line, uri).catch(this.#failed);
  }

  /** A side of a call that another process left: from now on the other end knows us by our own address. */
  side(side: SavedSide): SavedSide {
    return { ...side, dialog: { ...side.dialog, contact: this.#o.sip().contact(side.flow) } };
  }

  /** A connection may have come back to any process while nobody had the call. */
  async moved(live: Live, { party, flow }: SavedSide, handle: CallHandle): Promise<void> {
    if (flow.protocol === 'udp') return;
    const { line, gateway } = endOf(live, party);
    if (line === undefined) return;
    await this.#shared.sync(line.id);
    const now = this.#o.location.reached(line.id).find((one) => one.gateway === gateway && one.flow.protocol !== 'udp');
    if (now !== undefined) this.#o.sip().endpoint.moveCall(handle, now.flow);
  }
}
