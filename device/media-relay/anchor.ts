/**
 * Anchors calls' media on the gateway: every leg of a call ends at an endpoint of the media engine, on the LAN side for a phone
 * and on the WAN side for the softswitch. SDP of one side never reaches the other.
 */
import type { Random } from '#shared/kernel/world.ts';
import type { MediaEngine, ToneName } from '#shared/media-engine/engine.ts';
import { EngineError } from '#shared/media-engine/engine.ts';
import { answerLike, offerLike, readEnd } from '#shared/sip/fax.ts';

/**
 * All ends of a gateway are of one group of the engine: calls of the house may be brought together at any time. They share one worker
 * then, which carries many more than a house has.
 */
export const GROUP = 'house';

/** Linear: the melody is made for listeners, and here somebody waits. */
const SOFTLY = 0.5;

/** One end of a call's media. */
export interface Anchored {
  readonly call: string;
  /** Name of the end within its call. */
  readonly leg: string;
  /** Our address on the side of this end. */
  readonly host: string;
  /** The only address from which RTP is taken; absent: the one that the SDP names. */
  readonly source?: string;
}

export type AnchorReply = { readonly sdp?: string } | { readonly failed: number };

export class Anchor {
  readonly #engine: MediaEngine;
  readonly #random: Random;
  /** `o=` session ids by node. */
  readonly #ids = new Map<string, number>();

  constructor(engine: MediaEngine, random: Random) {
    this.#engine = engine;
    this.#random = random;
  }

  /** Our offer towards an end; `like`: what the other side of its call offers. */
  async offer(end: Anchored, like?: string): Promise<AnchorReply> {
    const sessionId = this.#idOf(end);
    return this.#try(async () => {
      const { local } = await this.#endpoint(end);
      return { sdp: offerLike(like, { address: { host: end.host, port: local.port }, sessionId }) };
    });
  }

  /** Takes an end's offer and gives our answer; 488 where no codec is shared. */
  async answer(end: Anchored, offer: string, like?: string): Promise<AnchorReply> {
    const sessionId = this.#idOf(end);
    return this.#try(async () => {
      const { local } = await this.#endpoint(end);
      const answer = answerLike(offer, like, { address: { host: end.host, port: local.port }, sessionId });
      if (answer === undefined || !(await this.#remote(end, offer, like))) return { failed: 488 };
      return { sdp: answer };
    });
  }

  /** Takes an end's answer to our offer. */
  async accept(end: Anchored, answer: string): Promise<AnchorReply> {
    return this.#try(
      async (): Promise<AnchorReply> => ((await this.#remote(end, answer, answer)) ? {} : { failed: 488 }),
    );
  }

  /** The session id that our descriptions of an end carry (RFC 4566 section 5.2), to be kept over a restart. */
  idOf(end: Pick<Anchored, 'call' | 'leg'>): number {
    return this.#idOf(end);
  }

  /** Takes up an end that an earlier process had: its descriptions go on under that id. */
  restore({ call, leg }: Pick<Anchored, 'call' | 'leg'>, id: number): void {
    this.#ids.set(nodeOf(call, leg), id);
  }

  /** The ends that the engine still has; all others of an earlier process are freed. `mine` is whether a call is known. */
  async alive(mine: (call: string) => boolean): Promise<ReadonlySet<string>> {
    const alive = new Set<string>();
    try {
      for (const { id, owner } of await this.#engine.list()) {
        if (mine(owner.slice(0, owner.lastIndexOf('/')))) alive.add(id);
        else await this.#engine.release(id);
      }
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
    return alive;
  }

  /** Lets sound flow from one end of a call to another. */
  connect(call: string, from: string, to: string): Promise<void> {
    return this.#link(nodeOf(call, from), nodeOf(call, to));
  }

  /** Lets both sides of a call hear each other; asked for in one go, so that no release can come between. Rejects with an EngineError. */
  async pair(call: string, a: string, b: string): Promise<void> {
    await Promise.all([this.connect(call, a, b), this.connect(call, b, a)]);
  }

  /** Lets two ends hear each other, of whatever calls they are; one that has just gone hears nobody. Rejects with an EngineError. */
  async join(a: Pick<Anchored, 'call' | 'leg'>, b: Pick<Anchored, 'call' | 'leg'>): Promise<void> {
    const [one, other] = [nodeOf(a.call, a.leg), nodeOf(b.call, b.leg)];
    try {
      await Promise.all([this.#link(one, other), this.#link(other, one)]);
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'unknown_node') throw error;
    }
  }

  #link(from: string, to: string): Promise<void> {
    return this.#engine.connect(from, to, true);
  }

  /**
   * Plays a tone to an end, over and over, under a name of its own in the call, until that is released. `still`: whether it is wanted
   * once it could begin; whoever no longer wants it has released both.
   */
  async play(call: string, name: string, tone: ToneName, to: string, still: () => boolean): Promise<void> {
    const id = nodeOf(call, name);
    const gain = tone === 'music' ? SOFTLY : 1;
    await this.#engine.player({ id, owner: `${call}/${name}`, group: GROUP, source: { tone }, loop: true, gain });
    if (still()) await Promise.all([this.connect(call, name, to), this.#engine.start(id)]);
  }

  /** One end of a call no longer hears another. */
  part(call: string, from: string, to: string): Promise<void> {
    return this.#engine.connect(nodeOf(call, from), nodeOf(call, to), false);
  }

  /** Frees an end. Where the engine itself is gone there is nothing left to free. */
  async release(call: string, leg: string): Promise<void> {
    this.#ids.delete(nodeOf(call, leg));
    try {
      await this.#engine.release(nodeOf(call, leg));
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
    }
  }

  #endpoint({ call, leg, host }: Anchored) {
    return this.#engine.endpoint({ id: nodeOf(call, leg), owner: `${call}/${leg}`, group: GROUP, host, move: true });
  }

  async #remote(end: Anchored, sdp: string, like: string | undefined): Promise<boolean> {
    const remote = readEnd(sdp, like);
    if (remote === undefined) return false;
    const { address, codec, payloadType, eventType, sends, receives, opaque } = remote;
    await this.#engine.remote(nodeOf(end.call, end.leg), {
      ...(receives ? { address } : {}),
      codec,
      payloadType,
      ...(eventType === undefined ? {} : { eventType }),
      sends,
      receives,
      ...(opaque === undefined ? {} : { opaque }),
      accept: { address: end.source ?? address.host },
    });
    return true;
  }

  #idOf({ call, leg }: Pick<Anchored, 'call' | 'leg'>): number {
    const node = nodeOf(call, leg);
    const known = this.#ids.get(node);
    if (known !== undefined) return known;
    const id = Math.floor(this.#random.fraction() * 2 ** 40);
    this.#ids.set(node, id);
    return id;
  }

  async #try(work: () => Promise<AnchorReply>): Promise<AnchorReply> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof EngineError) return { failed: 503 };
      throw error;
    }
  }
}

/** Name of an end in the engine. */
export const nodeOf = (call: string, leg: string): string => `${call}.${leg}`;
