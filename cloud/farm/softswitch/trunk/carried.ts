/**
 * Calls by a trunk outlive its connections: a carrier closes one that was silent for a while, and a process that starts again has none of
 * the old ones. What is to be said in such a call goes over another (RFC 3261 sections 12.2.1.1 and 18).
 */
import { CALLER, type Party } from '#shared/call/call.ts';
import { isGone } from '#shared/host/call-restore.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';
import type { CallHandle, Flow, SipEndpoint } from '#shared/sip/types.ts';
import type { Calls } from '../calls.ts';
import type { Live } from '../live.ts';

/** When another connection is looked for, milliseconds after the loss: for as long as the call waits for one. */
const TRIES = [0, 5_000, 15_000, 30_000, 50_000] as const;

export interface CarriedOptions {
  readonly calls: Pick<Calls, 'all'>;
  readonly endpoint: Pick<SipEndpoint, 'flowOf' | 'moveCall'>;
  readonly clock: Clock;
  /** True for a flow of some trunk. */
  readonly isTrunk: (flow: Flow) => boolean;
  /** The ways to a trunk's servers, opened where they are not; none where nobody can be reached. */
  readonly waysTo: (trunk: string) => Promise<readonly { readonly flow: Flow }[]>;
}

type IsLost = (flow: Flow | undefined) => boolean;

interface Search {
  readonly isLost: IsLost;
  /** When the connections were lost, and how often others were looked for. */
  readonly from: number;
  readonly turn: number;
  /** All of them at first; then each goes its own way, for one that cannot be reached takes long to say so. */
  readonly trunk?: string;
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
    this.#look({ isLost, from: this.#o.clock.mono(), turn: 0 });
  }

  #look(search: Search): void {
    const sides = new Map<string, CallHandle[]>();
    for (const live of this.#o.calls.all()) {
      for (const [party, handle] of live.handles) {
        const trunk = trunkOf(live, party);
        if (trunk === undefined || (search.trunk ?? trunk) !== trunk) continue;
        if (!search.isLost(this.#o.endpoint.flowOf(handle))) continue;
        sides.set(trunk, [...(sides.get(trunk) ?? []), handle]);
      }
    }
    for (const [trunk, handles] of sides) void this.#move(handles, { ...search, trunk });
  }

  async #move(handles: readonly CallHandle[], search: Search & { readonly trunk: string }): Promise<void> {
    const { endpoint, waysTo } = this.#o;
    const ways = await waysTo(search.trunk);
    for (const handle of handles) {
      const before = endpoint.flowOf(handle);
      // It may have spoken meanwhile, over a connection of its own.
      if (before === undefined || !search.isLost(before)) continue;
      const way = ways.find(({ flow }) => flow.remote.host === before.remote.host) ?? ways[0];
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
      this.#look(search);
    });
    this.#timers.add(timer);
  }
}

/** The trunk by which that side of a call came, or is reached. */
function trunkOf(live: Live, party: Party): string | undefined {
  if (party === CALLER) return live.cameBy;
  const { line, trunk } = live.state.branches.get(party)?.to ?? {};
  return line === undefined ? (trunk?.trunk.id ?? live.way) : undefined;
}
