/** Setting a call up: routing, media of both sides, ringing, the first answer, the caller's 2xx. See `call.ts`. */
import { NEVER } from '../kernel/machine.ts';
import { answerEarly, earlySound, heardEarly, hearEarly, loseEarly } from './call-early.ts';
import { askForCaller, record } from './call-join.ts';
import {
  type Ask,
  anyBranch,
  ask,
  type Branch,
  CALLER,
  type CallState,
  dropLosers,
  endLeg,
  finish,
  type Leg,
  legOf,
  lostBranch,
  newLeg,
  newSide,
  ROUTE_LIMIT,
} from './call-state.ts';
import { bothReady, takerMedia } from './call-taken.ts';
import { afterEarly, talkMedia } from './call-talk.ts';
import type { CallInput, CallOutput, LegId, Refused, Routed, Target } from './call-types.ts';
import { watchFlow } from './flows.ts';
import { shareOf, widthOf } from './hops.ts';
import { better, callerStatus, isWayOut, MOVED, reasonOf } from './outcome.ts';

type Out<T> = CallOutput<T>[];

export function start<T>(
  state: CallState<T>,
  { sdp, breadth }: Extract<CallInput<T>, { on: 'invite' }>,
  now: number,
  out: Out<T>,
): void {
  if (state.at !== 'idle') return;
  if (breadth !== undefined) state.breadth = breadth;
  state.at = 'routing';
  state.caller = 'waiting';
  state.routing = true;
  state.deadline = now + ROUTE_LIMIT;
  if (sdp !== undefined) state.offer = sdp;
  out.push({ do: 'route' });
}

export function open<T>(state: CallState<T>, target: Target<T>, ringFor: number, now: number, out: Out<T>): void {
  if (state.at !== 'idle') return;
  state.owned = false;
  ring(state, [target], ringFor, now, out);
}

export function routed<T>(
  state: CallState<T>,
  input: Extract<CallInput<T>, { on: 'routed' | 'held' }>,
  now: number,
  out: Out<T>,
): void {
  if (!state.routing) return;
  state.routing = false;
  state.callerLeg = newLeg(input.callerLeg);
  if (state.at !== 'routing') {
    nameTheDead(state, input, out);
    return;
  }
  if (input.on === 'held') {
    state.at = 'held';
    state.owned = false;
    state.deadline = now + input.limit;
    if (input.ring === true) out.push({ do: 'progress', status: 180 });
    return;
  }
  state.relay = input.relay || state.offer === undefined;
  state.again = input.again === true;
  if (state.relay) askForCaller(state, state.callerLeg, now, out);
  else if (state.offer !== undefined) state.callerLeg.sdp = state.offer;
  ring(state, input.targets, input.ringFor, now, out);
}

/** The caller gave up while the route was looked for: its legs were named, so each gets its report. */
function nameTheDead<T>(
  state: CallState<T>,
  input: Extract<CallInput<T>, { on: 'routed' | 'held' }>,
  out: Out<T>,
): void {
  if (input.on === 'routed') for (const target of input.targets) state.legs.set(target.leg, newLeg(target.leg));
  for (const leg of state.legs.values()) endLeg(state, leg, state.reason, out);
  if (state.callerLeg !== undefined) endLeg(state, state.callerLeg, state.reason, out);
}

/** Another one rings in place of who did not take the call. */
export function rerouted<T>(
  state: CallState<T>,
  input: Extract<CallInput<T>, { on: 'rerouted' }>,
  now: number,
  out: Out<T>,
): void {
  if (state.at !== 'rerouting') {
    // The caller gave up meanwhile: the leg was named, so it gets its report.
    const leg = newLeg(input.target.leg);
    state.legs.set(leg.id, leg);
    endLeg(state, leg, state.reason, out);
    return;
  }
  const reason = state.moved === undefined ? (state.lostBy?.reason ?? 'no_answer') : MOVED;
  state.again = input.again;
  state.moved = undefined;
  state.lostBy = undefined;
  state.best = undefined;
  if (state.early !== undefined) loseEarly(state, state.early, out);
  state.unheard = undefined;
  for (const leg of state.legs.values()) endLeg(state, leg, reason, out);
  // A leg of the same name goes on with its endpoint; what was asked of that before is void.
  for (const [op, asked] of state.asks) if (asked.leg === input.target.leg) state.asks.delete(op);
  ring(state, [input.target], input.ringFor, now, out);
}

export function routeRefused<T>(state: CallState<T>, no: Refused, out: Out<T>): void {
  if (state.at === 'rerouting')
    finish(state, no.moved === undefined && no.final !== true ? (state.lostBy ?? no) : no, out);
  if (!state.routing) return;
  state.routing = false;
  if (state.at === 'routing') finish(state, no, out);
}

function ring<T>(state: CallState<T>, wanted: Routed<T>['targets'], ringFor: number, now: number, out: Out<T>): void {
  const targets = fitting(state, wanted);
  state.at = 'ringing';
  state.ringFor = ringFor;
  state.deadline = now + ringFor;
  for (const target of targets) {
    const leg = newLeg(target.leg, target.oneByOne);
    state.legs.set(leg.id, leg);
    for (const { branch, to, others, callee, bare } of target.branches)
      state.branches.set(branch, {
        leg: leg.id,
        to,
        callee,
        others,
        bare,
        tryBy: undefined,
        at: 'planned',
        status: undefined,
      });
  }
  for (const leg of state.legs.values()) {
    if (leg.at !== 'preparing') continue;
    if (!anyBranch(state, leg)) {
      const { otherwise: status = 480, because } = targets.find((one) => one.leg === leg.id) ?? {};
      state.best = better(state.best, status);
      lostBranch(state, leg.id, because ?? reasonOf(status), out);
    } else if (state.relay) ask(state, leg, { use: 'setup', want: 'offer', party: leg.id }, now, out);
    else if (state.offer !== undefined) leg.sdp = state.offer;
  }
  if (targets.length === 0) finish(state, { status: 480, reason: 'callee_offline' }, out);
  inviteReady(state, now, out);
}

/** Nobody rings where the call may not be forked so wide (RFC 5393 section 5.3.3.1): 440. */
function fitting<T>(state: CallState<T>, targets: Routed<T>['targets']): Routed<T>['targets'] {
  const share = shareOf(state.breadth, widthOf(targets));
  state.share = undefined;
  if (share === 0) return targets.map(({ leg }) => ({ leg, branches: [], otherwise: 440 }));
  if (share !== undefined) state.share = share;
  return targets;
}

/** Invites the contacts of every leg that has its SDP, once the caller's side is sure to work. */
function inviteReady<T>(state: CallState<T>, now: number, out: Out<T>): void {
  if (state.at !== 'ringing') return;
  if (state.callerLeg !== undefined && state.callerLeg.sdp === undefined) return;
  for (const leg of state.legs.values()) {
    if (leg.at !== 'preparing' || leg.sdp === undefined) continue;
    leg.at = 'ringing';
    for (const [name, branch] of state.branches) {
      if (branch.leg !== leg.id || branch.at !== 'planned') continue;
      branch.at = 'ringing';
      watchFlow(branch, now);
      out.push({ do: 'invite', branch: name, leg: leg.id, to: branch.to, sdp: leg.sdp, breadth: state.share });
      if (leg.oneByOne === undefined) continue;
      const { tryFor, lastFor = tryFor } = leg.oneByOne;
      leg.tryBy = now + (planned(state, leg.id).length > 0 ? tryFor : lastFor);
      break;
    }
  }
}

/** The ways to a callee that nobody has tried yet. */
const planned = <T>({ branches }: CallState<T>, leg: LegId) =>
  [...branches.values()].filter((one) => one.leg === leg && one.at === 'planned');

/** The way `name` to a callee failed: the next one is tried where there is one and it may be better. True while that is so. */
function nextWay<T>(state: CallState<T>, name: string, status: number, now: number, out: Out<T>): boolean {
  const leg = legOf(state, name);
  if (leg?.oneByOne === undefined || state.at !== 'ringing') return false;
  leg.tryBy = undefined;
  const left = planned(state, leg.id);
  if (left.length === 0) return false;
  if (leg.oneByOne.always !== true && !isWayOut(status)) {
    for (const branch of left) branch.at = 'gone';
    return false;
  }
  leg.at = 'preparing';
  inviteReady(state, now, out);
  return true;
}

/** A way that says nothing for too long is given up. */
export function giveUpSilent<T>(state: CallState<T>, now: number, out: Out<T>): void {
  if (state.at !== 'ringing') return;
  for (const leg of [...state.legs.values()]) {
    if (leg.at !== 'ringing' || leg.tryBy === undefined || leg.tryBy > now) continue;
    for (const [name, branch] of state.branches) {
      if (branch.leg !== leg.id || branch.at !== 'ringing') continue;
      out.push({ do: 'hangup', party: name, reason: reasonOf(408) });
      fail(state, name, 408, now, out);
      break;
    }
  }
}

/** The held caller is answered: media for its leg, then the record, then 2xx. */
export function admit<T>(state: CallState<T>, now: number, out: Out<T>): void {
  if (state.at !== 'held' || state.callerLeg === undefined) return;
  state.at = 'answering';
  state.deadline = NEVER;
  askForCaller(state, state.callerLeg, now, out);
}

export function progress<T>(
  state: CallState<T>,
  name: string,
  status: number,
  sdp: string | undefined,
  now: number,
  out: Out<T>,
): void {
  const branch = state.branches.get(name);
  const leg = legOf(state, name);
  if (state.at !== 'ringing' || branch?.at !== 'ringing' || leg === undefined) return;
  leg.tryBy = undefined;
  branch.tryBy = undefined;
  if (status >= 180 && branch.status === undefined) {
    const first = !anyBranch(state, leg, (one) => one.status !== undefined);
    branch.status = status;
    if (first) out.push({ do: 'report', leg: leg.id, event: 'ringing', branch: name });
  }
  if (state.caller === 'waiting') passUp(state, status, sdp, leg, name, now, out);
}

/** Tells the caller, each status once; early sound from the first contact that has some. */
function passUp<T>(
  state: CallState<T>,
  status: number,
  sdp: string | undefined,
  leg: Leg,
  name: string,
  now: number,
  out: Out<T>,
): void {
  if (sdp !== undefined && hearEarly(state, { name, leg, status, sdp }, now, out)) return;
  if (status < 180 || status === 199 || state.passed.includes(status)) return;
  state.passed.push(status);
  // Where the caller has to be offered something, it may be so at once (RFC 3262 section 5).
  const offer = state.callerLate ? state.callerLeg?.sdp : undefined;
  out.push(offer === undefined ? { do: 'progress', status } : { do: 'progress', status, sdp: offer });
}

export function fail<T>(state: CallState<T>, name: string, status: number, now: number, out: Out<T>): void {
  const branch = state.branches.get(name);
  if ((state.at !== 'ringing' && state.at !== 'rerouting') || branch?.at !== 'ringing') return;
  branch.at = 'gone';
  loseEarly(state, name, out);
  if (state.at === 'rerouting') return;
  state.best = better(state.best, status);
  if (nextWay(state, name, status, now, out)) return;
  const reason = reasonOf(status);
  if (status >= 600) silence(state, branch, reason, out);
  lostBranch(state, branch.leg, reason, out);
}

/**
 * A 6xx speaks for its callee as a whole (RFC 3261 section 16.7 step 5), that is for one line: its other phones fall silent, and where one of
 * them has sent the call on counts no more. Other lines that ring along are other callees.
 */
function silence<T>(state: CallState<T>, by: Branch<T>, reason: string, out: Out<T>): void {
  const isIts = ({ leg, callee }: Branch<T>) => leg === by.leg && callee === by.callee;
  for (const [name, branch] of state.branches) {
    if (branch.at === 'gone' || !isIts(branch)) continue;
    if (branch.at === 'ringing') out.push({ do: 'hangup', party: name, reason });
    branch.at = 'gone';
    loseEarly(state, name, out);
  }
  if (state.moved?.by !== undefined && isIts(state.moved.by)) state.moved = undefined;
}

/** A contact answered: it wins, unless another has won; then it is hung up. */
export function win<T>(state: CallState<T>, name: string, sdp: string | undefined, now: number, out: Out<T>): void {
  const branch = state.branches.get(name);
  const leg = legOf(state, name);
  if (state.at !== 'ringing' || branch?.at !== 'ringing' || leg === undefined) return;
  branch.at = 'up';
  leg.at = 'up';
  leg.tryBy = undefined;
  state.winner = name;
  state.at = 'answering';
  state.deadline = NEVER;
  dropLosers(state, name, out);
  if (!state.relay) {
    const final = sdp ?? (state.early === name ? state.earlySdp : undefined);
    if (final === undefined) finish(state, { status: 488, reason: 'no_codec' }, out);
    else {
      if (state.callerLeg !== undefined) state.callerLeg.sdp = final;
      record(state, leg, now, out);
    }
  } else if (sdp !== undefined) ask(state, leg, { use: 'final', want: 'accept', party: name, sdp }, now, out);
  else if (state.early === name && state.earlyAccepted) record(state, leg, now, out);
  else finish(state, { status: 488, reason: 'no_codec' }, out);
}

function recorded<T>(state: CallState<T>, now: number, out: Out<T>): void {
  if (state.at !== 'answering' || !state.recording) return;
  state.recording = false;
  state.at = 'up';
  state.deadline = NEVER;
  state.answered = true;
  if (state.winner !== undefined) state.sides.set(state.winner, newSide());
  if (state.caller === 'waiting' && state.callerLeg?.sdp !== undefined) {
    state.caller = 'up';
    state.callerLeg.at = 'up';
    const side = newSide();
    side.late = state.callerLate;
    state.sides.set(CALLER, side);
    out.push({ do: 'answer', party: CALLER, sdp: state.callerLeg.sdp });
  }
  const taker = state.taken === true ? legOf(state, state.winner ?? '') : undefined;
  if (state.winner !== undefined && taker?.sdp !== undefined) {
    state.taken = undefined;
    out.push({ do: 'answer', party: state.winner, sdp: taker.sdp });
  }
  state.offer = undefined;
  state.unheard = undefined;
  out.push({ do: 'up', branch: state.winner });
  afterEarly(state, now, out);
}

/** Answers to media asks and to the record. */
export function media<T>(
  state: CallState<T>,
  input: Extract<CallInput<T>, { on: 'media' | 'recorded' }>,
  now: number,
  out: Out<T>,
): void {
  if (input.on === 'recorded') {
    recorded(state, now, out);
    return;
  }
  const asked = state.asks.get(input.op);
  if (asked === undefined) return;
  state.asks.delete(input.op);
  if (state.at === 'ending') return;
  if (asked.use === 'setup') setUp(state, asked, input, now, out);
  else if (asked.use === 'taken') takerMedia(state, input, now, out);
  else if (asked.use === 'early') earlySound(state, asked, input.failed, out);
  else if (asked.use === 'early-answer' && state.at !== 'up') heardEarly(state, asked, input.failed, now, out);
  else if (asked.use === 'renewed' && state.at !== 'up') answerEarly(state, asked, input, out);
  else if (asked.use === 'final') answeredSound(state, asked, input.failed, now, out);
  else talkMedia(state, asked, input, now, out);
}

function setUp<T>(
  state: CallState<T>,
  asked: Ask,
  reply: { readonly sdp?: string; readonly failed?: number },
  now: number,
  out: Out<T>,
): void {
  const failed = reply.failed ?? (reply.sdp === undefined ? 500 : undefined);
  const leg = asked.party === CALLER ? state.callerLeg : state.legs.get(asked.leg);
  if (leg === undefined || leg.at === 'ended') return;
  if (failed === undefined && reply.sdp !== undefined) {
    leg.sdp = reply.sdp;
    if (state.taken === true) bothReady(state, now, out);
    else if (state.at === 'answering' && asked.party === CALLER) record(state, leg, now, out);
    else inviteReady(state, now, out);
  } else if (asked.party === CALLER) {
    finish(state, { status: callerStatus(failed ?? 500), reason: reasonOf(failed ?? 500) }, out);
  } else {
    state.best = better(state.best, failed ?? 500);
    for (const branch of state.branches.values()) if (branch.leg === leg.id) branch.at = 'gone';
    lostBranch(state, leg.id, reasonOf(failed ?? 500), out);
  }
}

function answeredSound<T>(state: CallState<T>, asked: Ask, failed: number | undefined, now: number, out: Out<T>): void {
  const leg = legOf(state, asked.party);
  if (state.at !== 'answering' || leg === undefined) return;
  if (failed === undefined) record(state, leg, now, out);
  else finish(state, { status: callerStatus(failed), reason: reasonOf(failed) }, out);
}
