/**
 * Transfers inside the house, without the cloud (RFC 3515, RFC 5589): a phone's REFER in a call with another phone of the house, or one
 * that joins two of its calls of which one stays in the house. Whoever is transferred gets a re-INVITE and goes on in the other call;
 * the other side of that hears nothing but the new voice.
 */
import { CALLER } from '#shared/call/call.ts';
import { adopt, partable } from '#shared/call/call-part.ts';
import { ELSEWHERE, HANGUP } from '#shared/call/outcome.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { SipAsks } from '#shared/host/sip-messaging.ts';
import { within } from '#shared/kernel/time.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { wantsPrivacy } from '#shared/sip/privacy.ts';
import { readRefer, referProgress, SIPFRAG } from '#shared/sip/refer.ts';
import { endsSubscription } from '#shared/sip/subscription-end.ts';
import type { CallHandle, EndpointOutput } from '#shared/sip/types.ts';
import { parseNameAddr, parseUri } from '#shared/sip/uri.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import type { EdgeCalls } from './calls.ts';
import { CALLEE_LEG, CALLER_LEG, type EdgeCall, type NamedLine } from './edge-call.ts';
import { type End, flowOf, isWhole, legAt, lineOf, otherEnd, ringOf, seat } from './end.ts';
import { Parking, type ParkingOptions } from './parking.ts';

/** Milliseconds that a phone may take to answer the re-INVITE that brings it into the other call. */
const RENEW_WITHIN = 8_000;
/** What the legs of a transferor end with. */
const TRANSFERRED = 'transferred';
/** What a call that rings for one ends with, where the caller has gone. */
const CANCELLED = 'cancelled';

interface Pending {
  /** The call with the transferor, and who is to go elsewhere. */
  readonly moved: End;
  readonly referrer: CallHandle;
  /** The REFER's number, where it was not the first in its dialog. */
  readonly id?: number | undefined;
  /** The transferor wants no news. */
  silent: boolean;
  /** The transferor hung up before the end: nobody is to be told. */
  gone: boolean;
  /** The other side, which then waits alone. */
  held?: CallHandle;
  /** Nobody came. */
  readonly failed?: () => void;
}

export class HouseTransfers {
  readonly #sip: SipPort;
  readonly #clock: Clock;
  readonly #calls: EdgeCalls;
  readonly #anchor: Anchor;
  /** By the handle of the dialog in which REFER came. */
  readonly #pending = new Map<CallHandle, Pending>();
  /** Dialogs in which a REFER came. */
  readonly #again = new Set<CallHandle>();
  readonly #asks: SipAsks;
  readonly parking: Parking;
  /** Calls that ring somebody for a transfer. */
  readonly #ringing = new Map<EdgeCall, Pending>();

  readonly #withholds: (line: NamedLine) => boolean;

  /** `keep` writes a call down that is parked from now on; `withholds`: the line's number is for nobody. */
  constructor(
    sip: SipPort,
    clock: Clock,
    calls: EdgeCalls,
    anchor: Anchor,
    {
      replaces,
      music,
      keep,
      withholds,
    }: Pick<ParkingOptions, 'replaces' | 'music' | 'keep'> & { readonly withholds: (line: NamedLine) => boolean },
  ) {
    this.#withholds = withholds;
    this.#asks = new SipAsks(sip);
    const ringBack: ParkingOptions['ringBack'] = (end, line, failed) => this.#ringBack(end, line, failed);
    this.parking = new Parking({
      ...{ sip, clock, anchor, replaces, music, ringBack, keep },
      driver: () => calls.driver,
    });
    this.#sip = sip;
    this.#clock = clock;
    this.#calls = calls;
    this.#anchor = anchor;
  }

  /** True for the news of a NOTIFY that was sent here. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.#asks.take(output);
  }

  /** The number under which what comes of a REFER is told (RFC 3515 section 2.4.6); undefined for the first in its dialog. */
  numberOf(handle: CallHandle, { cseq }: SipMessage): number | undefined {
    if (this.#again.has(handle)) return cseq.n;
    this.#again.add(handle);
    return undefined;
  }

  /** The transfer in the house of which that dialog is told. */
  toldIn(handle: CallHandle): { readonly id: number | undefined } | undefined {
    const pending = this.#pending.get(handle);
    return pending === undefined || pending.silent || pending.gone ? undefined : { id: pending.id };
  }

  /** The transferor has asked for news anew, or for no more of it. */
  renewed(handle: CallHandle, state: string): void {
    const pending = this.#pending.get(handle);
    if (pending === undefined) return;
    this.#tell(pending, 100, state);
    if (state.startsWith('terminated')) pending.silent = true;
  }

  /** The status for a REFER in an established call, whose news has that number; undefined where it is the softswitch's business. */
  take(handle: CallHandle, message: SipMessage, from: End, id?: number): number | undefined {
    const { call } = from;
    const parked = this.parking.park(handle, message, from, id);
    if (parked !== undefined) return parked;
    const moved = otherEnd(from);
    const asked = readRefer(message);
    if ('refuse' in asked) return asked.refuse;
    // Only calls that are up are joined.
    if (asked.replaces?.earlyOnly === true) return 486;
    const far = asked.replaces === undefined ? undefined : this.#named(asked.replaces);
    const outside = lineOf(moved) === undefined;
    // The softswitch knows both dialogs, or finds the number.
    if (outside && (far === undefined || lineOf(otherEnd(far)) === undefined)) return undefined;
    if (asked.replaces !== undefined && (far === undefined || far.call === call)) return 603;
    if (far !== undefined && lineOf(far)?.id !== lineOf(from)?.id) return 403;
    if (this.#pending.has(handle) || !mayMove(call)) return 491;
    const { silent } = asked;
    const pending: Pending = { moved, referrer: handle, id, silent, gone: false };
    if (far === undefined) return this.#blind(pending, asked.uri, from, wantsPrivacy(message));
    if (!mayMove(far.call)) return 491;
    this.#begin(pending, () => this.#join(pending, far));
    return 202;
  }

  /** After the answer to REFER has gone out. */
  #begin(pending: Pending, run: () => Promise<void>): void {
    this.#pending.set(pending.referrer, pending);
    this.#clock.at(this.#clock.mono(), () => {
      this.#tell(pending, 100);
      this.#calls.driver.later(run());
    });
  }

  #blind(pending: Pending, uri: string, from: End, hidden: boolean): number {
    const dialled = parseUri(uri)?.user;
    const line = lineOf(pending.moved);
    // Neither 404 nor 481: they would speak of the call that REFER came in (RFC 5057 section 5.1).
    if (dialled === undefined || line === undefined) return 603;
    const branches = this.#calls.waysTo(dialled, line, flowOf(from));
    if (branches.length === 0) return 603;
    const by = hidden || this.#withheld(from) ? undefined : lineOf(from)?.number;
    this.#begin(pending, async () => {
      // Who was to be transferred has hung up meanwhile.
      if (!isWaiting(pending)) return this.#failed(pending, 480);
      const told = { ...this.#shows(pending.moved), ...(by === undefined ? {} : { referredBy: by }) };
      const call = this.#calls.openFor({ from: line, flow: flowOf(pending.moved), dialled, ...told }, branches);
      this.#ringing.set(call, pending);
    });
    return 202;
  }

  /** Whether who sits there is not to be named to others: as its line wants, or as it called. */
  #withheld(end: End): boolean {
    const line = lineOf(end);
    return (end.party === CALLER && end.call.hidden === true) || (line !== undefined && this.#withholds(line));
  }

  /** Who is given to another party shows there as it did here (RFC 3892 section 2.2). */
  #shows(moved: End): { readonly hidden?: true } {
    return this.#withheld(moved) ? { hidden: true } : {};
  }

  /**
   * Nobody fetched a parked call: the phones of the line ring that parked it, and the waiting side is given to whoever answers. What it
   * gives stops that.
   */
  #ringBack(end: End, line: NamedLine, failed: () => void): () => void {
    const moved = otherEnd(end);
    const own = lineOf(moved);
    const flow = flowOf(moved);
    const branches = this.#calls.branches({ flow }, [line], 'p');
    if (branches.length === 0) {
      failed();
      return () => {};
    }
    const number = parseUri(parseNameAddr(moved.call.shown)?.uri ?? '')?.user ?? '';
    const call = this.#calls.openFor(
      { from: own ?? { id: '', number }, flow, dialled: line.number, ...this.#shows(moved) },
      branches,
    );
    // The cloud knows of its own calls.
    if (own === undefined) delete call.inside;
    this.#ringing.set(call, { moved, referrer: `parked ${call.id}`, silent: true, gone: true, failed });
    return () => {
      if (this.#ringing.delete(call)) this.#stopRinging(call, ELSEWHERE);
    };
  }

  #stopRinging(call: EdgeCall, reason: string): void {
    void this.#anchor.release(call.id, CALLEE_LEG);
    this.#calls.driver.feed(call, { on: 'close', reason });
  }

  /** A call is up: the one that was rung for a transfer takes in who is transferred. */
  up(call: EdgeCall): void {
    const pending = this.#ringing.get(call);
    if (pending === undefined) return;
    this.#ringing.delete(call);
    adopt(call.state, CALLER_LEG);
    this.#calls.driver.later(this.#join(pending, { call, party: CALLER }));
  }

  /** A call is over: who would be transferred from it is, or nobody came for the transfer, and its sides go on as they were. */
  over(call: EdgeCall): void {
    this.parking.over(call);
    for (const [rung, pending] of this.#ringing)
      if (pending.moved.call === call && pending.held === undefined) this.#abandon(rung, pending);
    const pending = this.#ringing.get(call);
    if (pending === undefined) return;
    this.#ringing.delete(call);
    void this.#anchor.release(call.id, CALLEE_LEG);
    this.#failed(pending, call.state.best ?? 480);
  }

  /** A side hung up: a transferor that does so early leaves the other side waiting for the outcome. */
  left(handle: CallHandle): void {
    this.#again.delete(handle);
    for (const [rung, pending] of this.#ringing) if (pending.held === handle) this.#abandon(rung, pending);
    for (const pending of this.#pending.values()) if (pending.held === handle) delete pending.held;
    const pending = this.#pending.get(handle);
    if (pending === undefined || pending.gone) return;
    pending.gone = true;
    const held = this.#calls.driver.loosen(pending.moved.call, pending.moved.party);
    if (held !== undefined) pending.held = held;
  }

  /** Who waits for somebody who rings has hung up: nobody is to answer to nobody. */
  #abandon(rung: EdgeCall, pending: Pending): void {
    this.#ringing.delete(rung);
    delete pending.held;
    this.#tell(pending, 480);
    this.#pending.delete(pending.referrer);
    this.#stopRinging(rung, CANCELLED);
  }

  /** The side that is transferred takes the place of `far` (the transferor's, or nobody's yet) in the other call. */
  async #join(pending: Pending, far: End): Promise<void> {
    const { moved } = pending;
    const { driver } = this.#calls;
    const old = far.call.handles.get(far.party);
    const handle = pending.held ?? driver.loosen(moved.call, moved.party);
    if (handle === undefined) return this.#failed(pending, 480, old === undefined ? far.call : undefined);
    delete pending.held;
    const leg = legAt(far);
    const before = {
      ring: ringOf(far, this.#sip),
      flow: flowOf(far),
      id: this.#anchor.idOf({ call: far.call.id, leg }),
    };
    const after = { ring: ringOf(moved, this.#sip), flow: flowOf(moved) };
    if (before.flow.local.host !== after.flow.local.host) await this.#anchor.release(far.call.id, leg);
    driver.loosen(far.call, far.party);
    driver.bind(far.call, far.party, handle);
    far.call.versions.set(far.party, moved.call.versions.get(moved.party) ?? 1);
    this.#anchor.restore({ call: far.call.id, leg }, this.#anchor.idOf({ call: moved.call.id, leg: legAt(moved) }));
    seat(far, after.ring, after.flow);
    const taken = await within(this.#clock, RENEW_WITHIN, this.#calls.renew(far.call, far.party), false);
    if (taken) return this.#done(pending, far, old);
    if (far.call.state.at !== 'up') return this.#lost(pending, old);
    if (far.call.handles.get(far.party) === handle) driver.loosen(far.call, far.party);
    if (old !== undefined) {
      this.#anchor.restore({ call: far.call.id, leg }, before.id);
      seat(far, before.ring, before.flow);
      driver.bind(far.call, far.party, old);
    }
    if (!pending.gone && moved.call.state.at === 'up') driver.bind(moved.call, moved.party, handle);
    else this.#hangUp(handle);
    this.#failed(pending, 488, old === undefined ? far.call : undefined);
  }

  /** The other call ended meanwhile, and with it the side that had just come: the transferor is alone in both. */
  #lost(pending: Pending, old: CallHandle | undefined): void {
    this.#failed(pending, 480);
    if (old !== undefined) this.#hangUp(old);
    this.#calls.driver.feed(pending.moved.call, { on: 'close', reason: HANGUP });
  }

  async #done(pending: Pending, far: End, old: CallHandle | undefined): Promise<void> {
    await this.#calls.sound(far.call, CALLER_LEG, CALLEE_LEG);
    this.#calls.joined(far.call);
    this.#tell(pending, 200);
    this.#pending.delete(pending.referrer);
    if (old !== undefined) this.#hangUp(old);
    this.#calls.driver.feed(pending.moved.call, { on: 'close', reason: TRANSFERRED });
  }

  /** Nothing came of it; `rung` is a call that has no other side now. */
  #failed(pending: Pending, status: number, rung?: EdgeCall): void {
    this.#tell(pending, status);
    this.#pending.delete(pending.referrer);
    if (rung !== undefined) this.#calls.driver.feed(rung, { on: 'close', reason: 'callee_offline' });
    if (pending.held !== undefined) this.#hangUp(pending.held);
    pending.failed?.();
  }

  #hangUp(handle: CallHandle): void {
    this.#sip.act((endpoint, now, out) => endpoint.hangup(handle, '', now, out));
  }

  #tell(pending: Pending, status: number, state?: string): void {
    if (pending.silent || pending.gone) return;
    const { headers, body } = referProgress(status, pending.id, state);
    const news = { headers, body, contentType: SIPFRAG };
    const { referrer } = pending;
    const sent = this.#asks.send((endpoint, now, out) => endpoint.requestInDialog(referrer, 'NOTIFY', news, now, out));
    void sent.then((answer) => {
      if (endsSubscription(answer.status)) pending.silent = true;
    });
  }

  /** The transferor's own end of the call that Replaces names. */
  #named({ callId, toTag, fromTag }: { callId: string; toTag: string; fromTag: string }): End | undefined {
    for (const call of this.#calls.driver.all()) {
      for (const [party, handle] of call.state.at === 'up' ? call.handles : []) {
        const id = this.#sip.endpoint.dialogId(handle);
        if (id?.callId === callId && id.localTag === toTag && id.remoteTag === fromTag) return { call, party };
      }
    }
    return undefined;
  }
}

/** Nothing of the call is under way, and both its sides are there: who talks with two others is not replaced by anybody. */
const mayMove = (call: EdgeCall): boolean => partable(call.state) && isWhole(call);

/** Whether somebody is still there to be transferred. */
const isWaiting = ({ moved, held }: Pending): boolean =>
  held !== undefined || (moved.call.state.at === 'up' && moved.call.handles.has(moved.party));
