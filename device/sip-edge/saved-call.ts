/** An established call of the edge as plain data, and the call again; pure. No line's secrets are in it. */
import { CALLER } from '#shared/call/call.ts';
import { restoredParts, type SavedSide, savedSide } from '#shared/host/call-restore.ts';
import type { SipEndpoint } from '#shared/sip/types.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine, type Ring } from './edge-call.ts';
import type { KeptParked } from './parking.ts';
import type { Rung } from './rung.ts';

/** A side and the session id of our descriptions towards it. */
interface SavedEnd extends SavedSide {
  readonly origin: number;
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
  readonly channels: readonly SavedChannel[];
}

const dated = (one: Rung, by: number): Rung =>
  one.endedAt === undefined ? one : { ...one, endedAt: one.endedAt + by };
const named = ({ id, number }: NamedLine): NamedLine => ({ id, number });

/** The call as it is to be kept; undefined where a side of it has no dialog (any more), and it is not of the talk of that name. */
export function saveCall(
  call: EdgeCall,
  endpoint: SipEndpoint,
  anchor: Anchor,
  how: {
    readonly channels: readonly SavedChannel[];
    readonly talk?: string;
    readonly parked?: KeptParked | undefined;
    /** Makes wall clock of the call's times, ms. */
    readonly correction: number;
  },
): SavedCall | undefined {
  const { channels, talk, parked, correction } = how;
  const { id, flow, shown, dialled, callId, startedAt, answeredAt, from, inside, rung, hidden, state } = call;
  const winner = state.winner ?? '';
  const to = state.branches.get(winner)?.to;
  // What goes over the modem ends with this process, which has its serial line.
  if (to?.kind === 'modem' || (to === undefined && talk === undefined)) return undefined;
  const calledFlow = to?.kind === 'phone' ? to.phone.flow : to?.flow;
  const sides = [savedSide(endpoint, call, CALLER, flow), savedSide(endpoint, call, winner, calledFlow)].flatMap(
    (side) => (side === undefined ? [] : [{ ...side, origin: anchor.idOf({ call: id, leg: side.leg }) }]),
  );
  if (sides.length < (talk === undefined ? 2 : 1)) return undefined;
  return {
    v: 1,
    ...{ id, shown, dialled, callId, startedAt: startedAt + correction, sides, channels },
    ...(answeredAt === undefined ? {} : { answeredAt: answeredAt + correction }),
    ...(from === undefined ? {} : { from: named(from) }),
    ...(inside === undefined ? {} : { inside: named(inside) }),
    ...(rung === undefined ? {} : { rung: rung.map((one) => dated(one, correction)) }),
    ...(hidden === undefined ? {} : { hidden }),
    ...(to?.kind === 'phone' ? { called: named(to.line) } : {}),
    ...(to?.kind === 'fallback' ? { fallback: true } : {}),
    ...(talk === undefined ? {} : { talk }),
    ...(parked === undefined ? {} : { parked }),
  };
}

/** Whether this is a record that `saveCall` made; a file may be of another version, or damaged. */
export function isSavedCall(value: unknown): value is SavedCall {
  if (typeof value !== 'object' || value === null) return false;
  const { v, id, sides, channels, talk } = value as Partial<Record<keyof SavedCall, unknown>>;
  if (v !== 1 || typeof id !== 'string' || !Array.isArray(sides) || !Array.isArray(channels)) return false;
  return sides.length === (talk === undefined ? 2 : 1);
}

/** The call, up, with no dialog bound yet. */
export function restoreCall(saved: SavedCall): EdgeCall {
  const { id, shown, dialled, callId, startedAt, answeredAt, from, inside, rung, hidden, sides } = saved;
  const [first] = sides;
  if (first === undefined) throw new Error('a kept call has a side');
  const caller = sides.find(({ party }) => party === CALLER);
  const callee = sides.find(({ party }) => party !== CALLER);
  const shape = { relay: true, owned: true };
  return {
    ...{ id, shown, dialled, callId, startedAt, flow: (caller ?? first).flow },
    ...restoredParts<Ring>(sides, shape, callee === undefined ? undefined : calledOf(saved, callee)),
    ...(answeredAt === undefined ? {} : { answeredAt }),
    ...(from === undefined ? {} : { from }),
    ...(inside === undefined ? {} : { inside }),
    ...(rung === undefined ? {} : { rung }),
    ...(hidden === undefined ? {} : { hidden }),
    joined: new Set(),
  };
}

/** Whom the side that was called is. */
function calledOf({ called, fallback, dialled }: SavedCall, { flow, dialog }: SavedEnd): Ring {
  if (called !== undefined) return { kind: 'phone', phone: { uri: dialog.remoteTarget, flow, path: [] }, line: called };
  return fallback === true ? { kind: 'fallback', flow } : { kind: 'softswitch', dialled, flow };
}

/** Both sides' ends of media, as the anchor names them. */
export const LEGS = [CALLER_LEG, CALLEE_LEG] as const;
