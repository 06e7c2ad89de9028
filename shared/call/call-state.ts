/** State of a call and what every phase shares: asking for media, ending legs, closing down. See `call.ts`. */
import { NEVER } from '../kernel/machine.ts';
import type { CallOutput, EndReason, LegId, OneByOne, Party, Refused } from './call-types.ts';
import type { Direction } from './direction.ts';
import { callerStatus, ELSEWHERE, MOVED, reasonOfEnd } from './outcome.ts';

/** Name of the caller among the parties. */
export const CALLER: Party = 'caller';

/** Milliseconds that a reply is waited for before it counts as a failure; users have shorter limits of their own. */
export const ROUTE_LIMIT = 6_000;
export const MEDIA_LIMIT = 5_000;
export const RECORD_LIMIT = 4_000;

export interface Branch<T> {
  readonly leg: LegId;
  readonly to: T;
  /** Whose contact it is, among those of the leg. */
  readonly callee?: string | undefined;
  /** Other flows of the same phone (RFC 5626), the best first. */
  readonly others?: readonly T[] | undefined;
  /** The same without a location. */
  readonly bare?: T | undefined;
  /** Until when the flow of now may be silent. */
  tryBy?: number | undefined;
  at: 'planned' | 'ringing' | 'up' | 'gone';
  status?: number | undefined;
}

export interface Leg {
  readonly id: LegId;
  at: 'preparing' | 'ringing' | 'up' | 'ended';
  /** A media endpoint was asked for and is ours to release. */
  media: boolean;
  connected: boolean;
  /** Our SDP towards the leg, once there. */
  sdp?: string | undefined;
  /** Its contacts are tried one after the other, and until when the one of now may be silent. */
  readonly oneByOne?: OneByOne | undefined;
  tryBy?: number | undefined;
}

/** Why media was asked for, and for which party. */
export interface Ask {
  readonly use:
    | ('setup' | 'taken' | 'early' | 'early-answer' | 'renewed' | 'final' | 'late')
    | ('answer' | 'offer' | 'tell' | 'told' | 'anchor')
    | ('switch' | 'switched' | 'agreed');
  readonly leg: LegId;
  readonly party: Party;
  readonly deadline: number;
  readonly sdp?: string;
}

/** One side of an established call: the direction it was last offered and the one that it should have. */
export interface Side {
  told: Direction;
  wanted: Direction;
  /** Our own offer to it is under way. */
  busy: boolean;
  /** It asked for an offer of ours, and its ACK brings the answer. */
  late: boolean;
  /** It was asked for an offer, and waits for the answer. */
  asked: boolean;
  /** The offer under way is a `renew`. */
  renewing: boolean;
  /** Whom it holds is to hear music; and it hears music itself. */
  plays: boolean;
  music: boolean;
}

export interface CallState<T> {
  at: 'idle' | 'routing' | 'held' | 'ringing' | 'rerouting' | 'answering' | 'up' | 'ending' | 'over';
  /** Deadline of the phase (monotonic ms). */
  deadline: number;
  /** Whoever does not take the call is asked about again, and how the call would end. */
  again: boolean;
  lostBy?: { readonly status: number; readonly reason: EndReason } | undefined;
  /** Where a phone sends the call, and which one does. */
  moved?: { readonly to: string; readonly by: Branch<T> | undefined } | undefined;
  /** Max-Breadth of the caller's INVITE, and of those that ring now. */
  breadth?: number | undefined;
  share?: number | undefined;
  /** `route` is not answered yet. */
  routing: boolean;
  relay: boolean;
  owned: boolean;
  ringFor: number;
  /** The caller's INVITE: none, without and with a final answer, or gone. */
  caller: 'none' | 'waiting' | 'up' | 'gone';
  callerLeg?: Leg | undefined;
  /** The caller's offer, until answered. */
  offer?: string | undefined;
  /** The caller's 2xx carried our offer: its ACK brings the answer. */
  callerLate: boolean;
  readonly legs: Map<LegId, Leg>;
  readonly branches: Map<string, Branch<T>>;
  winner?: string | undefined;
  /** The winner called in, and waits for an answer of ours. */
  taken?: boolean | undefined;
  early?: string | undefined;
  /** The first sound before the answer, of a caller that owes us the answer to our own offer. */
  unheard?: { readonly name: string; readonly sdp: string } | undefined;
  earlyAccepted: boolean;
  /** Pass mode: the description that came early; a 2xx after a reliable one need not repeat it (RFC 3262 section 5). */
  earlySdp?: string | undefined;
  /** Pass mode: the description that the caller was shown before the answer, and an offer of then that is at the other side. */
  shown?: string | undefined;
  passing?: { readonly from: Party; readonly sdp: string } | undefined;
  /** By relay: the directions that were asked for before the answer. */
  wishes?: Map<Party, Direction> | undefined;
  best?: number | undefined;
  readonly passed: number[];
  /** The `answered` report waits to be recorded. */
  recording: boolean;
  answered: boolean;
  reason: EndReason;
  nextOp: number;
  readonly asks: Map<number, Ask>;
  readonly sides: Map<Party, Side>;
  /** Pass mode, and a switch to fax or back: the side whose offer is at the other one. */
  exchange?: Party | undefined;
  /** Pass mode: what is at the other side is an answer, which awaits none. */
  settled?: boolean | undefined;
  /** By relay: that offer. */
  switching?: string | undefined;
  /** The offer by which that side holds, on the way to endpoints of ours, and what it is answered then. */
  anchoring?: { readonly sdp: string; answer?: string } | undefined;
  /** By relay: both sides have agreed on fax. */
  fax?: boolean | undefined;
}

/** Every field is there from the beginning, so that the states of all calls have one shape. */
export function newCall<T>(): CallState<T> {
  return {
    at: 'idle',
    deadline: NEVER,
    again: false,
    lostBy: undefined,
    moved: undefined,
    breadth: undefined,
    share: undefined,
    routing: false,
    relay: true,
    owned: true,
    ringFor: 0,
    caller: 'none',
    callerLeg: undefined,
    offer: undefined,
    callerLate: false,
    legs: new Map(),
    branches: new Map(),
    winner: undefined,
    taken: undefined,
    early: undefined,
    unheard: undefined,
    earlyAccepted: false,
    earlySdp: undefined,
    shown: undefined,
    passing: undefined,
    wishes: undefined,
    best: undefined,
    passed: [],
    recording: false,
    answered: false,
    reason: '',
    nextOp: 1,
    asks: new Map(),
    sides: new Map(),
    exchange: undefined,
    settled: undefined,
    switching: undefined,
    anchoring: undefined,
    fax: undefined,
  };
}

/** An established call as it stood before a restart: both sides, or one for a channel. */
export function restoredCall<T>(from: {
  readonly callerLeg?: LegId;
  readonly callee?: { readonly leg: LegId; readonly branch: string; readonly to: T };
  readonly relay: boolean;
  readonly owned: boolean;
}): CallState<T> {
  const state = newCall<T>();
  Object.assign(state, { at: 'up', relay: from.relay, owned: from.owned, answered: true });
  const leg = (id: LegId): Leg => ({ id, at: 'up', media: from.relay && from.owned, connected: true });
  if (from.callerLeg !== undefined) {
    state.caller = 'up';
    state.callerLeg = leg(from.callerLeg);
    state.sides.set(CALLER, newSide());
  }
  if (from.callee !== undefined) {
    state.legs.set(from.callee.leg, leg(from.callee.leg));
    state.branches.set(from.callee.branch, { leg: from.callee.leg, to: from.callee.to, at: 'up' });
    state.winner = from.callee.branch;
    state.sides.set(from.callee.branch, newSide());
  }
  return state;
}

export const newLeg = (id: string, oneByOne?: OneByOne): Leg => ({
  id,
  at: 'preparing',
  media: false,
  connected: false,
  sdp: undefined,
  oneByOne,
  tryBy: undefined,
});

/** True where a contact of the leg is such a one. */
export function anyBranch<T>(state: CallState<T>, leg: Leg, is?: (branch: Branch<T>) => boolean): boolean {
  for (const branch of state.branches.values())
    if (branch.leg === leg.id && (is === undefined || is(branch))) return true;
  return false;
}

export function newSide(): Side {
  return {
    told: 'sendrecv',
    wanted: 'sendrecv',
    busy: false,
    late: false,
    asked: false,
    renewing: false,
    plays: false,
    music: false,
  };
}

export function legOf<T>(state: CallState<T>, party: Party): Leg | undefined {
  if (party === CALLER) return state.callerLeg;
  const branch = state.branches.get(party);
  return branch === undefined ? undefined : state.legs.get(branch.leg);
}

/** The other side of an established two-sided call. */
export function otherOf<T>(state: CallState<T>, party: Party): Party | undefined {
  const peer = party === CALLER ? state.winner : CALLER;
  return peer !== undefined && state.sides.has(peer) ? peer : undefined;
}

export function ask<T>(
  state: CallState<T>,
  leg: Leg,
  what: Omit<Ask, 'leg' | 'deadline'> & {
    readonly want: 'offer' | 'answer' | 'accept';
    readonly direction?: Direction;
    readonly like?: string;
  },
  now: number,
  out: CallOutput<T>[],
): void {
  const { use, want, party, sdp, direction, like } = what;
  leg.media = state.owned;
  const op = state.nextOp++;
  state.asks.set(op, { use, leg: leg.id, party, deadline: now + MEDIA_LIMIT, ...(sdp === undefined ? {} : { sdp }) });
  out.push({
    do: 'media',
    op,
    want,
    leg: leg.id,
    party,
    ...(sdp === undefined ? {} : { sdp }),
    ...(direction === undefined ? {} : { direction }),
    ...(like === undefined ? {} : { like }),
  });
}

/** The leg is over: one report, and its ringing contacts are hung up. */
export function endLeg<T>(state: CallState<T>, leg: Leg, reason: EndReason, out: CallOutput<T>[]): void {
  if (leg.at === 'ended') return;
  leg.at = 'ended';
  for (const [name, branch] of state.branches) {
    if (branch.leg !== leg.id) continue;
    if (state.taken === true && name === state.winner && branch.at === 'up')
      out.push({ do: 'reject', party: name, status: 480, reason });
    else if (branch.at === 'ringing' || branch.at === 'up') out.push({ do: 'hangup', party: name, reason });
    branch.at = 'gone';
  }
  out.push({ do: 'report', leg: leg.id, event: 'ended', reason });
}

/** Ends the whole call. `status` is for a caller without a final answer. */
export function finish<T>(state: CallState<T>, { status, reason, moved }: Refused, out: CallOutput<T>[]): void {
  if (state.at === 'ending' || state.at === 'over') return;
  if (state.caller === 'waiting')
    out.push(
      moved === undefined
        ? { do: 'reject', party: CALLER, status, reason }
        : { do: 'reject', party: CALLER, status, reason, moved },
    );
  else if (state.caller === 'up') out.push({ do: 'hangup', party: CALLER, reason });
  if (state.caller !== 'none') state.caller = 'gone';
  for (const leg of state.legs.values()) endLeg(state, leg, reason, out);
  if (state.callerLeg !== undefined) endLeg(state, state.callerLeg, reason, out);
  state.at = 'ending';
  state.reason = reason;
  if (!state.routing) state.deadline = NEVER;
}

/** Releases what no ask is about any more; says `over` when nothing is left. */
export function sweep<T>(state: CallState<T>, out: CallOutput<T>[]): void {
  let left = state.asks.size > 0 || state.routing;
  for (const leg of state.legs.values()) left = settle(state, leg, out) || left;
  if (state.callerLeg !== undefined) left = settle(state, state.callerLeg, out) || left;
  if (state.at !== 'ending' || left) return;
  state.at = 'over';
  state.deadline = NEVER;
  out.push({ do: 'over', answered: state.answered, reason: state.reason });
}

/** True while the leg's endpoint cannot be released yet. */
function settle<T>(state: CallState<T>, leg: Leg, out: CallOutput<T>[]): boolean {
  if (leg.at !== 'ended' || !leg.media) return false;
  for (const one of state.asks.values()) if (one.leg === leg.id) return true;
  leg.media = false;
  out.push({ do: 'release', leg: leg.id });
  return false;
}

/** A party left by itself. */
export function partyEnded<T>(state: CallState<T>, party: Party, why: string, out: CallOutput<T>[]): void {
  const reason = reasonOfEnd(why);
  if (party === CALLER) {
    if (state.caller !== 'waiting' && state.caller !== 'up') return;
    state.caller = 'gone';
    finish(state, { status: 487, reason }, out);
    return;
  }
  const branch = state.branches.get(party);
  if (branch === undefined || branch.at === 'gone' || branch.at === 'planned') return;
  branch.at = 'gone';
  if (party === state.winner) finish(state, { status: 480, reason }, out);
  else lostBranch(state, branch.leg, reason, out);
}

/** Ends a leg whose last contact failed, and the call with its last leg. */
export function lostBranch<T>(state: CallState<T>, legId: LegId, reason: EndReason, out: CallOutput<T>[]): void {
  for (const branch of state.branches.values()) if (branch.leg === legId && branch.at !== 'gone') return;
  const leg = state.legs.get(legId);
  if (leg === undefined) return;
  let others = false;
  for (const other of state.legs.values()) if (other !== leg && other.at !== 'ended') others = true;
  const cause = { status: callerStatus(state.best ?? 480), reason };
  // The leg stands until it is known whether another takes its place.
  if (state.at === 'ringing' && !others && reroute(state, cause, out)) return;
  endLeg(state, leg, reason, out);
  if (state.at === 'ringing' && !others) finish(state, cause, out);
}

/** Nobody took the call: asks for another way, where there may be one. True while that is awaited. */
export function reroute<T>(
  state: CallState<T>,
  cause: { readonly status: number; readonly reason: EndReason },
  out: CallOutput<T>[],
): boolean {
  const last = [...state.legs.values()].findLast((leg) => leg.at !== 'ended');
  const { moved } = state;
  // Somebody waits for the call; or whoever opened it is to hear where a phone sends it.
  const mayGoOn =
    state.caller === 'waiting' ? state.again || moved !== undefined : state.caller === 'none' && moved !== undefined;
  if (!mayGoOn || last === undefined) return false;
  state.at = 'rerouting';
  state.lostBy = cause;
  // The step that brought us here sets it.
  state.deadline = NEVER;
  out.push(
    moved === undefined
      ? { do: 'reroute', leg: last.id, reason: cause.reason }
      : { do: 'reroute', leg: last.id, reason: MOVED, moved: moved.to },
  );
  return true;
}

/** Ends everything, or one leg while others still ring. */
export function close<T>(
  state: CallState<T>,
  input: { readonly reason: EndReason; readonly leg?: LegId; readonly status?: number },
  out: CallOutput<T>[],
): void {
  const leg = input.leg === undefined ? undefined : state.legs.get(input.leg);
  const others = [...state.legs.values()].some((one) => one !== leg && one.at !== 'ended');
  if (leg !== undefined && state.at === 'ringing' && others) endLeg(state, leg, input.reason, out);
  else finish(state, { status: input.status ?? 480, reason: input.reason }, out);
}

/** Legs and contacts that lost against the winner. */
export function dropLosers<T>(state: CallState<T>, winner: string, out: CallOutput<T>[]): void {
  const won = state.branches.get(winner);
  if (won === undefined) return;
  for (const [name, branch] of state.branches) {
    if (branch.leg !== won.leg || name === winner) continue;
    if (branch.at === 'ringing') out.push({ do: 'hangup', party: name, reason: ELSEWHERE });
    branch.at = 'gone';
  }
  for (const leg of state.legs.values()) if (leg.id !== won.leg) endLeg(state, leg, ELSEWHERE, out);
}
