/** A call that rings is taken by somebody who calls in (pickup; RFC 3891 with an early dialog): both callers are answered and talk. See `call.ts`. */
import { askForCaller, record } from './call-join.ts';
import { ask, type CallState, dropLosers, finish } from './call-state.ts';
import type { CallInput, CallOutput } from './call-types.ts';
import { callerStatus, reasonOf } from './outcome.ts';

type Out<T> = CallOutput<T>[];

/** What is not there to be taken any more, or cannot be (a phone that was promised another description), leaves the taker without a call. */
export function taken<T>(
  state: CallState<T>,
  { branch, leg: id, to, sdp }: Extract<CallInput<T>, { on: 'taken' }>,
  now: number,
  out: Out<T>,
): void {
  const { callerLeg } = state;
  const promised = !state.relay && state.early !== undefined;
  if (state.at !== 'ringing' || state.caller !== 'waiting' || callerLeg === undefined || promised) {
    out.push({ do: 'reject', party: branch, status: 404, reason: 'callee_unknown' });
    out.push({ do: 'report', leg: id, event: 'ended', reason: 'callee_unknown' });
    return;
  }
  state.legs.set(id, { id, at: 'up', media: false, connected: false });
  state.branches.set(branch, { leg: id, to, at: 'up' });
  state.winner = branch;
  state.taken = true;
  state.at = 'answering';
  state.deadline = now + state.ringFor;
  state.early = undefined;
  dropLosers(state, branch, out);
  if (!state.relay) {
    state.relay = true;
    callerLeg.sdp = undefined;
    askForCaller(state, callerLeg, now, out);
  }
  const leg = state.legs.get(id);
  if (leg !== undefined) ask(state, leg, { use: 'taken', want: 'answer', party: branch, sdp }, now, out);
}

/** The answer for the taker is there, or will not be. */
export function takerMedia<T>(
  state: CallState<T>,
  reply: { readonly sdp?: string; readonly failed?: number },
  now: number,
  out: Out<T>,
): void {
  const leg = state.legs.get(state.branches.get(state.winner ?? '')?.leg ?? '');
  if (state.at !== 'answering' || leg === undefined) return;
  const failed = reply.failed ?? (reply.sdp === undefined ? 500 : undefined);
  if (failed !== undefined) {
    finish(state, { status: callerStatus(failed), reason: reasonOf(failed) }, out);
    return;
  }
  if (reply.sdp !== undefined) leg.sdp = reply.sdp;
  bothReady(state, now, out);
}

/** Both sides have what they will be answered with. */
export function bothReady<T>(state: CallState<T>, now: number, out: Out<T>): void {
  const leg = state.legs.get(state.branches.get(state.winner ?? '')?.leg ?? '');
  if (leg?.sdp === undefined || state.callerLeg?.sdp === undefined || state.recording) return;
  record(state, leg, now, out);
}
