/** A phone that keeps several flows (RFC 5626): where one is gone or silent, it is invited over the next. */
import { type Branch, type CallState, legOf } from './call-state.ts';
import type { CallInput, CallOutput } from './call-types.ts';
import { reasonOf } from './outcome.ts';

/** Milliseconds that a flow may be silent before the next is tried: a connection whose other end vanished says nothing for much longer. */
export const FLOW_SILENCE = 5_000;

/** An INVITE goes out over a flow; where there are others it may not be silent for long. */
export function watchFlow<T>(branch: Branch<T>, now: number): void {
  if (branch.others !== undefined && branch.others.length > 0) branch.tryBy = now + FLOW_SILENCE;
  else branch.tryBy = undefined;
}

/**
 * True where the failure was the flow's and not the phone's (no answer at all, or 430 of the element that kept it; section 5.3) and
 * another flow of the same phone is tried now. A phone that has begun to ring was reached.
 */
export function nextFlow<T>(
  state: CallState<T>,
  { branch: name, status, silent }: Extract<CallInput<T>, { on: 'failed' }>,
  now: number,
  out: CallOutput<T>[],
): boolean {
  const branch = state.branches.get(name);
  const leg = legOf(state, name);
  if (state.at !== 'ringing' || branch?.at !== 'ringing' || branch.status !== undefined) return false;
  if (leg?.sdp === undefined || (status !== 430 && silent !== true)) return false;
  const [to, ...others] = branch.others ?? [];
  if (to === undefined) return false;
  const next: Branch<T> = { ...branch, to, others };
  watchFlow(next, now);
  state.branches.set(name, next);
  out.push({ do: 'invite', branch: name, leg: leg.id, to, sdp: leg.sdp, breadth: state.share });
  return true;
}

/** Flows that said nothing for too long are given up for the next. */
export function giveUpSilentFlows<T>(state: CallState<T>, now: number, out: CallOutput<T>[]): void {
  if (state.at !== 'ringing') return;
  for (const [name, branch] of [...state.branches]) {
    if (branch.at !== 'ringing' || branch.tryBy === undefined || branch.tryBy > now) continue;
    out.push({ do: 'hangup', party: name, reason: reasonOf(408) });
    nextFlow(state, { on: 'failed', branch: name, status: 408, silent: true }, now, out);
  }
}
