/**
 * The same callee is invited once more: a phone that keeps several flows (RFC 5626), over the next where one is gone or silent; and who
 * refuses the location in what it was sent, without it.
 */
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
 * another flow of the same phone is tried now, or where it was the location's (424). A phone that has begun to ring was reached.
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
  if (leg?.sdp === undefined) return false;
  const next =
    status === 424 ? withoutLocation(branch) : status === 430 || silent === true ? overNext(branch) : undefined;
  if (next === undefined) return false;
  watchFlow(next, now);
  if (leg.oneByOne !== undefined) leg.tryBy = now + leg.oneByOne.tryFor;
  state.branches.set(name, next);
  out.push({ do: 'invite', branch: name, leg: leg.id, to: next.to, sdp: leg.sdp, breadth: state.share });
  return true;
}

function withoutLocation<T>(branch: Branch<T>): Branch<T> | undefined {
  return branch.bare === undefined ? undefined : { ...branch, to: branch.bare, bare: undefined };
}

function overNext<T>(branch: Branch<T>): Branch<T> | undefined {
  const [to, ...others] = branch.others ?? [];
  return to === undefined ? undefined : { ...branch, to, others };
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
