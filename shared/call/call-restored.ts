/** A call that rings, as it stood before a restart: it goes on where it was, without another way for whoever does not take it. */
import { CALLER, type CallState, newCall, newLeg } from './call-state.ts';
import type { LegId, Party } from './call-types.ts';

export interface Rang<T> {
  readonly callerLeg: LegId;
  /** Our description towards the caller, as far as it is known; and whether its INVITE came without one. */
  readonly sdp?: string | undefined;
  readonly asked: boolean;
  /** Who rings. */
  readonly branches: readonly { readonly branch: Party; readonly leg: LegId; readonly to: T }[];
  readonly relay: boolean;
  readonly owned: boolean;
  /** When the ringing ends, monotonic ms. */
  readonly deadline: number;
}

export function rangCall<T>({ callerLeg: id, branches, ...from }: Rang<T>): CallState<T> {
  const { sdp, asked, relay, owned, deadline } = from;
  const state = newCall<T>();
  Object.assign(state, { at: 'ringing', caller: 'waiting', relay, owned, deadline, callerLate: asked });
  const media = relay && owned;
  state.callerLeg = { ...newLeg(id), media, sdp };
  for (const { branch, leg, to } of branches) {
    if (!state.legs.has(leg)) state.legs.set(leg, { ...newLeg(leg), at: 'ringing', media });
    // Whatever was told of it was told before.
    state.branches.set(branch, { leg, to, others: undefined, tryBy: undefined, at: 'ringing', status: 180 });
  }
  state.passed.push(180);
  return state;
}

/** Parties that have or await an answer: the caller, whoever won, and before that all who ring. */
export function partiesOf<T>({ at, winner, branches }: CallState<T>): ReadonlySet<Party> {
  return new Set(at === 'ringing' ? [CALLER, ...branches.keys()] : [CALLER, ...(winner === undefined ? [] : [winner])]);
}
