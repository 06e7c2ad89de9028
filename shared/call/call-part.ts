/** Taking an established call apart: from passed descriptions to media endpoints of ours, and from one call with two sides to two channels. See `call.ts`. */
import { ask, CALLER, type CallState, type Leg, legOf, newSide } from './call-state.ts';
import type { CallInput, CallOutput, LegId, Party } from './call-types.ts';
import { quiet, shown, tune } from './hold-music.ts';

type Out<T> = CallOutput<T>[];

export function relay<T>(state: CallState<T>, on: boolean): void {
  if (state.at !== 'up' || state.exchange !== undefined) return;
  state.relay = on;
}

/**
 * Refused at once where an offer is under way, and of the same fax: an offer of sound would end it. Whoever held this side is its peer no
 * more, and its sound goes both ways again, unless it is only to be told anew where we are (`same`).
 */
export function renew<T>(
  state: CallState<T>,
  { party, leg: as, same }: Extract<CallInput<T>, { on: 'renew' }>,
  now: number,
  out: Out<T>,
): void {
  const side = state.sides.get(party);
  const old = legOf(state, party);
  if (
    state.at !== 'up' ||
    !state.relay ||
    side === undefined ||
    old === undefined ||
    side.busy ||
    side.late ||
    (same === true && (state.fax === true || state.exchange !== undefined))
  ) {
    out.push({ do: 'renewed', party, ok: false });
    return;
  }
  const leg = as === undefined ? old : rename(state, party, as);
  side.busy = true;
  side.renewing = true;
  if (same !== true) {
    side.wanted = 'sendrecv';
    tune(state, out);
  }
  side.told = shown(side);
  ask(state, leg, { use: 'tell', want: 'offer', party, direction: side.told }, now, out);
}

/** The same leg under another name; its endpoint of before belongs to whoever named it. */
function rename<T>(state: CallState<T>, party: Party, id: LegId): Leg {
  const leg: Leg = { id, at: 'up', media: false, connected: true };
  const branch = state.branches.get(party);
  if (party === CALLER) state.callerLeg = leg;
  else if (branch !== undefined) {
    state.legs.delete(branch.leg);
    state.legs.set(id, leg);
    state.branches.set(party, { ...branch, leg: id });
  }
  return leg;
}

export function restore<T>(state: CallState<T>, party: Party, sdp: string, out: Out<T>): void {
  if (state.at === 'up' && state.sides.has(party)) out.push({ do: 'reoffer', party, sdp });
}

/** True where a call has two sides that can be parted now: nothing of either is under way. */
export function partable<T>(state: CallState<T>): boolean {
  if (state.at !== 'up' || !state.relay || state.asks.size > 0 || state.winner === undefined) return false;
  for (const side of state.sides.values()) if (side.busy || side.late) return false;
  return state.sides.has(CALLER) && state.sides.has(state.winner);
}

/** A channel that was rung takes in its other side: it is a call of two sides from now on, and their media is its own. */
export function adopt<T>(state: CallState<T>, leg: LegId): void {
  state.callerLeg = { id: leg, at: 'up', media: true, connected: true };
  state.caller = 'up';
  state.owned = true;
  for (const one of state.legs.values()) one.media = true;
  state.sides.set(CALLER, newSide());
}

export function part<T>(state: CallState<T>, out: Out<T>): void {
  if (!partable(state) || state.winner === undefined) return;
  quiet(state, out);
  state.legs.clear();
  state.branches.clear();
  state.sides.delete(state.winner);
  state.winner = undefined;
  state.owned = false;
  if (state.callerLeg !== undefined) state.callerLeg.media = false;
}
