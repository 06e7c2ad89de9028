/**
 * Three parties by a code from a phone of the house, mixed here: the far sides of the line's two calls stay where they are, its phone
 * leaves both and sits down in the call that it dialled, and all three hear each other. The cloud goes on to hold what passes it, and is
 * told of the rest as ever: each call is one call to its end. Where both calls pass the cloud, the room is the cloud's. The talk goes on
 * over a restart of this process: who is in it is kept with each call, and the media engine, which mixes, lives on.
 */
import { CALLER } from '#shared/call/call.ts';
import { partable } from '#shared/call/call-part.ts';
import type { CallDriver, SipPort } from '#shared/host/call-driver.ts';
import type { Anchor } from '../media-relay/anchor.ts';
import { CALLER_LEG, type EdgeCall, type NamedLine, type Ring } from './edge-call.ts';
import { type End, isWhole, legAt, lineOf, otherEnd } from './end.ts';

/** What becomes of the code; `here`: the call is answered by `ThreeWay`. */
export type Together =
  | { readonly do: 'here' | 'cloud' }
  | { readonly do: 'refuse'; readonly status: number; readonly reason: string };

/** How many calls the code brings together. */
const TOGETHER = 2;
/** Milliseconds in which the phone has to be answered. */
const ANSWER_WITHIN = 5_000;

/** The ends of a line in its answered calls, each with somebody at the other end. `at`: the phone that asks. Pure. */
export function talksOf(calls: Iterable<EdgeCall>, line: string, at: Pick<EdgeCall, 'flow'>): End[] {
  const talks: End[] = [];
  for (const call of calls) {
    const ends = [CALLER, call.state.winner ?? ''].map((party) => ({ call, party }));
    if (call.state.at !== 'up' || !isWhole(call)) continue;
    const own = ends.filter((end) => lineOf(end)?.id === line);
    // Two phones of one line may talk to each other.
    const mine = own.find((end) => isAt(end, at)) ?? own[0];
    if (mine !== undefined) talks.push(mine);
  }
  return talks;
}

function isAt({ call, party }: End, { flow }: Pick<EdgeCall, 'flow'>): boolean {
  const to = call.state.branches.get(party)?.to;
  const own = party === CALLER ? call.flow : to?.kind === 'phone' ? to.phone.flow : undefined;
  return own?.id === flow.id;
}

/** Where these talks are brought together; `cloud`: the softswitch can be reached. Pure. */
export function placeOf(talks: readonly End[], cloud: boolean): Together {
  const far = talks.map(otherEnd);
  if (far.every((end) => lineOf(end) === undefined) && (cloud || talks.length === TOGETHER))
    return cloud ? { do: 'cloud' } : { do: 'refuse', status: 503, reason: 'server_unavailable' };
  // A call for help is nobody else’s.
  if (talks.some(({ call }) => call.help !== undefined)) return { do: 'refuse', status: 403, reason: 'forbidden' };
  if (talks.length !== TOGETHER || !talks.every(({ call }) => partable(call.state)))
    return { do: 'refuse', status: 491, reason: 'conflict' };
  return { do: 'here' };
}

export interface ThreeWayOptions {
  readonly sip: SipPort;
  readonly driver: () => CallDriver<Ring, EdgeCall>;
  readonly anchor: Anchor;
  /** There is a way to the softswitch. */
  readonly cloud: () => boolean;
  /** A call is part of a talk from now on: it is kept anew. */
  readonly keep: (call: EdgeCall) => void;
}

/** The calls of one talk, each with one side that talks in it. */
interface Talk {
  /** Stays over a restart, whoever leaves. */
  readonly name: string;
  readonly seats: Map<EdgeCall, End>;
}

export class ThreeWay {
  readonly #o: ThreeWayOptions;
  /** Phones that wait for their answer, with the talks that they bring together. */
  readonly #waiting = new Map<EdgeCall, readonly End[]>();
  readonly #talks = new Map<EdgeCall, Talk>();
  /** Talks of an earlier process by their names, while its calls are taken up. */
  readonly #before = new Map<string, Talk>();

  constructor(options: ThreeWayOptions) {
    this.#o = options;
  }

  /** A phone of that line dialled the code. */
  take(call: EdgeCall, line: NamedLine): Together {
    const { driver, cloud } = this.#o;
    const talks = talksOf(driver().all(), line.id, call);
    const place = placeOf(talks, cloud());
    if (place.do !== 'here') return place;
    this.#waiting.set(call, talks);
    driver().feed(call, { on: 'held', callerLeg: CALLER_LEG, limit: ANSWER_WITHIN });
    driver().feed(call, { on: 'admit' });
    return place;
  }

  /** The phone has its answer. */
  up(call: EdgeCall): void {
    const talks = this.#waiting.get(call);
    if (talks === undefined) return;
    this.#waiting.delete(call);
    const talk: Talk = { name: call.id, seats: new Map([[call, { call, party: CALLER }]]) };
    this.#talks.set(call, talk);
    const { driver } = this.#o;
    if (!talks.every((own) => isFree(own, this.#talks)))
      return void driver().feed(call, { on: 'close', reason: 'conflict' });
    for (const own of talks) {
      talk.seats.set(own.call, otherEnd(own));
      this.#talks.set(own.call, talk);
    }
    driver().later(this.#mix(talk, talks));
  }

  /** A call is over: the others go on while they are two. */
  over(call: EdgeCall): void {
    this.#waiting.delete(call);
    const seats = this.#talks.get(call)?.seats;
    if (seats === undefined) return;
    this.#talks.delete(call);
    // What was answered here without a second side is released here.
    if (seats.get(call)?.party === CALLER && call.state.winner === undefined)
      void this.#o.anchor.release(call.id, CALLER_LEG);
    seats.delete(call);
    const [last, ...more] = seats.keys();
    if (last !== undefined && more.length === 0) this.#o.driver().feed(last, { on: 'close', reason: 'hangup' });
  }

  /** The name of the talk that a call is part of. */
  nameOf(call: EdgeCall): string | undefined {
    return this.#talks.get(call)?.name;
  }

  /** A call of an earlier process, with the one side that it has, was part of the talk of that name. */
  restore(call: EdgeCall, name: string): void {
    const talk = this.#before.get(name) ?? { name, seats: new Map() };
    this.#before.set(name, talk);
    talk.seats.set(call, { call, party: call.state.winner ?? CALLER });
    this.#talks.set(call, talk);
  }

  /** All calls of the earlier process are there, or have ended since: the others go on while they are two. */
  begin(): void {
    const { driver } = this.#o;
    for (const talk of this.#before.values()) {
      const [last, ...more] = talk.seats.keys();
      if (last !== undefined && more.length === 0) driver().feed(last, { on: 'close', reason: 'hangup' });
      else driver().later(this.#join(talk));
    }
    this.#before.clear();
  }

  /** Those who ask leave their two calls; whoever is left hears each other. */
  async #mix(talk: Talk, talks: readonly End[]): Promise<void> {
    const { anchor, driver, keep, sip } = this.#o;
    for (const own of talks) {
      const left = driver().loosen(own.call, own.party);
      if (left !== undefined) sip.act((endpoint, now, out) => endpoint.hangup(left, '', now, out));
      const far = otherEnd(own);
      const side = own.call.state.sides.get(far.party);
      // Who was on hold is talked to again.
      if (side !== undefined && side.told !== 'sendrecv') driver().feed(own.call, { on: 'renew', party: far.party });
    }
    for (const call of talk.seats.keys()) keep(call);
    await Promise.all(talks.map((own) => anchor.release(own.call.id, legAt(own))));
    await this.#join(talk);
  }

  async #join({ seats }: Talk): Promise<void> {
    const ends = [...seats.values()].map((end) => ({ call: end.call.id, leg: legAt(end) }));
    for (const [n, end] of ends.entries()) for (const other of ends.slice(n + 1)) await this.#o.anchor.join(end, other);
  }
}

/** Both sides of that call are still there, and in no other talk. */
function isFree({ call, party }: End, talks: ReadonlyMap<EdgeCall, unknown>): boolean {
  return call.state.at === 'up' && isWhole(call) && call.handles.has(party) && !talks.has(call);
}
