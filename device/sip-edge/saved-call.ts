/** A call of the edge that rings, is just answered or is established, as plain data, and the call again; pure. No line's secrets are in it. */
import { CALLER, type Party } from '#shared/call/call.ts';
import { partiesOf, rangCall } from '#shared/call/call-restored.ts';
import { type PendingSide, pendingSide, restoredParts, type SavedSide, savedSide } from '#shared/host/call-restore.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { Flow, SipEndpoint } from '#shared/sip/types.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, type Ring } from './edge-call.ts';
import type { KeptParked } from './parking.ts';
import type { Rung } from './rung.ts';

/** A side and the session id of our descriptions towards it. */
interface SavedEnd extends SavedSide {
  readonly origin: number;
}

/** A side whose INVITE has no final response, or whose 2xx may not have arrived. */
interface PendingEnd extends PendingSide {
  readonly origin: number;
  /** The line of the house that rings. */
  readonly line?: NamedLine;
}

/** A media channel that joined the call. */
export type SavedChannel = Omit<SavedEnd, 'party'>;

export interface SavedCall
  extends Pick<
    EdgeCall,
    'id' | 'shown' | 'dialled' | 'callId' | 'startedAt' | 'answeredAt' | 'from' | 'inside' | 'rung' | 'hidden'
  > {
  /** Layout of this record, whose times are those of the wall clock. */
  readonly v: 1;
  /** The line of the house that was called; absent: the softswitch was, or with `fallback` the trunk of emergency calls. */
  readonly called?: NamedLine;
  readonly fallback?: true;
  /** The talk of three that it is part of, with one side. */
  readonly talk?: string;
  /** It is parked: the one side as it was before it left. */
  readonly parked?: KeptParked;
  readonly sides: readonly SavedEnd[];
  readonly pending?: readonly PendingEnd[];
  /** It rings, and until when. */
  readonly ringsUntil?: number;
  readonly channels: readonly SavedChannel[];
}

/** Milliseconds for which a call may ring yet, whatever a clock says that was corrected meanwhile. */
const RINGS_FOR = 180_000;

const dated = (one: Rung, by: number): Rung =>
  one.endedAt === undefined ? one : { ...one, endedAt: one.endedAt + by };
const named = ({ id, number }: NamedLine): NamedLine => ({ id, number });

/** How a call is kept. */
interface Keeping {
  readonly channels: readonly SavedChannel[];
  readonly talk?: string;
  readonly parked?: KeptParked | undefined;
  /** Makes wall clock of the call's times, ms. */
  readonly correction: number;
}

/** The call as it is to be kept; undefined where a side of it has no dialog (any more), and it is not of the talk of that name. */
export function saveCall(call: EdgeCall, endpoint: SipEndpoint, anchor: Anchor, how: Keeping): SavedCall | undefined {
  const { channels, talk, parked } = how;
  const { id, flow, state } = call;
  const winner = state.winner ?? '';
  const to = state.branches.get(winner)?.to;
  // What goes over the modem ends with this process, which has its serial line.
  if (to?.kind === 'modem' || (to === undefined && talk === undefined)) return undefined;
  const calledFlow = to && flowTo(to);
  const sides = [savedSide(endpoint, call, CALLER, flow), savedSide(endpoint, call, winner, calledFlow)].flatMap(
    (side) => (side === undefined ? [] : [{ ...side, origin: anchor.idOf({ call: id, leg: side.leg }) }]),
  );
  if (sides.length < (talk === undefined ? 2 : 1)) return undefined;
  const pending = pendingEnds(call, endpoint, anchor);
  return {
    ...facts(call, how.correction),
    ...{ sides, channels },
    ...(pending.length === 0 ? {} : { pending }),
    ...(to?.kind === 'phone' ? { called: named(to.line) } : {}),
    ...(to?.kind === 'fallback' ? { fallback: true } : {}),
    ...(talk === undefined ? {} : { talk }),
    ...(parked === undefined ? {} : { parked }),
  };
}

/**
 * A call that rings as it is to be kept, `now` by the monotonic clock; undefined where all are on connections, which end with their
 * process, so that everybody sees the end, and where nothing is to be taken up.
 */
export function saveRinging(
  call: EdgeCall,
  endpoint: SipEndpoint,
  anchor: Anchor,
  { now, wall, correction }: { readonly now: number; readonly wall: number; readonly correction: number },
): SavedCall | undefined {
  const { at, caller, branches, deadline } = call.state;
  if (at !== 'ringing' || caller !== 'waiting') return undefined;
  if ([...branches.values()].some(({ to }) => to.kind === 'modem' || to.kind === 'fallback')) return undefined;
  const pending = pendingEnds(call, endpoint, anchor);
  const rings = pending.some(({ party }) => party === CALLER) && pending.length > 1;
  if (!rings || pending.every(({ flow }) => flow.protocol !== 'udp')) return undefined;
  const ringsUntil = deadline - now + wall;
  return { ...facts(call, correction), sides: [], channels: [], pending, ringsUntil };
}

/** What a record says of the call as a whole. */
function facts(call: EdgeCall, correction: number) {
  const { id, shown, dialled, callId, startedAt, answeredAt, from, inside, rung, hidden } = call;
  return {
    v: 1 as const,
    ...{ id, shown, dialled, callId, startedAt: startedAt + correction },
    ...(answeredAt === undefined ? {} : { answeredAt: answeredAt + correction }),
    ...(from === undefined ? {} : { from: named(from) }),
    ...(inside === undefined ? {} : { inside: named(inside) }),
    ...(rung === undefined ? {} : { rung: rung.map((one) => dated(one, correction)) }),
    ...(hidden === undefined ? {} : { hidden }),
  };
}

const flowTo = (to: Ring): Flow => (to.kind === 'phone' ? to.phone.flow : to.flow);

function pendingEnds(call: EdgeCall, endpoint: SipEndpoint, anchor: Anchor): PendingEnd[] {
  return [...partiesOf(call.state)].flatMap((party) => {
    const to = call.state.branches.get(party)?.to;
    const side = pendingSide(endpoint, call, party, to === undefined ? call.flow : flowTo(to));
    if (side === undefined) return [];
    const end = { ...side, origin: anchor.idOf({ call: call.id, leg: side.leg }) };
    return [to?.kind === 'phone' ? { ...end, line: named(to.line) } : end];
  });
}

/** Whether this is a record of ours; a file may be of another version, or damaged. */
export function isSavedCall(value: unknown): value is SavedCall {
  if (typeof value !== 'object' || value === null) return false;
  const { v, id, sides, channels, talk, pending, ringsUntil } = value as Partial<Record<keyof SavedCall, unknown>>;
  if (v !== 1 || typeof id !== 'string' || !Array.isArray(sides) || !Array.isArray(channels)) return false;
  if (pending !== undefined && !Array.isArray(pending)) return false;
  if (ringsUntil !== undefined) return typeof ringsUntil === 'number' && pending !== undefined && pending.length > 1;
  return sides.length === (talk === undefined ? 2 : 1);
}

/** The call, up or ringing, with no dialog bound yet; `now` by the monotonic clock. */
export function restoreCall(
  saved: SavedCall,
  { now, wall }: { readonly now: number; readonly wall: number },
): EdgeCall {
  const { id, shown, dialled, callId, startedAt, answeredAt, from, inside, rung, hidden, sides, pending = [] } = saved;
  const first = sides[0] ?? pending[0];
  if (first === undefined) throw new Error('a kept call has a side');
  const isCaller = ({ party }: { readonly party: Party }) => party === CALLER;
  const caller = sides.find(isCaller) ?? pending.find(isCaller);
  const callee = sides.find((side) => !isCaller(side));
  const shape = { relay: true, owned: true };
  const parts =
    saved.ringsUntil === undefined
      ? restoredParts<Ring>(sides, shape, callee === undefined ? undefined : calledOf(saved, callee))
      : ringingParts(saved, now + Math.min(Math.max(0, saved.ringsUntil - wall), RINGS_FOR));
  const told = parts.state.sides.get(CALLER);
  if (told !== undefined && pending.find(isCaller)?.pending.asked === true) told.late = true;
  return {
    ...{ id, shown, dialled, callId, startedAt, flow: (caller ?? first).flow },
    ...parts,
    ...(answeredAt === undefined ? {} : { answeredAt }),
    ...(from === undefined ? {} : { from }),
    ...(inside === undefined ? {} : { inside }),
    ...(rung === undefined ? {} : { rung }),
    ...(hidden === undefined ? {} : { hidden }),
    joined: new Set(),
  };
}

function ringingParts({ pending = [], dialled }: SavedCall, deadline: number): ReturnType<typeof restoredParts<Ring>> {
  const caller = pending.find(({ party }) => party === CALLER);
  const branches = pending
    .filter((one) => one !== caller)
    .map(({ party: branch, leg, line, flow, pending: { invite } }) => {
      const uri = invite.split(' ', 2)[1] ?? '';
      const phone = { uri, flow, path: [] };
      const to: Ring = line === undefined ? { kind: 'softswitch', dialled, flow } : { kind: 'phone', phone, line };
      return { branch, leg, to };
    });
  const from = { callerLeg: caller?.leg ?? '', sdp: caller?.sdp, asked: caller?.pending.asked === true };
  const state = rangCall<Ring>({ ...from, branches, relay: true, owned: true, deadline });
  return { state, handles: new Map(), versions: new Map(pending.map((one) => [one.party, one.version])), due: NEVER };
}

/** Whom the side that was called is. */
function calledOf({ called, fallback, dialled }: SavedCall, { flow, dialog }: SavedEnd): Ring {
  if (called !== undefined) return { kind: 'phone', phone: { uri: dialog.remoteTarget, flow, path: [] }, line: called };
  return fallback === true ? { kind: 'fallback', flow } : { kind: 'softswitch', dialled, flow };
}

/** Both sides' ends of media, as the anchor names them. */
export const LEGS = [CALLER_LEG, CALLEE_LEG] as const;
