/**
 * Calls that are parked in the house: the side of who parked it is empty, the other side hears a tone. A phone of the house that dials the
 * place takes the empty side; where none does in time, those of the line that parked it ring.
 */
import { CALLER, type Party } from '#shared/call/call.ts';
import { partable } from '#shared/call/call-part.ts';
import { fetched, freePlace, PARKED_FOR, readPlace } from '#shared/call/features/parking.ts';
import type { CallDriver, SipPort } from '#shared/host/call-driver.ts';
import type { Clock, Timer } from '#shared/kernel/world.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { readRefer, referProgress, SIPFRAG } from '#shared/sip/refer.ts';
import type { CallHandle } from '#shared/sip/types.ts';
import { parseUri } from '#shared/sip/uri.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import type { EdgeCall, NamedLine, Ring } from './edge-call.ts';
import { type End, legAt, lineOf, otherEnd } from './end.ts';
import type { HoldMusic } from './hold-music.ts';
import type { HouseReplaces } from './house-replaces.ts';

const TONE = 'parked';

/** A parked call, as its record on the disk says. */
export interface KeptParked {
  readonly place: number;
  /** Wall clock, ms. */
  readonly since: number;
  /** The empty side, and the line of who left it. */
  readonly party: Party;
  readonly line: NamedLine;
}

interface Parked {
  readonly place: number;
  /** Monotonic, ms. */
  readonly since: number;
  /** The empty side, and the line of who left it. */
  readonly end: End;
  readonly line: NamedLine;
  timer: Timer;
  /** Somebody is just taking it. */
  taking: boolean;
  /** Stops the phones that ring since nobody fetched it. */
  quiet?: () => void;
}

export interface ParkingOptions {
  readonly sip: SipPort;
  readonly clock: Clock;
  readonly driver: () => CallDriver<Ring, EdgeCall>;
  readonly anchor: Anchor;
  readonly music: HoldMusic;
  readonly replaces: HouseReplaces;
  /** Rings the line and gives the other side to it; `failed` where nobody comes. What it gives stops the ringing, without a word to `failed`. */
  readonly ringBack: (end: End, line: NamedLine, failed: () => void) => () => void;
  /** Writes the call down while both sides are there. */
  readonly keep: (call: EdgeCall, parked: KeptParked) => void;
}

export class Parking {
  readonly #o: ParkingOptions;
  readonly #parked = new Map<EdgeCall, Parked>();

  constructor(options: ParkingOptions) {
    this.#o = options;
  }

  /** The status for a REFER that parks the other side; undefined where it is about something else. */
  park(handle: CallHandle, message: SipMessage, end: End, id?: number): number | undefined {
    const asked = readRefer(message);
    const line = lineOf(end);
    if ('refuse' in asked || asked.replaces !== undefined || line === undefined) return undefined;
    const wanted = readPlace(parseUri(asked.uri)?.user ?? '');
    if (wanted === undefined) return undefined;
    if (!partable(end.call.state) || this.#parked.has(end.call)) return 491;
    const place = freePlace(new Set([...this.#parked.values()].map((one) => one.place)), wanted);
    if (place === undefined) return 486;
    const { clock, driver } = this.#o;
    // After the answer to REFER has gone out.
    const timer = clock.at(clock.mono(), () =>
      driver().later(this.#leave(end.call, handle, asked.silent ? undefined : referProgress(200, id))),
    );
    this.#parked.set(end.call, { place, since: clock.mono(), end, line, timer, taking: false });
    return 202;
  }

  /** A phone of the house dials a place; false where nobody waits there. */
  fetch(call: EdgeCall, from: NamedLine): boolean {
    const wanted = readPlace(call.dialled);
    const { offer } = call.state;
    const waiting = [...this.#parked.values()].filter(
      ({ end, taking }) => !taking && !end.call.handles.has(end.party) && end.call.handles.has(otherEnd(end).party),
    );
    const found = wanted === undefined ? undefined : fetched(waiting, wanted);
    if (found === undefined || offer === undefined || call.contact === undefined) return false;
    const { driver, replaces } = this.#o;
    const handle = driver().loosen(call, CALLER);
    driver().feed(call, { on: 'refused', status: 404, reason: 'callee_unknown' });
    if (handle === undefined) return true;
    found.taking = true;
    const rang = found.quiet;
    rang?.();
    delete found.quiet;
    const taker = { handle, flow: call.flow, line: from, uri: call.contact, offer };
    const seated = replaces.sitDown(taker, found.end).then((done) => {
      found.taking = false;
      if (done) this.over(found.end.call);
      else if (rang !== undefined) this.#back(found);
    });
    driver().later(seated);
    return true;
  }

  /** A call that an earlier process parked: its empty side is empty, and the tone goes on. */
  restore(call: EdgeCall, { place, since, party, line }: KeptParked): void {
    const { clock } = this.#o;
    const waited = Math.min(Math.max(0, clock.wall() - since), PARKED_FOR);
    const from = clock.mono() - waited;
    const end = { call, party };
    const parked: Parked = {
      place,
      since: from,
      end,
      line,
      timer: clock.at(from + PARKED_FOR, () => this.#back(parked)),
      taking: false,
    };
    this.#parked.set(call, parked);
  }

  /** The call has ended, or is parked no more. */
  over(call: EdgeCall): void {
    const parked = this.#parked.get(call);
    if (parked === undefined) return;
    parked.timer.cancel();
    this.#parked.delete(call);
    void this.#o.anchor.release(call.id, TONE);
  }

  /** Nobody is rung back any more; a later process sees to that. */
  stop(): void {
    for (const { timer } of this.#parked.values()) timer.cancel();
  }

  /** Who parked it hears that it is done, and is out. */
  async #leave(
    call: EdgeCall,
    referrer: CallHandle,
    news: ReturnType<typeof referProgress> | undefined,
  ): Promise<void> {
    const { sip, clock, driver, anchor } = this.#o;
    const parked = this.#parked.get(call);
    if (parked === undefined || call.state.at !== 'up') return;
    const progress = news && { ...news, contentType: SIPFRAG };
    if (progress !== undefined)
      sip.act((endpoint, now, out) => void endpoint.requestInDialog(referrer, 'NOTIFY', progress, now, out));
    const { place, end, line } = parked;
    this.#o.keep(call, { place, since: clock.wall(), party: end.party, line: { id: line.id, number: line.number } });
    const left = driver().loosen(call, parked.end.party);
    if (left !== undefined) sip.act((endpoint, now, out) => endpoint.hangup(left, '', now, out));
    parked.timer = clock.at(clock.mono() + PARKED_FOR, () => this.#back(parked));
    // Most phones hold before they park.
    this.#o.music.end(call);
    await anchor.play(call.id, TONE, 'ringback', legAt(otherEnd(parked.end)), () => this.#parked.get(call) === parked);
  }

  #back(parked: Parked): void {
    const { end, line } = parked;
    if (parked.taking || this.#parked.get(end.call) !== parked) return;
    parked.quiet = this.#o.ringBack(end, line, () => {
      if (this.#parked.get(end.call) === parked) this.#o.driver().feed(end.call, { on: 'close', reason: 'no_answer' });
    });
  }
}
