/**
 * A back-to-back call as a pure machine: one caller (or none, for a channel that is instructed from outside) and any
 * number of callee *legs*, each ringing at several contacts (*branches*) in parallel. The softswitch and the gateway's
 * edge drive the same machine; they carry out its outputs by `SipEndpoint` and feed back what happens.
 *
 * Life: `invite` -> `route` is asked for -> `routed` -> media is asked for, then every branch is invited -> the first
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
import { admit, fail, media, open, progress, routed, routeRefused, start, win } from './call-setup.ts';
import { type CallState, close, finish, partyEnded, sweep } from './call-state.ts';
import { confirmed, offered, reoffered } from './call-talk.ts';
import type { Direction } from './direction.ts';

export { CALLER, type CallState, newCall, restoredCall } from './call-state.ts';

/** Name of a leg, as the session manager or the edge gives it. */
export type LegId = string;
/** `CALLER`, or the name of a branch. */
export type Party = string;
/** Why a leg ended: a fault code or one of the words of `outcome.ts`. */
export type EndReason = string;

/** A callee: its contacts ring in parallel. `to` is the user's own (flow, contact …) and comes back in `invite`. */
export interface Target<T> {
  readonly leg: LegId;
  readonly branches: readonly { readonly branch: string; readonly to: T }[];
  /** Without branches: the response that stands for the callee; default 480. */
  readonly otherwise?: number;
}

export interface Routed<T> {
  readonly callerLeg: LegId;
  readonly targets: readonly Target<T>[];
  /** Milliseconds until unanswered legs are given up. */
  readonly ringFor: number;
  readonly relay: boolean;
}

export type CallInput<T> =
  /** The caller's INVITE; `sdp` is its offer, if it made one. */
  | { readonly on: 'invite'; readonly sdp?: string }
  /** Instead of an INVITE: ring these targets for an endpoint that somebody else owns. */
  | { readonly on: 'open'; readonly target: Target<T>; readonly ringFor: number }
  /** Answers of `route`: ring, hold the caller until `admit`, or refuse. */
  | ({ readonly on: 'routed' } & Routed<T>)
  | { readonly on: 'held'; readonly callerLeg: LegId; readonly limit: number }
  | { readonly on: 'refused'; readonly status: number; readonly reason: EndReason }
  /** The held caller is to be answered with the media endpoint of its leg. */
  | { readonly on: 'admit' }
  | { readonly on: 'progress'; readonly branch: string; readonly status: number; readonly sdp?: string }
  | { readonly on: 'answered'; readonly branch: string; readonly sdp?: string }
  | { readonly on: 'failed'; readonly branch: string; readonly status: number }
  /** The other side ended: BYE, CANCEL (caller only), missing ACK, broken flow. */
  | { readonly on: 'ended'; readonly party: Party; readonly why: string }
  /** A new offer inside the dialog; without SDP the side asks for one of ours. */
  | { readonly on: 'offer'; readonly party: Party; readonly sdp?: string }
  | {
      readonly on: 'reoffered';
      readonly party: Party;
      readonly ok: boolean;
      readonly status: number;
      readonly sdp?: string;
    }
  /** ACK of our 2xx; `sdp` answers an offer that stood in it. */
  | { readonly on: 'confirmed'; readonly party: Party; readonly sdp?: string }
  /** Answer of `media`. */
  | { readonly on: 'media'; readonly op: number; readonly sdp?: string; readonly failed?: number }
  /** Answer of `report answered`: it is durable, or given up. */
  | { readonly on: 'recorded' }
  /** Ends the call, or with `leg` that leg alone while others still ring. */
  | { readonly on: 'close'; readonly reason: EndReason; readonly leg?: LegId; readonly status?: number };

export type CallOutput<T> =
  | { readonly do: 'route' }
  | { readonly do: 'invite'; readonly branch: string; readonly leg: LegId; readonly to: T; readonly sdp: string }
  /** 101..199 to the caller. */
  | { readonly do: 'progress'; readonly status: number; readonly sdp?: string }
  /** 200 to the caller. */
  | { readonly do: 'answer'; readonly sdp: string }
  /** 4xx..6xx to the caller. */
  | { readonly do: 'reject'; readonly status: number; readonly reason: EndReason }
  | { readonly do: 'hangup'; readonly party: Party; readonly reason: EndReason }
  | { readonly do: 'reoffer'; readonly party: Party; readonly sdp: string }
  | { readonly do: 'accept-offer'; readonly party: Party; readonly sdp: string }
  | { readonly do: 'refuse-offer'; readonly party: Party; readonly status: number }
  /**
   * Media of a leg. `offer`: give an SDP offer (with that direction); `answer`: give the answer to `sdp`; `accept`: take
   * `sdp` as the answer to what was offered. Reply by `media` with the same `op`.
   */
  | {
      readonly do: 'media';
      readonly op: number;
      readonly want: 'offer' | 'answer' | 'accept';
      readonly leg: LegId;
      readonly party: Party;
      readonly sdp?: string;
      readonly direction?: Direction;
    }
  /** Let sound flow both ways between the caller's leg and this one. */
  | { readonly do: 'connect'; readonly caller: LegId; readonly leg: LegId }
  | { readonly do: 'release'; readonly leg: LegId }
  /** `answered` wants `recorded` back; the others want nothing. */
  | {
      readonly do: 'report';
      readonly leg: LegId;
      readonly event: 'ringing' | 'answered' | 'ended';
      readonly branch?: string;
      readonly reason?: EndReason;
    }
  /** Both sides are joined and the caller has its 2xx: the moment for a snapshot. `branch` is the winner. */
  | { readonly do: 'up'; readonly branch?: string }
  /** All is done; forget the state. */
  | { readonly do: 'over'; readonly answered: boolean; readonly reason: EndReason };

function step<T>(state: CallState<T>, input: CallInput<T> | Tick, now: number, out: CallOutput<T>[]): void {
  if (state.at === 'over') return;
  switch (input.on) {
    case 'invite':
      start(state, input.sdp, now, out);
      break;
    case 'open':
      open(state, input.target, input.ringFor, now, out);
      break;
    case 'routed':
    case 'held':
      routed(state, input, now, out);
      break;
    case 'refused':
      routeRefused(state, input.status, input.reason, out);
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
    case 'failed':
      fail(state, input.branch, input.status, out);
      break;
    case 'ended':
      partyEnded(state, input.party, input.why, out);
      break;
    case 'offer':
      offered(state, input.party, input.sdp, now, out);
      break;
    case 'reoffered':
      reoffered(state, input.party, input, now, out);
      break;
    case 'confirmed':
      confirmed(state, input.party, input.sdp, now, out);
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
  sweep(state, out);
}

/** Deadlines that have passed: unanswered media asks fail, then the phase as a whole. */
function expire<T>(state: CallState<T>, now: number, out: CallOutput<T>[]): void {
  for (const [op, ask] of state.asks) {
    if (ask.deadline <= now) media(state, { on: 'media', op, failed: 503 }, now, out);
  }
  if (state.deadline > now) return;
  state.deadline = NEVER;
  if (state.at === 'routing') routeRefused(state, 503, 'server_unavailable', out);
  else if (state.at === 'ringing') finish(state, { status: 480, reason: 'no_answer' }, out);
  else if (state.at === 'held') finish(state, { status: 480, reason: 'timeout' }, out);
  else if (state.at === 'answering') media(state, { on: 'recorded' }, now, out);
  else if (state.at === 'ending') state.routing = false;
}

function due<T>(state: CallState<T>): number {
  let earliest = state.deadline;
  for (const ask of state.asks.values()) earliest = Math.min(earliest, ask.deadline);
  return earliest;
}

/** The machine for calls whose branches carry a `T`. */
export function callMachine<T>(): Machine<CallState<T>, CallInput<T>, CallOutput<T>> {
  return { name: 'call', step, due };
}
