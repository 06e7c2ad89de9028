/**
 * An established call by relay that switches over to fax (T.38), or back: unlike a hold, that is between the two sides, so the offer goes
 * on to the other one, and its answer decides. See `call.ts`.
 */
import { isFax } from '../sip/fax.ts';
import { type Ask, ask, type CallState, legOf, otherOf } from './call-state.ts';
import type { CallOutput, Party } from './call-types.ts';
import { tune } from './hold-music.ts';
import { callerStatus } from './outcome.ts';

type Out<T> = CallOutput<T>[];

/** Whether a side's offer is one that the other side has to hear. */
export const switches = <T>(state: CallState<T>, sdp: string): boolean => state.fax === true || isFax(sdp);

/** A side offers fax, or audio again. */
export function switchOver<T>(state: CallState<T>, party: Party, sdp: string, now: number, out: Out<T>): void {
  const peer = otherOf(state, party);
  const side = peer === undefined ? undefined : state.sides.get(peer);
  const leg = peer === undefined ? undefined : legOf(state, peer);
  if (peer === undefined || side === undefined || leg === undefined)
    out.push({ do: 'refuse-offer', party, status: 488 });
  else if (state.exchange !== undefined || side.busy) out.push({ do: 'refuse-offer', party, status: 491 });
  else {
    state.exchange = party;
    state.switching = sdp;
    side.busy = true;
    ask(state, leg, { use: 'switch', want: 'offer', party: peer, like: sdp }, now, out);
  }
}

/** The other side's answer to what was passed on; true where it was that. */
export function switched<T>(
  state: CallState<T>,
  party: Party,
  result: { readonly ok: boolean; readonly status: number; readonly sdp?: string | undefined },
  now: number,
  out: Out<T>,
): boolean {
  const { exchange: from, switching: offer } = state;
  const side = state.sides.get(party);
  if (from === undefined || offer === undefined || from === party || side === undefined) return false;
  side.busy = false;
  const leg = legOf(state, party);
  const asker = legOf(state, from);
  const { ok, sdp } = result;
  // An answer that takes no stream of that kind is a refusal in other words.
  if (!ok || sdp === undefined || isFax(sdp) !== isFax(offer) || leg === undefined || asker === undefined) {
    refuse(state, from, ok ? 488 : callerStatus(result.status), out);
    return true;
  }
  ask(state, leg, { use: 'switched', want: 'accept', party, sdp }, now, out);
  ask(state, asker, { use: 'agreed', want: 'answer', party: from, sdp: offer, like: sdp }, now, out);
  return true;
}

/** Media's answers on the way. */
export function switchMedia<T>(
  state: CallState<T>,
  { use, party }: Ask,
  reply: { readonly sdp?: string; readonly failed?: number },
  out: Out<T>,
): void {
  const { exchange: from, switching: offer } = state;
  if (from === undefined || offer === undefined || use === 'switched') return;
  if (reply.sdp === undefined) {
    const peer = otherOf(state, from);
    const side = peer === undefined ? undefined : state.sides.get(peer);
    if (side !== undefined) side.busy = false;
    refuse(state, from, reply.failed ?? 488, out);
  } else if (use === 'switch') out.push({ do: 'reoffer', party, sdp: reply.sdp });
  else {
    state.fax = isFax(offer);
    over(state);
    tune(state, out);
    out.push({ do: 'accept-offer', party, sdp: reply.sdp });
  }
}

function refuse<T>(state: CallState<T>, party: Party, status: number, out: Out<T>): void {
  over(state);
  out.push({ do: 'refuse-offer', party, status });
}

function over<T>(state: CallState<T>): void {
  state.exchange = undefined;
  state.switching = undefined;
}
