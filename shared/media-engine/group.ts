/**
 * The nodes of one session and who hears whom. After every change the plan is compiled anew: an endpoint whose only
 * source is an endpoint gets its packets at once (relay); one with a player, a room or several sources is mixed on the
 * 20 ms tick.
 */
import { duck, isSpeech, UNDUCKED } from '#shared/rtp/duck.ts';
import { add, addScaled, addSum, subtract } from '#shared/rtp/mix.ts';
import { FRAME } from '#shared/rtp/packet.ts';
import type { EndpointNode } from './endpoint.ts';
import type { PlayerNode } from './player.ts';
import type { RecorderNode } from './recorder.ts';

/** A room: the sum of what its sources say, music softer under speech; each of them hears it without itself. */
export class RoomNode {
  readonly kind = 'room';
  readonly id: string;
  readonly owner: string;
  readonly group: string;
  readonly sources = new Set<string>();
  readonly sinks = new Set<string>();
  readonly sum = new Int32Array(FRAME);
  /** Its sources, compiled: who speaks, and what plays. */
  voices: EndpointNode[] = [];
  music: PlayerNode[] = [];
  ducking = UNDUCKED;

  constructor(id: string, owner: string, group: string) {
    this.id = id;
    this.owner = owner;
    this.group = group;
  }
}

export type GraphNode = EndpointNode | RoomNode | PlayerNode | RecorderNode;
/** Nodes that came to their end by themselves. */
export type Ending = PlayerNode | RecorderNode;
type Sounding = EndpointNode | PlayerNode;

/** How one mixed endpoint hears: rooms (without itself where it is a member) and single nodes. */
interface Mixing {
  readonly endpoint: EndpointNode;
  readonly rooms: readonly { readonly room: RoomNode; readonly own: boolean }[];
  readonly direct: readonly Sounding[];
}

/** What a recorder hears. */
interface Taping {
  readonly recorder: RecorderNode;
  readonly rooms: readonly RoomNode[];
  readonly direct: readonly Sounding[];
}

/** Scratch of the thread: one mix at a time. */
const mixed = new Int32Array(FRAME);

export class Group {
  readonly name: string;
  /** Which of the four 5 ms sub-ticks is its own. */
  readonly phase: number;
  readonly nodes = new Map<string, GraphNode>();
  #takers: EndpointNode[] = [];
  #rooms: RoomNode[] = [];
  #players: PlayerNode[] = [];
  #mixings: Mixing[] = [];
  #tapings: Taping[] = [];
  #endpoints: EndpointNode[] = [];

  constructor(name: string, phase: number) {
    this.name = name;
    this.phase = phase;
  }

  /** True while something must happen on the tick: a player or recorder runs, a mixed endpoint can be sent to, digits wait. */
  get active(): boolean {
    return (
      this.#players.some((player) => player.running) ||
      this.#mixings.some((mixing) => mixing.endpoint.ready) ||
      this.#tapings.some((taping) => taping.recorder.running) ||
      this.#endpoints.some((endpoint) => endpoint.pressing)
    );
  }

  add(node: GraphNode): void {
    this.nodes.set(node.id, node);
    this.plan();
  }

  remove(node: GraphNode): void {
    this.nodes.delete(node.id);
    for (const other of this.nodes.values()) {
      other.sinks.delete(node.id);
      if (other.kind !== 'player') other.sources.delete(node.id);
    }
    this.plan();
  }

  /** Joins or parts two nodes of this group; `to` is no player, and not both are rooms. */
  connect(
    from: Exclude<GraphNode, RecorderNode>,
    to: EndpointNode | RoomNode | RecorderNode,
    connected: boolean,
  ): void {
    if (connected) {
      from.sinks.add(to.id);
      to.sources.add(from.id);
    } else {
      from.sinks.delete(to.id);
      to.sources.delete(from.id);
    }
    this.plan();
  }

  /** One frame of every node; players and recorders that came to their end go to `ended`. */
  tick(tick: number, now: number, ended: Ending[]): void {
    for (const player of this.#players) if (!player.fill()) ended.push(player);
    for (const endpoint of this.#endpoints) if (endpoint.pressing) endpoint.sendKey(now);
    for (const endpoint of this.#takers) endpoint.take();
    for (const room of this.#rooms) {
      room.sum.fill(0);
      for (const voice of room.voices) if (voice.live) add(room.sum, voice.pcm);
      if (room.music.some((player) => player.live)) this.#music(room);
    }
    for (const mixing of this.#mixings) if (mixing.endpoint.ready) this.#send(mixing, tick, now);
    for (const taping of this.#tapings) if (!this.#tape(taping)) ended.push(taping.recorder);
  }

  #music(room: RoomNode): void {
    room.ducking = duck(
      room.ducking,
      room.voices.some((voice) => voice.live && isSpeech(voice.pcm)),
    );
    for (const player of room.music) if (player.live) addScaled(room.sum, player.pcm, room.ducking.gain);
  }

  #tape({ recorder, rooms, direct }: Taping): boolean {
    mixed.fill(0);
    for (const room of rooms) addSum(mixed, room.sum);
    for (const source of direct) if (source.live) add(mixed, source.pcm);
    return recorder.take(mixed);
  }

  #send({ endpoint, rooms, direct }: Mixing, tick: number, now: number): void {
    mixed.fill(0);
    for (const { room, own } of rooms) {
      addSum(mixed, room.sum);
      if (own && endpoint.live) subtract(mixed, endpoint.pcm);
    }
    for (const source of direct) if (source.live) add(mixed, source.pcm);
    endpoint.sendFrame(mixed, tick, now);
  }

  /** Compiles sources and sinks into the lists that the tick walks. */
  plan(): void {
    this.#takers = [];
    this.#rooms = [];
    this.#players = [];
    this.#mixings = [];
    this.#tapings = [];
    const endpoints: EndpointNode[] = [];
    const recorders: RecorderNode[] = [];
    for (const node of this.nodes.values()) {
      if (node.kind === 'room') this.#rooms.push(node);
      else if (node.kind === 'player') this.#players.push(node);
      else if (node.kind === 'recorder') recorders.push(node);
      else endpoints.push(node);
    }
    this.#endpoints = endpoints;
    for (const room of this.#rooms) {
      const sources = this.#sounding(room.sources);
      room.voices = sources.filter((source) => source.kind === 'endpoint');
      room.music = sources.filter((source) => source.kind === 'player');
    }
    for (const endpoint of endpoints) {
      if (endpoint.sources.size > 0 && this.#relayOf(endpoint) === undefined)
        this.#mixings.push(this.#mixing(endpoint));
    }
    for (const recorder of recorders) {
      const direct = this.#sounding(recorder.sources);
      this.#tapings.push({ recorder, rooms: this.#rooms.filter((room) => recorder.sources.has(room.id)), direct });
    }
    for (const endpoint of endpoints) this.#planSource(endpoint);
  }

  #planSource(source: EndpointNode): void {
    source.relays = [];
    let feeds = false;
    for (const id of source.sinks) {
      const sink = this.nodes.get(id);
      if (sink?.kind === 'endpoint' && this.#relayOf(sink) === source) source.relays.push(sink);
      else if (sink !== undefined) feeds = true;
    }
    if (feeds && !source.feeds) source.restart();
    source.feeds = feeds;
    if (feeds) this.#takers.push(source);
    else source.live = false;
  }

  /** The endpoint whose packets this one gets unmixed. */
  #relayOf(endpoint: EndpointNode): EndpointNode | undefined {
    if (endpoint.sources.size !== 1) return undefined;
    for (const id of endpoint.sources) {
      const source = this.nodes.get(id);
      return source?.kind === 'endpoint' ? source : undefined;
    }
    return undefined;
  }

  #mixing(endpoint: EndpointNode): Mixing {
    const rooms: { room: RoomNode; own: boolean }[] = [];
    for (const id of endpoint.sources) {
      const room = this.nodes.get(id);
      if (room?.kind === 'room') rooms.push({ room, own: room.sources.has(endpoint.id) });
    }
    return { endpoint, rooms, direct: this.#sounding(endpoint.sources) };
  }

  #sounding(ids: ReadonlySet<string>): Sounding[] {
    const found: Sounding[] = [];
    for (const id of ids) {
      const node = this.nodes.get(id);
      if (node !== undefined && node.kind !== 'room' && node.kind !== 'recorder') found.push(node);
    }
    return found;
  }
}
