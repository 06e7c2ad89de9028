/**
 * Music for who is put on hold (RFC 7088 section 1): who hears it is a function of what both sides say of their direction, and nothing else
 * remembers it. By relay the endpoint of the leg plays in the place of whoever holds. Where descriptions pass untouched, a hold brings the call
 * to endpoints of ours first, the held side before the other; where that cannot be, the hold passes as it is. See `call.ts` and
 * `docs/adr/0028-music-on-hold.md`.
 */
import { readRemote } from '../sip/offer-answer.ts';
import { type Ask, ask, type CallState, legOf, otherOf, type Side } from './call-state.ts';
import type { CallOutput, Party } from './call-types.ts';
import { type Direction, directionOf } from './direction.ts';

type Out<T> = CallOutput<T>[];

/** A side that says so wants to hear nothing: it holds the other. */
export const holds = (said: Direction): boolean => said === 'sendonly' || said === 'inactive';

/** What a side is to be told: whoever hears music is sent something, whatever the holder says. */
export const shown = ({ music, wanted }: Side): Direction => (music && wanted === 'inactive' ? 'sendonly' : wanted);

/** True where a side is to hear music: it is held by a side with music, holds nobody itself, and talks to an endpoint of ours. */
export function hears<T>(state: CallState<T>, party: Party): boolean {
  const peer = otherOf(state, party);
  const side = state.sides.get(party);
  const holder = peer === undefined ? undefined : state.sides.get(peer);
  if (state.at !== 'up' || !state.relay || state.fax === true || side === undefined || holder === undefined)
    return false;
  return holder.plays && holds(side.wanted) && !holds(holder.wanted);
}

/** Starts and ends the music of both sides, as things stand now. */
export function tune<T>(state: CallState<T>, out: Out<T>): void {
  for (const [party, side] of state.sides) turn(state, party, side, hears(state, party), out);
}

/** Whether whom this side holds is to hear music, from now on. */
export function setPlays<T>(state: CallState<T>, side: Side, music: boolean | undefined, out: Out<T>): void {
  if (side.plays === (music === true)) return;
  side.plays = music === true;
  tune(state, out);
}

/** The two sides are parted: nobody is held any more. */
export function quiet<T>(state: CallState<T>, out: Out<T>): void {
  for (const [party, side] of state.sides) turn(state, party, side, false, out);
}

function turn<T>(state: CallState<T>, party: Party, side: Side, on: boolean, out: Out<T>): void {
  const leg = legOf(state, party);
  const from = legOf(state, otherOf(state, party) ?? '');
  if (side.music === on || leg === undefined || from === undefined) return;
  side.music = on;
  out.push({ do: 'music', party, leg: leg.id, from: from.id, on });
}

/**
 * Pass mode, and this offer holds the other side: the holder's endpoint is asked for first, then the held side's. False where the call cannot
 * go over endpoints of ours, or the other side is not just talking: nothing has happened then.
 */
export function anchor<T>(state: CallState<T>, party: Party, sdp: string, now: number, out: Out<T>): boolean {
  const leg = legOf(state, party);
  const said = leg?.sdp;
  if (leg === undefined || said === undefined || state.exchange !== undefined) return false;
  if (!holds(directionOf(sdp)) || directionOf(said) !== 'sendrecv') return false;
  if (readRemote(sdp) === undefined || readRemote(said) === undefined) return false;
  state.exchange = party;
  state.anchoring = { sdp };
  ask(state, leg, { use: 'anchor', want: 'answer', party, sdp }, now, out);
  return true;
}

/** Media's answers on the way there. */
export function anchorMedia<T>(
  state: CallState<T>,
  { party }: Ask,
  reply: { readonly sdp?: string; readonly failed?: number },
  now: number,
  out: Out<T>,
): void {
  const { exchange: holder, anchoring } = state;
  const peer = holder === undefined ? undefined : otherOf(state, holder);
  const side = peer === undefined ? undefined : state.sides.get(peer);
  const leg = peer === undefined ? undefined : legOf(state, peer);
  if (anchoring === undefined || peer === undefined || side === undefined || leg === undefined) return;
  if (reply.sdp === undefined) passPlain(state, side, out);
  else if (party === peer) out.push({ do: 'reoffer', party, sdp: reply.sdp });
  else {
    anchoring.answer = reply.sdp;
    state.relay = true;
    side.busy = true;
    ask(state, leg, { use: 'anchor', want: 'offer', party: peer, direction: 'sendonly' }, now, out);
  }
}

/** The held side's answer to the offer of its endpoint; true where it was that. */
export function anchored<T>(
  state: CallState<T>,
  party: Party,
  result: { readonly ok: boolean; readonly sdp?: string | undefined },
  now: number,
  out: Out<T>,
): boolean {
  const { exchange: holder, anchoring } = state;
  const side = state.sides.get(party);
  const leg = legOf(state, party);
  if (anchoring?.answer === undefined || holder === undefined || party === holder) return false;
  if (side === undefined || leg === undefined) return false;
  if (!result.ok || result.sdp === undefined) {
    passPlain(state, side, out);
    return true;
  }
  side.busy = false;
  state.exchange = undefined;
  state.anchoring = undefined;
  for (const each of [leg, legOf(state, holder)]) if (each !== undefined) each.connected = true;
  ask(state, leg, { use: 'told', want: 'accept', party, sdp: result.sdp }, now, out);
  out.push({ do: 'accept-offer', party: holder, sdp: anchoring.answer });
  side.told = 'sendonly';
  side.wanted = directionOf(anchoring.sdp);
  tune(state, out);
  return true;
}

/** The hold passes to the other side as it is. */
function passPlain<T>(state: CallState<T>, side: Side, out: Out<T>): void {
  const { exchange: holder, anchoring } = state;
  const peer = holder === undefined ? undefined : otherOf(state, holder);
  const leg = peer === undefined ? undefined : legOf(state, peer);
  state.relay = false;
  state.anchoring = undefined;
  side.busy = false;
  if (anchoring === undefined || peer === undefined || leg === undefined) return;
  leg.sdp = anchoring.sdp;
  out.push({ do: 'reoffer', party: peer, sdp: anchoring.sdp });
}
