/**
 * A back-to-back call as a pure machine: one caller (or none, for a channel that is instructed from outside) and any
 * number of callee *legs*, each ringing at several contacts (*branches*) in parallel. The softswitch and the gateway's
 * edge drive the same machine; they carry out its outputs by `SipEndpoint` and feed back what happens.
 *
 * Life: `invite` -> `route` is asked for -> `routed` -> media is asked for, then every branch is invited (and where nobody
 * takes the call, others by `reroute`) -> the first
 * answer wins, the others are cancelled -> the `answered` report is recorded -> the caller gets its 2xx -> offers pass
 * between the two sides -> one side ends it, the other is hung up. Every name of a leg that came in gets exactly one
 * `ended` report, every INVITE one final answer, every media endpoint one release, and `over` comes last, once.
 *
 * How a user drives it:
 * - make `newCall()`, step it with `callMachine` and keep it until `over`;
 * - name the caller `CALLER` and each callee dialog by the `branch` of `invite`;
 * - answer every `route`, `media` and `report answered`; an answer that never comes is a failure after some seconds;
 * - after `hangup` and `reject` the endpoint ends the dialog alone: later events of it may be fed in and are ignored.
 *
 * Two ways of media: `relay` (each side talks to a media endpoint of its own leg, hold is told on) and pass (SDP goes
 * through untouched; needs an offer in the INVITE). With `owned: false` endpoints belong to somebody else and are not released.
 */
import { type Machine, NEVER, type Tick } from '../kernel/machine.ts';
import { part, relay, renew, restore } from './call-part.ts';
import {
  admit,
  fail,
  giveUpSilent,
  media,
  open,
  progress,
  rerouted,
  routed,
  routeRefused,
  start,
  win,
} from './call-setup.ts';
import { type CallState, close, finish, partyEnded, ROUTE_LIMIT, reroute, sweep } from './call-state.ts';
import { taken } from './call-taken.ts';
import { confirmed, offered, reoffered } from './call-talk.ts';
import type { CallInput, CallOutput } from './call-types.ts';
import { giveUpSilentFlows, nextFlow } from './flows.ts';

export { CALLER, type CallState, newCall, restoredCall } from './call-state.ts';
export type * from './call-types.ts';

function step<T>(state: CallState<T>, input: CallInput<T> | Tick, now: number, out: CallOutput<T>[]): void {
  if (state.at === 'over') return;
  switch (input.on) {
    case 'invite':
      start(state, input, now, out);
      break;
    case 'open':
      open(state, input.target, input.ringFor, now, out);
      break;
    case 'routed':
    case 'held':
      routed(state, input, now, out);
      break;
    case 'rerouted':
      rerouted(state, input, now, out);
      break;
    case 'refused':
      routeRefused(state, input, out);
      break;
    case 'admit':
      admit(state, now, out);
      break;
    case 'progress':
      progress(state, input.branch, input.status, input.sdp, now, out);
      break;
    case 'answered':
      win(state, input.branch, input.sdp, now, out);
      break;
    case 'taken':
      taken(state, input, now, out);
      break;
    case 'failed':
      if (input.moved !== undefined) state.moved = { to: input.moved, by: state.branches.get(input.branch) };
      if (!nextFlow(state, input, now, out)) fail(state, input.branch, input.status, now, out);
      break;
    case 'ended':
      partyEnded(state, input.party, input.why, out);
      break;
    case 'offer':
      offered(state, input, now, out);
      break;
    case 'reoffered':
      reoffered(state, input.party, input, now, out);
      break;
    case 'confirmed':
      confirmed(state, input, now, out);
      break;
    case 'relay':
      relay(state, input.relay);
      break;
    case 'renew':
      renew(state, input, now, out);
      break;
    case 'restore':
      restore(state, input.party, input.sdp, out);
      break;
    case 'part':
      part(state, out);
      break;
    case 'close':
      close(state, input, out);
      break;
    case 'tick':
      expire(state, now, out);
      break;
    default:
      media(state, input, now, out);
  }
  if (state.at === 'rerouting' && state.deadline === NEVER) state.deadline = now + ROUTE_LIMIT;
  sweep(state, out);
}

/** Deadlines that have passed: unanswered media asks fail, then the phase as a whole. */
function expire<T>(state: CallState<T>, now: number, out: CallOutput<T>[]): void {
  for (const [op, ask] of state.asks) {
    if (ask.deadline <= now) media(state, { on: 'media', op, failed: 503 }, now, out);
  }
  giveUpSilent(state, now, out);
  giveUpSilentFlows(state, now, out);
  if (state.deadline > now) return;
  state.deadline = NEVER;
  if (state.at === 'routing') routeRefused(state, { status: 503, reason: 'server_unavailable' }, out);
  else if (state.at === 'ringing') {
    const cause = { status: 480, reason: 'no_answer' };
    if (!reroute(state, cause, out)) finish(state, cause, out);
  } else if (state.at === 'rerouting') routeRefused(state, { status: 480, reason: 'no_answer' }, out);
  else if (state.at === 'held') finish(state, { status: 480, reason: 'timeout' }, out);
  else if (state.at === 'answering') media(state, { on: 'recorded' }, now, out);
  else if (state.at === 'ending') state.routing = false;
}

function due<T>(state: CallState<T>): number {
  let earliest = state.deadline;
  for (const ask of state.asks.values()) earliest = Math.min(earliest, ask.deadline);
  if (state.at === 'ringing') {
    for (const leg of state.legs.values()) earliest = Math.min(earliest, leg.tryBy ?? NEVER);
    for (const branch of state.branches.values()) earliest = Math.min(earliest, branch.tryBy ?? NEVER);
  }
  return earliest;
}

/** The machine for calls whose branches carry a `T`. */
export function callMachine<T>(): Machine<CallState<T>, CallInput<T>, CallOutput<T>> {
  return { name: 'call', step, due };
}
