/**
 * Established calls over a restart: what of a call goes to a disk or a store, and how a later process takes it up. The softswitch
 * and the gateway's edge keep their calls by the same words; where and when they write is theirs.
 */
import { CALLER, type LegId, type Party, restoredCall } from '#shared/call/call.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { Address, Clock, Timer } from '#shared/kernel/world.ts';
import type { CallHandle, CallSnapshot, Flow, SipEndpoint } from '#shared/sip/types.ts';
import type { DrivenCall, SipPort } from './call-driver.ts';

/** Milliseconds after which a restored side whose connection has not come back is asked whether it still is. */
const RETURN_WITHIN = 60_000;

/** One side of an established call as plain data. */
export interface SavedSide {
  readonly party: Party;
  readonly leg: LegId;
  readonly dialog: CallSnapshot;
  /** The flow that it used; its id means nothing to another process. */
  readonly flow: Flow;
  /** Version of the last description sent to it (RFC 3264 section 8). */
  readonly version: number;
}

/** Names of flows are of one process: a connection of another process must not be taken for one of ours. */
const GONE = 'gone-';

/** True for the connection that a restored call had in another process. */
export const isGone = (flow: Flow): boolean => flow.id.startsWith(GONE);

/** A side of a call as it stands; undefined where it has no dialog, or no flow is known for it. */
export function savedSide<T>(
  endpoint: SipEndpoint,
  call: DrivenCall<T>,
  party: Party,
  flow: Flow | undefined,
): SavedSide | undefined {
  const handle = call.handles.get(party);
  const dialog = handle === undefined ? undefined : endpoint.snapshot(handle);
  const leg = party === CALLER ? call.state.callerLeg?.id : call.state.branches.get(party)?.leg;
  if (dialog === undefined || leg === undefined || flow === undefined) return undefined;
  return { party, leg, dialog, flow, version: call.versions.get(party) ?? 1 };
}

/** A call of these sides, up, with no dialog bound yet. `callee` is whom the side that was called is; a channel may have but one side. */
export function restoredParts<T>(
  sides: readonly SavedSide[],
  shape: { readonly relay: boolean; readonly owned: boolean },
  callee: T | undefined,
): Pick<DrivenCall<T>, 'state' | 'handles' | 'versions' | 'due'> {
  const caller = sides.find(({ party }) => party === CALLER);
  const called = sides.find(({ party }) => party !== CALLER);
  const state = restoredCall<T>({
    ...(caller === undefined ? {} : { callerLeg: caller.leg }),
    ...(called === undefined || callee === undefined
      ? {}
      : { callee: { leg: called.leg, branch: called.party, to: callee } }),
    ...shape,
  });
  return { state, handles: new Map(), versions: new Map(sides.map((one) => [one.party, one.version])), due: NEVER };
}

/**
 * Takes up the dialogs of an earlier process. Datagrams go on at once; a connection is of its process, so its dialogs wait until
 * their peer is back. Then every side is asked whether it still knows the call: one that does not, or is silent, ends it.
 */
export class Restorer {
  readonly #sip: SipPort;
  readonly #clock: Clock;
  readonly #datagrams: (remote: Address) => Promise<Flow>;
  readonly #here: CallHandle[] = [];
  readonly #away: CallHandle[] = [];
  #missing: Timer | undefined;

  /** `datagrams` gives the flow over UDP to an address. */
  constructor(sip: SipPort, clock: Clock, datagrams: (remote: Address) => Promise<Flow>) {
    this.#sip = sip;
    this.#clock = clock;
    this.#datagrams = datagrams;
  }

  /** The dialog's handle in this process. */
  async add({ dialog, flow }: Pick<SavedSide, 'dialog' | 'flow'>): Promise<CallHandle> {
    const isUdp = flow.protocol === 'udp';
    const now = isUdp ? await this.flow(flow) : { ...flow, id: `${GONE}${flow.id}` };
    const handle = this.#sip.endpoint.restore(dialog, now, this.#clock.mono());
    (isUdp ? this.#here : this.#away).push(handle);
    return handle;
  }

  /** The same way over UDP in this process; where there is none (an address that is gone) the old one stands in. */
  flow(flow: Flow): Promise<Flow> {
    return this.#datagrams(flow.remote).catch(() => flow);
  }

  /** All are added: asks those that can be reached now, and the others once they have had their time to come back. */
  begin(): void {
    this.#probe(this.#here);
    if (this.#away.length === 0) return;
    this.#missing = this.#clock.at(this.#clock.mono() + RETURN_WITHIN, () => this.#probe(this.#away));
  }

  stop(): void {
    this.#missing?.cancel();
  }

  #probe(handles: readonly CallHandle[]): void {
    for (const handle of handles) this.#sip.act((endpoint, now, out) => endpoint.probe(handle, now, out));
  }
}
