/**
 * Established calls over a restart: what of a call goes to a disk or a store, and how a later process takes it up. The softswitch
 * and the gateway's edge keep their calls by the same words; where and when they write is theirs.
 */
import { CALLER, type LegId, type Party, restoredCall } from '#shared/call/call.ts';
import type { Side } from '#shared/call/call-state.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { Address, Clock, Timer } from '#shared/kernel/world.ts';
import { AGAIN_FOR } from '#shared/sip/call-resume.ts';
import type { CallHandle, CallSnapshot, Flow, PendingInvite, SipEndpoint } from '#shared/sip/types.ts';
import type { DrivenCall, SipPort } from './call-driver.ts';

/** Milliseconds after which a restored side whose connection has not come back is asked whether it still is. */
const RETURN_WITHIN = 60_000;

/** Milliseconds for which a caller acknowledges copies of a 2xx that it has heard (64*T1, RFC 3261 section 13.2.2.4), less the time of a restart. */
const FRESH = 20_000;

/** One side of an established call as plain data. */
export interface SavedSide {
  readonly party: Party;
  readonly leg: LegId;
  readonly dialog: CallSnapshot;
  /** The flow that it used; its id means nothing to another process. */
  readonly flow: Flow;
  /** Version of the last description sent to it (RFC 3264 section 8). */
  readonly version: number;
  /** How it stands where one side holds the other; absent: nobody holds it. */
  readonly hold?: Hold | undefined;
}

/** What a hold has made of a side. */
export type Hold = Pick<Side, 'told' | 'wanted' | 'plays' | 'music'>;

/** One side of a call that was being made: its INVITE has no final response, or the 2xx that we gave it may not have arrived. */
export interface PendingSide {
  readonly party: Party;
  readonly leg: LegId;
  readonly flow: Flow;
  readonly version: number;
  readonly pending: PendingInvite;
  /** What our 2xx says, or would say as far as it is known. */
  readonly sdp?: string | undefined;
}

/** Such a side as it stands; undefined where it has its answer. */
export function pendingSide<T>(
  endpoint: SipEndpoint,
  call: DrivenCall<T>,
  party: Party,
  flow: Flow | undefined,
): PendingSide | undefined {
  const handle = call.handles.get(party);
  const pending = handle === undefined ? undefined : endpoint.pending(handle);
  const branch = call.state.branches.get(party);
  const leg = party === CALLER ? call.state.callerLeg : call.state.legs.get(branch?.leg ?? '');
  if (pending === undefined || leg === undefined || flow === undefined) return undefined;
  const sdp = pending.outgoing ? undefined : leg.sdp;
  return { party, leg: leg.id, flow, version: call.versions.get(party) ?? 1, pending, sdp };
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
  const hold = holdOf(call.state.sides.get(party));
  const saved = { party, leg, dialog, flow, version: call.versions.get(party) ?? 1 };
  return hold === undefined ? saved : { ...saved, hold };
}

function holdOf(side: Side | undefined): Hold | undefined {
  if (side === undefined) return undefined;
  const { told, wanted, plays, music } = side;
  return told === 'sendrecv' && wanted === 'sendrecv' && !plays ? undefined : { told, wanted, plays, music };
}

/** A call of these sides, up, with no dialog bound yet. `callee` is whom the side that was called is; a channel may have but one side. */
export function restoredParts<T>(
  sides: readonly (Pick<SavedSide, 'party' | 'leg' | 'version'> & { readonly hold?: Hold | undefined })[],
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
  for (const { party, hold } of sides) {
    const side = state.sides.get(party);
    if (side !== undefined && hold !== undefined) Object.assign(side, hold);
  }
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
  /** Whose 2xx is repeated. */
  readonly #silent: CallHandle[] = [];
  readonly #timers: Timer[] = [];

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

  /** The handle of an INVITE without a final response; undefined where it cannot be read. */
  async resume({ pending, flow }: Pick<PendingSide, 'pending' | 'flow'>): Promise<CallHandle | undefined> {
    const now = flow.protocol === 'udp' ? await this.flow(flow) : { ...flow, id: `${GONE}${flow.id}` };
    return this.#sip.endpoint.resume(pending, now, this.#clock.mono());
  }

  /**
   * It was answered before, so many ms ago, by a 2xx that goes out again where that is not long: not over a connection, for whoever lost that
   * has given up an INVITE without a final response.
   */
  answer(handle: CallHandle, sdp: string, ago: number): void {
    const flow = this.#sip.endpoint.flowOf(handle);
    if (flow === undefined) return;
    const away = isGone(flow);
    const as = { contact: this.#sip.contact(flow), repeat: ago < FRESH && !away };
    this.#sip.act((endpoint, now, out) => endpoint.answerAgain(handle, sdp, as, now, out));
    if (as.repeat) this.#silent.push(handle);
    else (away ? this.#away : this.#here).push(handle);
  }

  /** The same way over UDP in this process; where there is none (an address that is gone) the old one stands in. */
  flow(flow: Flow): Promise<Flow> {
    return this.#datagrams(flow.remote).catch(() => flow);
  }

  /** All are added: asks those that can be reached now, and the others once they have had their time to come back. */
  begin(): void {
    this.#probe(this.#here);
    this.#later(this.#silent, AGAIN_FOR + 1_000);
    this.#later(this.#away, RETURN_WITHIN);
  }

  #later(handles: readonly CallHandle[], after: number): void {
    if (handles.length === 0) return;
    this.#timers.push(this.#clock.at(this.#clock.mono() + after, () => this.#probe(handles)));
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
  }

  #probe(handles: readonly CallHandle[]): void {
    for (const handle of handles) this.#sip.act((endpoint, now, out) => endpoint.probe(handle, now, out));
  }
}
