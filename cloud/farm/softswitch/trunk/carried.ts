/**
 * Calls by a trunk outlive its connections: a carrier closes one that was silent for a while, and a process that starts again has none of
 * the old ones. What is to be said in such a call goes over another (RFC 3261 sections 12.2.1.1 and 18).
 */
import { CALLER, type Party } from '#shared/call/call.ts';
import { isGone } from '#shared/host/call-restore.ts';
import type { Address, Clock, Timer } from '#shared/kernel/world.ts';
import type { CallHandle, Flow, SipEndpoint } from '#shared/sip/types.ts';
import type { Calls } from '../calls.ts';
import type { Live } from '../live.ts';

/** Addresses of one trunk, as its INVITEs name them, to which connections are opened at once; what wants more goes to the trunk's servers. */
export const BACK_LIMIT = 8;

/** When another connection is looked for, milliseconds after the loss: for as long as the call waits for one. */
const TRIES = [0, 5_000, 15_000, 30_000, 50_000] as const;

export interface CarriedOptions {
  readonly calls: Pick<Calls, 'all'>;
  readonly endpoint: Pick<SipEndpoint, 'flowOf' | 'moveCall' | 'backTo'>;
  readonly clock: Clock;
  /** True for a flow of some trunk. */
  readonly isTrunk: (flow: Flow) => boolean;
  /** The ways to a trunk's servers, opened where they are not; none where nobody can be reached. */
  readonly waysTo: (trunk: string) => Promise<readonly Way[]>;
  /** The same to an address where a carrier waits for a response, in place of that connection; none unless the trunk's settings name it. */
  readonly wayBack: (trunk: string, at: Address, instead: Flow) => Promise<readonly Way[]>;
}

interface Way {
  readonly flow: Flow;
}

type IsLost = (flow: Flow | undefined) => boolean;

/** Each trunk goes its own way: one that cannot be reached takes long to say so. */
interface Search {
  readonly isLost: IsLost;
  readonly trunk: string;
  /** Its sides that lost theirs: one whose call is over meanwhile may still have to say so. */
  readonly handles: readonly CallHandle[];
  /** When the connections were lost, and how often others were looked for. */
  readonly from: number;
  readonly turn: number;
}

export class Carried {
  readonly #o: CarriedOptions;
  readonly #timers = new Set<Timer>();
  #stopped = false;

  constructor(options: CarriedOptions) {
    this.#o = options;
  }

  /** A connection closed. */
  lost(closed: Flow): void {
    if (this.#o.isTrunk(closed)) this.#search((flow) => flow?.id === closed.id);
  }

  /** Calls of an earlier process, or of another one, are here. */
  restored(): void {
    this.#search((flow) => flow !== undefined && isGone(flow));
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #search(isLost: IsLost): void {
    const { calls, endpoint, clock } = this.#o;
    const sides = new Map<string, CallHandle[]>();
    for (const live of calls.all()) {
      for (const [party, handle] of live.handles) {
        const trunk = trunkOf(live, party);
        if (trunk === undefined || !isLost(endpoint.flowOf(handle))) continue;
        sides.set(trunk, [...(sides.get(trunk) ?? []), handle]);
      }
    }
    for (const [trunk, handles] of sides) void this.#look({ isLost, trunk, handles, from: clock.mono(), turn: 0 });
  }

  async #look(search: Search): Promise<void> {
    const { endpoint, waysTo } = this.#o;
    // It may have spoken meanwhile, over a connection of its own.
    const isLost = (handle: CallHandle) => search.isLost(endpoint.flowOf(handle));
    const handles = search.handles.filter(isLost);
    if (handles.length === 0) return;
    const backs = new Backs(handles, this.#o);
    await backs.open(search.trunk);
    const ways = backs.suffice ? [] : await waysTo(search.trunk);
    for (const handle of handles.filter(isLost)) {
      const before = endpoint.flowOf(handle);
      const near = ways.find(({ flow }) => flow.remote.host === before?.remote.host) ?? ways[0];
      const way = backs.of(handle) ?? near;
      if (way !== undefined) endpoint.moveCall(handle, way.flow);
    }
    this.#again({ ...search, turn: search.turn + 1 });
  }

  /** Once more for those that found none. */
  #again(search: Search): void {
    const after = TRIES[search.turn];
    // It may have stopped while a way was being opened.
    if (after === undefined || this.#stopped) return;
    const timer = this.#o.clock.at(search.from + after, () => {
      this.#timers.delete(timer);
      void this.#look(search);
    });
    this.#timers.add(timer);
  }
}

/**
 * Ways to where the responses of calls go that ring (RFC 3261 section 18.2.2): first the address from which the INVITE came, with the port
 * of sent-by.
 */
class Backs {
  readonly #o: Pick<CarriedOptions, 'endpoint' | 'wayBack'>;
  readonly #handles: readonly CallHandle[];
  readonly #ways = new Map<string, Way | undefined>();

  constructor(handles: readonly CallHandle[], options: Pick<CarriedOptions, 'endpoint' | 'wayBack'>) {
    this.#handles = handles;
    this.#o = options;
  }

  async open(trunk: string): Promise<void> {
    const { endpoint, wayBack } = this.#o;
    for (const handle of this.#handles) {
      const [at, instead] = [endpoint.backTo(handle), endpoint.flowOf(handle)];
      if (at === undefined || instead === undefined || this.#ways.has(nameOf(at))) continue;
      if (this.#ways.size >= BACK_LIMIT) return;
      this.#ways.set(nameOf(at), (await wayBack(trunk, at, instead))[0]);
    }
  }

  of(handle: CallHandle): Way | undefined {
    const at = this.#o.endpoint.backTo(handle);
    return at === undefined ? undefined : this.#ways.get(nameOf(at));
  }

  /** Every call has its way. */
  get suffice(): boolean {
    return this.#handles.every((handle) => this.of(handle) !== undefined);
  }
}

const nameOf = ({ host, port }: Address): string => `${host} ${port}`;

/** The trunk by which that side of a call came, or is reached. */
function trunkOf(live: Live, party: Party): string | undefined {
  if (party === CALLER) return live.cameBy;
  const { line, trunk } = live.state.branches.get(party)?.to ?? {};
  return line === undefined ? (trunk?.trunk.id ?? live.way) : undefined;
}
