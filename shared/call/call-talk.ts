/** An established call: offers of either side, hold and resume told on, late answers. See `call.ts`. */

import { answeredEarly, offeredEarly, passedEarly } from './call-early.ts';
import { switched, switches, switchMedia, switchOver } from './call-fax.ts';
import { type Ask, ask, CALLER, type CallState, finish, legOf, otherOf, type Side } from './call-state.ts';
import type { CallInput, CallOutput, Party } from './call-types.ts';
import { type Direction, directionOf, unheld, wishOf } from './direction.ts';
import { anchor, anchored, anchorMedia, setPlays, shown, tune } from './hold-music.ts';
import { callerStatus, reasonOf } from './outcome.ts';

type Out<T> = CallOutput<T>[];

/** A side offers anew. By relay it is answered at once by its own endpoint, and the other side is told a change of hold. */
export function offered<T>(
  state: CallState<T>,
  { party, sdp, music }: Extract<CallInput<T>, { on: 'offer' }>,
  now: number,
  out: Out<T>,
): void {
  const side = state.sides.get(party);
  const leg = legOf(state, party);
  if (state.at !== 'up') {
    offeredEarly(state, party, sdp, now, out);
    return;
  }
  if (side === undefined || leg === undefined) {
    out.push({ do: 'refuse-offer', party, status: 491 });
    return;
  }
  if (sdp !== undefined) setPlays(state, side, music, out);
  if (!state.relay) {
    if (!side.plays || sdp === undefined || !anchor(state, party, sdp, now, out)) passOffer(state, party, sdp, out);
  } else if (side.busy || state.anchoring !== undefined) out.push({ do: 'refuse-offer', party, status: 491 });
  else if (sdp !== undefined && switches(state, sdp)) switchOver(state, party, sdp, now, out);
  else if (sdp === undefined) {
    // Where the other side holds this one, it stays so.
    side.told = shown(side);
    const direction = side.told === 'sendrecv' ? {} : { direction: side.told };
    ask(state, leg, { use: 'offer', want: 'offer', party, ...direction }, now, out);
  } else ask(state, leg, { use: 'answer', want: 'answer', party, sdp }, now, out);
}

/** Without relay the offer goes to the other side as it is. */
function passOffer<T>(state: CallState<T>, party: Party, sdp: string | undefined, out: Out<T>): void {
  const peer = otherOf(state, party);
  if (peer === undefined) out.push({ do: 'refuse-offer', party, status: 488 });
  else if (state.exchange !== undefined) out.push({ do: 'refuse-offer', party, status: 491 });
  else if (sdp === undefined) offerAgain(state, party, peer, out);
  else pass(state, party, peer, sdp, out);
}

function pass<T>(state: CallState<T>, party: Party, peer: Party, sdp: string, out: Out<T>): void {
  const leg = legOf(state, peer);
  state.exchange = party;
  if (leg !== undefined) leg.sdp = sdp;
  out.push({ do: 'reoffer', party: peer, sdp });
}

/** A side asks for an offer (RFC 3261 section 14.2): it gets what the other side said last, less what only its own hold had made of it. */
function offerAgain<T>(state: CallState<T>, party: Party, peer: Party, out: Out<T>): void {
  const side = state.sides.get(party);
  const other = state.sides.get(peer);
  const said = legOf(state, peer)?.sdp;
  const told = legOf(state, party)?.sdp;
  if (side === undefined || other === undefined) return;
  state.exchange = party;
  if (told === undefined) {
    // After a restart nobody here knows what it said: it says so itself.
    other.asked = true;
    out.push({ do: 'reoffer', party: peer });
    return;
  }
  side.late = true;
  const direction = said === undefined ? undefined : unheld(directionOf(told), directionOf(said));
  out.push({ do: 'accept-offer', party, sdp: told, ...(direction === undefined ? {} : { direction }) });
}

/** The answer to that: the other side hears of it where it says anything new. */
function answeredAgain<T>(state: CallState<T>, party: Party, sdp: string, out: Out<T>): void {
  const peer = otherOf(state, party);
  const other = peer === undefined ? undefined : state.sides.get(peer);
  const leg = peer === undefined ? undefined : legOf(state, peer);
  state.exchange = undefined;
  if (peer === undefined || other === undefined || leg === undefined) return;
  if (other.asked) {
    other.asked = false;
    leg.sdp = sdp;
    out.push({ do: 'accept-offer', party: peer, sdp });
    return;
  }
  if (leg.sdp === sdp) return;
  pass(state, party, peer, sdp, out);
  state.settled = true;
}

export function reoffered<T>(
  state: CallState<T>,
  party: Party,
  result: { readonly ok: boolean; readonly status: number; readonly sdp?: string | undefined },
  now: number,
  out: Out<T>,
): void {
  const side = state.sides.get(party);
  if (passedEarly(state, result, out)) return;
  if (state.at !== 'up' || side === undefined) return;
  if (state.anchoring !== undefined && anchored(state, party, result, now, out)) return;
  if (!state.relay) {
    passedOn(state, party, side, result, out);
    return;
  }
  if (switched(state, party, result, now, out)) return;
  side.busy = false;
  const leg = legOf(state, party);
  if (result.ok && result.sdp !== undefined && leg !== undefined) {
    ask(state, leg, { use: 'told', want: 'accept', party, sdp: result.sdp }, now, out);
  } else renewed(side, party, false, out);
  tell(state, party, side, now, out);
}

/** Pass mode: what a side said to what passed to it. */
function passedOn<T>(
  state: CallState<T>,
  party: Party,
  side: Side,
  result: { readonly ok: boolean; readonly status: number; readonly sdp?: string | undefined },
  out: Out<T>,
): void {
  const { exchange: from, settled } = state;
  state.exchange = undefined;
  state.settled = undefined;
  if (from === undefined || from === party || settled === true) return;
  const told = legOf(state, from);
  const asker = state.sides.get(from);
  if (!result.ok || result.sdp === undefined) {
    side.asked = false;
    out.push({ do: 'refuse-offer', party: from, status: result.ok ? 488 : callerStatus(result.status) });
    return;
  }
  if (told !== undefined) told.sdp = result.sdp;
  if (side.asked && asker !== undefined) {
    // Its offer goes into the 2xx, and the answer comes with the ACK.
    asker.late = true;
    state.exchange = from;
  }
  out.push({ do: 'accept-offer', party: from, sdp: result.sdp });
}

/** The call is up that had sound before: what was said then and could not be told is told now. */
export function afterEarly<T>(state: CallState<T>, now: number, out: Out<T>): void {
  const { shown, wishes, callerLeg, winner } = state;
  state.shown = undefined;
  state.wishes = undefined;
  for (const [party, wish] of wishes ?? []) follow(state, party, wish, now, out);
  // The first description that a caller gets is its answer, whatever a later response says (RFC 3261 section 13.2.1).
  if (state.relay || winner === undefined || shown === undefined || shown === callerLeg?.sdp) return;
  if (callerLeg?.sdp === undefined || state.exchange !== undefined) return;
  pass(state, winner, CALLER, callerLeg.sdp, out);
  state.settled = true;
}

/** ACK with the answer to an offer that our 2xx carried. */
export function confirmed<T>(
  state: CallState<T>,
  { party, sdp, music }: Extract<CallInput<T>, { on: 'confirmed' }>,
  now: number,
  out: Out<T>,
): void {
  const side = state.sides.get(party);
  const leg = legOf(state, party);
  if (state.at !== 'up' && party === CALLER) {
    answeredEarly(state, sdp, now, out);
    return;
  }
  if (state.at !== 'up' || side === undefined || leg === undefined || !side.late) return;
  side.late = false;
  setPlays(state, side, music, out);
  if (sdp === undefined) finish(state, { status: 488, reason: 'no_codec' }, out);
  else if (state.relay) ask(state, leg, { use: 'late', want: 'accept', party, sdp }, now, out);
  else answeredAgain(state, party, sdp, out);
}

/** Media's answers in an established call. */
export function talkMedia<T>(
  state: CallState<T>,
  asked: Ask,
  reply: { readonly sdp?: string; readonly failed?: number },
  now: number,
  out: Out<T>,
): void {
  const side = state.sides.get(asked.party);
  if (side === undefined) return;
  const { party, use } = asked;
  if (use === 'late' || use === 'early-answer') {
    if (reply.failed !== undefined) finish(state, { status: 488, reason: reasonOf(reply.failed) }, out);
    else if (asked.sdp !== undefined) follow(state, party, wishOf(side.told, directionOf(asked.sdp)), now, out);
  } else if (use === 'answer' || use === 'offer' || use === 'renewed') {
    if (reply.failed !== undefined || reply.sdp === undefined) {
      out.push({ do: 'refuse-offer', party, status: reply.failed ?? 500 });
      return;
    }
    if (use === 'offer') side.late = true;
    out.push({ do: 'accept-offer', party, sdp: reply.sdp });
    if (asked.sdp !== undefined) follow(state, party, directionOf(asked.sdp), now, out);
  } else if (use === 'tell') {
    if (reply.sdp === undefined) {
      side.busy = false;
      renewed(side, party, false, out);
    } else out.push({ do: 'reoffer', party, sdp: reply.sdp });
  } else if (use === 'told') renewed(side, party, reply.failed === undefined, out);
  else if (use === 'anchor') anchorMedia(state, asked, reply, now, out);
  else switchMedia(state, asked, reply, out);
}

/** Says what came of a `renew`. */
function renewed<T>(side: Side, party: Party, ok: boolean, out: Out<T>): void {
  if (!side.renewing) return;
  side.renewing = false;
  out.push({ do: 'renewed', party, ok });
}

/** What one side wants of its direction, the other is told. */
function follow<T>(state: CallState<T>, party: Party, wanted: Direction | undefined, now: number, out: Out<T>): void {
  const peer = otherOf(state, party);
  const side = peer === undefined ? undefined : state.sides.get(peer);
  if (peer === undefined || side === undefined || wanted === undefined) return;
  side.wanted = wanted;
  tune(state, out);
  tell(state, peer, side, now, out);
}

/** Offers a side the direction that it should have, one offer at a time; a refused one is not repeated. */
function tell<T>(state: CallState<T>, party: Party, side: Side, now: number, out: Out<T>): void {
  const leg = legOf(state, party);
  const direction = shown(side);
  if (side.busy || side.told === direction || leg === undefined) return;
  side.busy = true;
  side.told = direction;
  ask(state, leg, { use: 'tell', want: 'offer', party, direction }, now, out);
}
