/** What both ways to an answer share: the caller's endpoint, the record, and sound between the two sides. See `call.ts`. */
import { ask, CALLER, type CallState, type Leg, RECORD_LIMIT } from './call-state.ts';
import type { CallOutput } from './call-types.ts';

type Out<T> = CallOutput<T>[];

/** The endpoint towards the caller: its answer, or an offer where the INVITE had none. */
export function askForCaller<T>(state: CallState<T>, leg: Leg, now: number, out: Out<T>): void {
  const sdp = state.offer;
  if (sdp === undefined) {
    state.callerLate = true;
    ask(state, leg, { use: 'setup', want: 'offer', party: CALLER }, now, out);
  } else ask(state, leg, { use: 'setup', want: 'answer', party: CALLER, sdp }, now, out);
}

/** Sound can flow: the answer is made durable before the caller hears of it. */
export function record<T>(state: CallState<T>, leg: Leg, now: number, out: Out<T>): void {
  connect(state, leg, out);
  state.recording = true;
  state.deadline = now + RECORD_LIMIT;
  out.push({ do: 'report', leg: leg.id, event: 'answered', branch: state.winner });
}

export function connect<T>(state: CallState<T>, leg: Leg, out: Out<T>): void {
  if (leg.connected || !state.relay || state.callerLeg === undefined || leg === state.callerLeg) return;
  leg.connected = true;
  out.push({ do: 'connect', caller: state.callerLeg.id, leg: leg.id });
}
