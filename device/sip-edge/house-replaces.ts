/**
 * An INVITE with Replaces from a phone of the house (RFC 3891): it takes a call that rings at another phone of the house, or the place of
 * that phone in a call that is up. In both it is answered with the media end that is there already.
 */
import { CALLER } from '#shared/call/call.ts';
import { newSide } from '#shared/call/call-state.ts';
import { versionOf } from '#shared/call/direction.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { type DialogName, isTag, readDialogName } from '#shared/sip/refer.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import type { EdgeCalls } from './calls.ts';
import type { NamedLine, Ring } from './edge-call.ts';
import { type End, flowOf, legAt, lineOf, otherEnd, seat } from './end.ts';

/** Name of the branch that a phone makes by taking a call. */
const TAKEN = 'taken';

/** The INVITE, from a phone that proved to be `line`. */
export interface Taker {
  readonly handle: CallHandle;
  readonly flow: Flow;
  readonly line: NamedLine;
  readonly uri: string;
  readonly offer: string | undefined;
}

export class HouseReplaces {
  readonly #sip: SipPort;
  readonly #calls: EdgeCalls;
  readonly #anchor: Anchor;

  constructor(sip: SipPort, calls: EdgeCalls, anchor: Anchor) {
    this.#sip = sip;
    this.#calls = calls;
    this.#anchor = anchor;
  }

  /** `value` is that of Replaces. Who may: every line of the house, for what rings or is talked in it. */
  async take(taker: Taker, value: string): Promise<void> {
    const name = readDialogName(value);
    if (name === undefined) return void this.#refuse(taker, 400);
    const end = this.#find(name);
    const up = end?.call.state.at === 'up';
    // An early dialog can be taken only from who is called (section 3); from the softswitch nothing can.
    const early = end?.call.state.at === 'ringing' && end.party !== CALLER;
    if (end === undefined || lineOf(end) === undefined || !(up || early)) return void this.#refuse(taker, 481);
    if (up && name.earlyOnly) return void this.#refuse(taker, 486);
    await this.#enter(taker, end);
  }

  /** This phone sits down at a side of a call that nobody has; false where it cannot, and it is refused. */
  sitDown(taker: Taker, end: End): Promise<boolean> {
    return this.#enter(taker, end);
  }

  /** False too where the call went on, or somebody else took the side, while media were asked. */
  async #enter(taker: Taker, end: End): Promise<boolean> {
    const { state, handles } = end.call;
    const [at, there] = [state.at, handles.get(end.party)];
    if (taker.offer === undefined || taker.flow.local.host !== flowOf(end).local.host) return this.#refuse(taker, 488);
    const media = { call: end.call.id, leg: legAt(end), host: taker.flow.local.host, source: taker.flow.remote.host };
    const reply = await this.#anchor.answer(media, taker.offer);
    const sdp = 'failed' in reply ? undefined : reply.sdp;
    if (sdp === undefined) return this.#refuse(taker, 488);
    if (state.at !== at || handles.get(end.party) !== there) return this.#refuse(taker, 481);
    const to: Ring = { kind: 'phone', phone: { uri: taker.uri, flow: taker.flow, path: [] }, line: taker.line };
    if (at === 'up') this.#sit(end, taker, to, sdp);
    else this.#pick(end, taker, to);
    const contact = this.#sip.contact(taker.flow);
    this.#sip.act((endpoint, now, out) => endpoint.answer(taker.handle, { sdp, contact }, now, out));
    // Only now it has a dialog that can be kept.
    if (at === 'up') this.#calls.joined(end.call);
    return true;
  }

  /** The call rings no more anywhere else: this phone has answered it. */
  #pick({ call, party }: End, { handle, offer, line }: Taker, to: Ring): void {
    const rung = call.state.branches.get(party);
    if (rung === undefined || offer === undefined) return;
    call.state.branches.set(TAKEN, { leg: rung.leg, to, at: 'ringing' });
    if (call.inside !== undefined) call.inside = line;
    this.#calls.driver.bind(call, TAKEN, handle);
    this.#calls.driver.feed(call, { on: 'answered', branch: TAKEN, sdp: offer });
  }

  /** This phone sits where the other one was, which hears BYE. */
  #sit(end: End, { handle, flow }: Taker, to: Ring, sdp: string): void {
    const { driver } = this.#calls;
    const { call, party } = end;
    const old = driver.loosen(call, party);
    driver.bind(call, party, handle);
    call.versions.set(party, versionOf(sdp));
    seat(end, to, flow);
    call.state.sides.set(party, newSide());
    // Who was on hold is talked to again.
    const other = otherEnd(end).party;
    const side = call.state.sides.get(other);
    if (side !== undefined && side.told !== 'sendrecv') {
      side.wanted = 'sendrecv';
      driver.feed(call, { on: 'renew', party: other });
    }
    if (old !== undefined) this.#sip.act((endpoint, now, out) => endpoint.hangup(old, '', now, out));
  }

  /** By the tags as the other end of that dialog writes them, or as the phone itself does (it may have told them by the dialog event). */
  #find({ callId, toTag, fromTag }: DialogName): End | undefined {
    for (const call of this.#calls.driver.all()) {
      for (const [party, handle] of call.handles) {
        const id = this.#sip.endpoint.dialogId(handle);
        if (id?.callId !== callId) continue;
        const { localTag: ours, remoteTag: theirs } = id;
        if ((ours === toTag && isTag(fromTag, theirs)) || (ours === fromTag && isTag(toTag, theirs)))
          return { call, party };
      }
    }
    return undefined;
  }

  #refuse({ handle }: Taker, status: number): false {
    this.#sip.act((endpoint, now, out) => endpoint.reject(handle, status, {}, now, out));
    return false;
  }
}
