/** Sound before the answer: the caller hears one contact, and either of the two may change the session meanwhile (UPDATE, RFC 3311). See `call.ts`. */
import { connect } from './call-join.ts';
import { type Ask, ask, CALLER, type CallState, finish, type Leg, legOf } from './call-state.ts';
import type { CallOutput, Party } from './call-types.ts';
import { directionOf } from './direction.ts';
import { callerStatus, reasonOf } from './outcome.ts';

type Out<T> = CallOutput<T>[];

/** A contact has sound, with that response. True where the caller hears of it by this; only the first contact is heard. */
export function hearEarly<T>(
  state: CallState<T>,
  {
    name,
    leg,
    status,
    sdp,
  }: { readonly name: string; readonly leg: Leg; readonly status: number; readonly sdp: string },
  now: number,
  out: Out<T>,
): boolean {
  if (state.callerLate) state.unheard ??= { name, sdp };
  if (state.early !== undefined || state.callerLate) return false;
  if (state.relay) {
    state.early = name;
    ask(state, leg, { use: 'early', want: 'accept', party: name, sdp }, now, out);
    return true;
  }
  if (state.branches.size !== 1) return false;
  state.early = name;
  state.earlySdp = sdp;
  state.shown = sdp;
  out.push({ do: 'progress', status, sdp });
  return true;
}

/** Media took the description of the contact that is heard. */
export function earlySound<T>(state: CallState<T>, asked: Ask, failed: number | undefined, out: Out<T>): void {
  const leg = legOf(state, asked.party);
  if (failed !== undefined || leg === undefined || leg.at === 'ended') return;
  if (state.early === asked.party) state.earlyAccepted = true;
  if (state.at !== 'ringing' || state.callerLeg?.sdp === undefined) return;
  connect(state, leg, out);
  out.push({ do: 'progress', status: 183, sdp: state.callerLeg.sdp });
}

/**
 * A caller whose INVITE had no offer answers ours before the call is answered (RFC 3262 section 5): the contact that has had sound is heard
 * from then on. Without an answer there is no call.
 */
export function answeredEarly<T>(state: CallState<T>, sdp: string | undefined, now: number, out: Out<T>): void {
  const { callerLeg } = state;
  if (!state.callerLate || state.caller !== 'waiting' || callerLeg === undefined) return;
  if (sdp === undefined) {
    finish(state, { status: 488, reason: 'no_codec' }, out);
    return;
  }
  state.callerLate = false;
  ask(state, callerLeg, { use: 'early-answer', want: 'accept', party: CALLER, sdp }, now, out);
}

/** Media took that answer, or did not. */
export function heardEarly<T>(
  state: CallState<T>,
  { sdp = '' }: Ask,
  failed: number | undefined,
  now: number,
  out: Out<T>,
): void {
  if (failed !== undefined) {
    finish(state, { status: 488, reason: reasonOf(failed) }, out);
    return;
  }
  state.wishes ??= new Map();
  state.wishes.set(CALLER, directionOf(sdp));
  const { unheard } = state;
  state.unheard = undefined;
  const leg = unheard === undefined ? undefined : legOf(state, unheard.name);
  if (unheard === undefined || leg === undefined || state.branches.get(unheard.name)?.at !== 'ringing') return;
  hearEarly(state, { ...unheard, leg, status: 183 }, now, out);
}

/** The contact that was heard is gone: another may be heard, and who waits for its answer to an offer waits no more. */
export function loseEarly<T>(state: CallState<T>, name: string, out: Out<T>): void {
  if (state.unheard?.name === name) state.unheard = undefined;
  if (state.early !== name) return;
  state.early = undefined;
  state.earlySdp = undefined;
  state.earlyAccepted = false;
  if (state.passing?.from === CALLER) out.push({ do: 'refuse-offer', party: CALLER, status: 488 });
  state.passing = undefined;
}

/**
 * The caller, or the contact that it hears, offers anew before the call is answered. By relay its own endpoint answers; else the offer
 * goes to the other of the two. While an answer to the call is being recorded it is to be made again, unless it is the caller's by relay.
 */
export function offeredEarly<T>(
  state: CallState<T>,
  party: Party,
  sdp: string | undefined,
  now: number,
  out: Out<T>,
): void {
  const leg = legOf(state, party);
  const isHeard = state.early !== undefined && (party === CALLER || party === state.early);
  // What a PRACK offers can hardly be refused (RFC 3262 section 5), and the caller's own endpoint answers at any time.
  const isOpen = state.at === 'ringing' || (state.at === 'answering' && state.relay && party === CALLER);
  if (!isOpen || leg === undefined || sdp === undefined || !isHeard)
    out.push({ do: 'refuse-offer', party, status: 500 });
  else if (state.relay) ask(state, leg, { use: 'renewed', want: 'answer', party, sdp }, now, out);
  else if (state.passing !== undefined) out.push({ do: 'refuse-offer', party, status: 491 });
  else {
    state.passing = { from: party, sdp };
    out.push({ do: 'reoffer', party: party === CALLER ? (state.early ?? '') : CALLER, sdp, early: true });
  }
}

/** By relay: the answer of its own endpoint to such an offer. What it wants of its direction, the other side hears once the call is up. */
export function answerEarly<T>(
  state: CallState<T>,
  { party, sdp }: Ask,
  reply: { readonly sdp?: string; readonly failed?: number },
  out: Out<T>,
): void {
  if (reply.sdp === undefined) {
    out.push({ do: 'refuse-offer', party, status: reply.failed ?? 500 });
    return;
  }
  if (party === CALLER && state.callerLeg !== undefined) state.callerLeg.sdp = reply.sdp;
  state.wishes ??= new Map();
  if (sdp !== undefined) state.wishes.set(party, directionOf(sdp));
  out.push({ do: 'accept-offer', party, sdp: reply.sdp });
}

/** Passed: what the other of the two said to such an offer. False where none was under way. */
export function passedEarly<T>(
  state: CallState<T>,
  result: { readonly ok: boolean; readonly status: number; readonly sdp?: string | undefined },
  out: Out<T>,
): boolean {
  const { passing } = state;
  if (passing === undefined) return false;
  state.passing = undefined;
  const { from, sdp: offer } = passing;
  if (!result.ok || result.sdp === undefined) {
    out.push({ do: 'refuse-offer', party: from, status: result.ok ? 488 : callerStatus(result.status) });
    return true;
  }
  const [ofCaller, ofCallee] = from === CALLER ? [offer, result.sdp] : [result.sdp, offer];
  const callee = legOf(state, state.winner ?? state.early ?? '');
  if (callee !== undefined) callee.sdp = ofCaller;
  state.earlySdp = ofCallee;
  state.shown = ofCallee;
  if (state.at !== 'ringing' && state.callerLeg !== undefined) state.callerLeg.sdp = ofCallee;
  out.push({ do: 'accept-offer', party: from, sdp: result.sdp });
  return true;
}
