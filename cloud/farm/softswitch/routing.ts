/** Where a call goes: the session manager says; while it is away the softswitch itself completes what costs nobody money in advance. */
import type { Bus } from '#cloud/bus/bus.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import type { Store } from '#cloud/store/store.ts';
import type { CallInput, Target } from '#shared/call/call.ts';
import { readDialled } from '#shared/call/numbers.ts';
import { reasonOf } from '#shared/call/outcome.ts';
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import type { Clock, Crypto } from '#shared/kernel/world.ts';
import { sipStatus } from '#shared/protocol/fault.ts';
import type { Lines } from './lines.ts';
import type { Callee, Live } from './live.ts';
import type { Location } from './location.ts';
import { BUS_LIMIT, SELF } from './media.ts';

/** Milliseconds that phones ring, and that a held call waits for its instruction. */
export const RING_FOR = 30_000;
export const HOLD_FOR = 30_000;
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
  readonly newId: (prefix: 'chn') => string;
}

type Reroute = Extract<CallInput<Callee>, { on: 'rerouted' | 'refused' }>;
type Route = Extract<CallInput<Callee>, { on: 'routed' | 'held' | 'refused' }>;

export class Router {
  readonly #o: RouterOptions;

  constructor(options: RouterOptions) {
    this.#o = options;
  }

  async route(live: Live): Promise<Route> {
    const { bus, clock } = this.#o;
    const asked = await bus.request(
      'session.route',
      {
        call: live.id,
        callId: live.callId,
        ...(live.line === undefined ? {} : { line: live.line.id }),
        to: live.dialled,
        at: clock.wall(),
        direct: live.direct,
        ...(live.hidden === true ? { hidden: true } : {}),
      },
      SELF,
      BUS_LIMIT,
    );
    if (!asked.ok) {
      const { code, server = 'session-manager' } = asked.fault;
      const away = (code === 'server_unavailable' || code === 'timeout') && server === 'session-manager';
      return away ? this.#alone(live) : { on: 'refused', status: sipStatus(code), reason: code };
    }
    live.session = asked.value.session;
    if (asked.value.do === 'wait')
      return { on: 'held', callerLeg: asked.value.leg, limit: HOLD_FOR, ring: asked.value.ring === true };
    const targets: Target<Callee>[] = [];
    for (const { leg, line } of asked.value.targets) targets.push(this.target(leg, await this.#o.lines.byId(line)));
    const { again = false, ringFor = RING_FOR, hidden } = asked.value;
    if (hidden === true) live.hidden = true;
    return {
      on: 'routed',
      callerLeg: asked.value.callerLeg,
      targets,
      ringFor,
      again,
      // Whoever comes next may be behind a gateway.
      relay: again || this.#relay(live, targets),
    };
  }

  /** Where a call goes that was not taken. */
  async reroute(live: Live, leg: string, reason: string): Promise<Reroute> {
    const { bus, clock, lines } = this.#o;
    const request = { session: live.session, leg, reason, at: clock.wall() };
    const asked = await bus.request('session.reroute', request, SELF, BUS_LIMIT);
    if (!asked.ok) return { on: 'refused', status: 480, reason };
    const { leg: next, line, again, ringFor = RING_FOR } = asked.value;
    return { on: 'rerouted', target: this.target(next, await lines.byId(line)), ringFor, again };
  }

  /** The phones of a line as the target of a leg. */
  target(leg: string, line: LineRow | undefined): Target<Callee> {
    if (line === undefined) return { leg, branches: [], otherwise: 404 };
    if (line.class === 'standard' && this.#o.countOf(line.id) >= LINE_CALLS)
      return { leg, branches: [], otherwise: 486 };
    const contacts = this.#o.location.contacts(line.id, this.#o.clock.mono());
    return { leg, branches: contacts.map((contact) => ({ branch: this.#o.newId('chn'), to: { contact, line } })) };
  }

  /**
   * SDP passes untouched between direct phones that no NAT hides; everything else is relayed. Without the media server it
   * passes too: better than no call.
   */
  #relay(live: Live, targets: readonly Target<Callee>[]): boolean {
    if (!this.#o.bus.has('media')) return false;
    const v6 = live.flow?.remote.host.includes(':');
    const near = ({ contact: { open, flow } }: Callee) => open && flow.remote.host.includes(':') === v6;
    return !live.open || !targets.every(({ branches }) => branches.every(({ to }) => near(to)));
  }

  async #alone(live: Live): Promise<Route> {
    live.autonomous = true;
    live.session = this.#derived('ses', live.callId, '');
    const dialled = readDialled(live.dialled);
    if (dialled === undefined || dialled.kind === 'media') return refused(503);
    if (dialled.kind !== 'emergency' && (await this.#prepaid(live.line))) return refused(503);
    const line = await this.#o.lines.byUser(dialled.kind === 'name' ? dialled.name : dialled.number);
    if (line === undefined) return refused(404);
    const target = this.target(this.#derived('leg', live.callId, 'callee'), line);
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

function refused(status: number): Route {
  return { on: 'refused', status, reason: reasonOf(status) };
}
