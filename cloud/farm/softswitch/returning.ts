/**
 * Direct phones that come back over another connection, or from another port, in the middle of a call: requests of the call go to them
 * over the flow of their registration (RFC 5626 section 5.3). Without it they would reach the phone only once it has spoken in the call.
 */
import { isGone } from '#shared/host/call-restore.ts';
import { sameContact } from '#shared/sip/instance.ts';
import type { CallHandle, Flow, SipEndpoint } from '#shared/sip/types.ts';
import { parseUri } from '#shared/sip/uri.ts';
import type { Calls } from './calls.ts';
import { endOf } from './live.ts';
import type { Location, Reached } from './location.ts';

export interface ReturningOptions {
  readonly calls: Pick<Calls, 'all' | 'ownOf' | 'probe'>;
  readonly location: Pick<Location, 'reached' | 'linesOf'>;
  readonly endpoint: Pick<SipEndpoint, 'flowOf' | 'moveCall' | 'snapshot'>;
}

/** A connection of an earlier process had a port of its own, which nobody knows again. */
function sameHost(a: string, b: string): boolean {
  const [x, y] = [parseUri(a), parseUri(b)];
  return x !== undefined && x.user === y?.user && x.host.toLowerCase() === y?.host.toLowerCase();
}

/** As which phone a side was registered. */
type Known = Pick<Reached['binding'], 'uri' | 'params'>;

export class Returning {
  readonly #o: ReturningOptions;
  /** Sides whose connection is gone; as it was registered, where it was. */
  readonly #away = new Map<CallHandle, Known | undefined>();

  constructor(options: ReturningOptions) {
    this.#o = options;
  }

  /** A connection closed; what was registered over it is still known. A phone that keeps another one goes on over that. */
  lost(flow: Flow): void {
    const { calls, location, endpoint } = this.#o;
    this.#prune();
    for (const line of location.linesOf(flow)) {
      if (calls.ownOf(line) === 0) continue;
      const there = location.reached(line);
      const known = there.find((one) => one.flow.id === flow.id)?.binding;
      for (const handle of this.#sides(line))
        if (endpoint.flowOf(handle)?.id === flow.id) this.#away.set(handle, known);
      const left = there.filter((one) => one.flow.id !== flow.id);
      this.#find(line, left, []);
    }
  }

  #prune(): void {
    for (const handle of this.#away.keys())
      if (this.#o.endpoint.flowOf(handle) === undefined) this.#away.delete(handle);
  }

  /** What is registered of a line, before something is: to be given to `registered`. Nothing where the line has no call. */
  before(line: string): readonly Reached[] | undefined {
    return this.#o.calls.ownOf(line) === 0 ? undefined : this.#o.location.reached(line);
  }

  /** A direct phone of the line has registered what was not registered so before. */
  registered(line: string, before: readonly Reached[]): void {
    this.#find(line, this.#o.location.reached(line), before);
  }

  #find(line: string, there: readonly Reached[], before: readonly Reached[]): void {
    const { calls, endpoint } = this.#o;
    for (const handle of this.#sides(line)) {
      const at = endpoint.flowOf(handle);
      if (at === undefined || there.some(({ flow }) => flow.id === at.id)) continue;
      const known = this.#away.get(handle) ?? before.find(({ flow }) => flow.id === at.id)?.binding;
      const named = known ?? { uri: endpoint.snapshot(handle)?.remoteTarget ?? '', params: new Map() };
      const direct = there.filter(({ gateway }) => gateway === undefined);
      const alike = isGone(at) ? direct.filter(({ binding }) => sameHost(binding.uri, named.uri)) : [];
      const found =
        direct.find(({ binding }) => sameContact(binding, named)) ?? (alike.length === 1 ? alike[0] : undefined);
      // Its connection may have been another process's, of whose end we hear by what is registered.
      if (found === undefined && known !== undefined && !this.#away.has(handle)) this.#noteAway(handle, known);
      if (found === undefined || !endpoint.moveCall(handle, found.flow)) continue;
      this.#away.delete(handle);
      calls.probe([handle]);
    }
  }

  #noteAway(handle: CallHandle, known: Known): void {
    this.#prune();
    this.#away.set(handle, known);
  }

  /** The sides of established calls that are direct phones of the line. */
  *#sides(line: string): Iterable<CallHandle> {
    for (const live of this.#o.calls.all()) {
      if (live.state.at !== 'up') continue;
      for (const [party, handle] of live.handles) {
        const end = endOf(live, party);
        if (end.line?.id === line && end.gateway === undefined) yield handle;
      }
    }
  }
}
