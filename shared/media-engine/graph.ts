/**
 * The graph of one thread: nodes, groups, ports, and the clock that drives them. It knows nothing of workers or the
 * virtual world; a driver calls `step` when `due` has come.
 */
import type { Address } from '#shared/kernel/world.ts';
import { EndpointNode } from './endpoint.ts';
import {
  type EndpointSpec,
  type EndpointStats,
  EngineError,
  type NodeInfo,
  type PlayerSpec,
  type RecorderSpec,
  type RemoteSpec,
} from './engine.ts';
import { type GraphHost, type GraphOptions, type GraphSocket, NODES, NODES_PER_GROUP } from './graph-host.ts';
import { type Ending, type GraphNode, Group, RoomNode } from './group.ts';
import { PlayerNode } from './player.ts';
import { PortRange } from './ports.ts';
import { RecorderNode } from './recorder.ts';
import { Sounds } from './sounds.ts';
import { Ticker } from './ticker.ts';

/** Every endpoint is looked after this often, ms. */
const CARE_EVERY = 1000;

/** A pair of ports is tried this often; other programs may hold some of the range. */
const BIND_TRIES = 50;

export class Graph {
  readonly #host: GraphHost;
  readonly #options: GraphOptions;
  readonly #ports: PortRange;
  readonly #sounds: Sounds;
  readonly #ticker = new Ticker();
  readonly #nodes = new Map<string, GraphNode>();
  readonly #groups = new Map<string, Group>();
  /** Nodes that are being made; the same command again waits for the same outcome. */
  readonly #making = new Map<string, Promise<GraphNode>>();
  readonly #epoch: number;
  #endpoints = 0;
  #nextCare = Number.POSITIVE_INFINITY;

  constructor(host: GraphHost, options: GraphOptions) {
    this.#host = host;
    this.#options = options;
    this.#ports = new PortRange(options.low, options.high);
    this.#sounds = new Sounds(host);
    this.#epoch = host.random32();
  }

  async endpoint(spec: EndpointSpec): Promise<{ readonly local: Address; readonly marked: boolean }> {
    const node = (await this.#make(spec.id, 'endpoint', spec.group, () => this.#bind(spec))) as EndpointNode;
    if (spec.move === true && node.local.host !== spec.host) await this.#move(node, spec.host);
    // Node's datagram sockets have no way to set the DSCP.
    return { local: node.local, marked: false };
  }

  async room(id: string, owner: string, group: string): Promise<void> {
    await this.#make(id, 'room', group, () => Promise.resolve(new RoomNode(id, owner, group)));
  }

  async player(spec: PlayerSpec): Promise<void> {
    await this.#make(spec.id, 'player', spec.group, async () => {
      return new PlayerNode(spec, await this.#sounds.samples(spec.source));
    });
  }

  async recorder(spec: RecorderSpec): Promise<void> {
    await this.#make(spec.id, 'recorder', spec.group, async () => {
      const file = await this.#host.create(spec.file).catch(() => undefined);
      if (file === undefined) throw new EngineError('bad_file', 'the file cannot be written');
      return new RecorderNode(spec, file);
    });
  }

  press(id: string, digits: string): void {
    const node = this.#find(id, 'endpoint') as EndpointNode;
    if (node.remote?.eventType === undefined || !node.ready) {
      throw new EngineError('no_events', 'the other side takes no telephone events');
    }
    node.press(digits);
    this.#changed(node.group);
  }

  remote(id: string, spec: RemoteSpec): void {
    const node = this.#find(id, 'endpoint') as EndpointNode;
    node.setRemote(spec, this.#host.mono());
    this.#changed(node.group);
  }

  start(id: string): void {
    const node = this.#find(id, 'player') as PlayerNode;
    node.start();
    this.#changed(node.group);
  }

  connect(from: string, to: string, connected: boolean): void {
    const source = this.#nodes.get(from);
    const sink = this.#nodes.get(to);
    if (source === undefined || sink === undefined) {
      if (!connected) return;
      throw new EngineError('unknown_node', 'one of the two nodes does not exist');
    }
    if (source.group !== sink.group) throw new EngineError('other_group', 'the nodes belong to different groups');
    const rooms = sink.kind === 'room' && source.kind === 'room';
    if (source.kind === 'recorder' || sink.kind === 'player' || rooms) {
      throw new EngineError('not_connectable', `sound cannot flow from a ${source.kind} to a ${sink.kind}`);
    }
    this.#groups.get(source.group)?.connect(source, sink, connected);
    this.#changed(source.group);
  }

  async release(id: string): Promise<void> {
    const making = this.#making.get(id);
    if (making !== undefined) await making.catch(() => undefined);
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    this.#nodes.delete(id);
    const group = this.#groups.get(node.group);
    group?.remove(node);
    if (node.kind === 'endpoint') {
      this.#endpoints--;
      node.close();
      this.#ports.give(node.local.port, this.#host.mono());
    }
    if (group !== undefined && group.nodes.size === 0) {
      this.#ticker.unplace(group);
      this.#groups.delete(group.name);
    }
    if (node.kind === 'recorder') await node.finish();
    this.#changed(node.group);
  }

  list(): NodeInfo[] {
    return [...this.#nodes.values()].map((node) => {
      const { id, kind, owner, group } = node;
      return node.kind === 'endpoint' ? { id, kind, owner, group, local: node.local } : { id, kind, owner, group };
    });
  }

  stats(id: string): EndpointStats | undefined {
    const node = this.#nodes.get(id);
    return node?.kind === 'endpoint' ? node.stats() : undefined;
  }

  /** Frees everything. */
  async close(): Promise<void> {
    for (const id of [...this.#making.keys(), ...this.#nodes.keys()]) await this.release(id);
  }

  /** The moment (mono, ms) at which `step` is wanted. */
  due(): number {
    return Math.min(this.#ticker.due(), this.#nextCare);
  }

  /** Sends what is due at `now`. */
  step(now: number): void {
    const ended: Ending[] = [];
    this.#ticker.run(now, (group, index) => group.tick(index, now, ended));
    for (const node of ended) {
      const { id, owner } = node;
      this.#host.event(
        node.kind === 'player'
          ? { on: 'player-ended', id, owner }
          : { on: 'recorder-ended', id, owner, failed: node.failed },
      );
      this.#changed(node.group);
    }
    if (now >= this.#nextCare) this.#care(now);
  }

  #care(now: number): void {
    this.#nextCare = this.#endpoints === 0 ? Number.POSITIVE_INFINITY : now + CARE_EVERY;
    for (const node of this.#nodes.values()) if (node.kind === 'endpoint') node.care(now);
    // What makes an endpoint ready may have come from the network: a learned port.
    for (const group of this.#groups.values()) this.#ticker.set(group, group.active, now);
  }

  #find(id: string, kind: GraphNode['kind']): GraphNode {
    const node = this.#nodes.get(id);
    if (node === undefined || node.kind !== kind) throw new EngineError('unknown_node', `there is no such ${kind}`);
    return node;
  }

  async #make(id: string, kind: GraphNode['kind'], group: string, build: () => Promise<GraphNode>): Promise<GraphNode> {
    const known = this.#nodes.get(id) ?? this.#making.get(id);
    if (known !== undefined) {
      const existing = await known;
      if (existing.kind !== kind || existing.group !== group) {
        throw new EngineError('other_group', 'a node of this id exists, of another kind or group');
      }
      return existing;
    }
    this.#checkLimits(group);
    const making = build().then((node) => this.#added(node));
    this.#making.set(id, making);
    try {
      return await making;
    } finally {
      this.#making.delete(id);
    }
  }

  #checkLimits(group: string): void {
    const perGroup = this.#options.nodesPerGroup ?? NODES_PER_GROUP;
    const all = this.#options.nodes ?? NODES;
    if (this.#nodes.size + this.#making.size >= all) {
      throw new EngineError('limit_reached', `the engine holds ${all} nodes already`);
    }
    if ((this.#groups.get(group)?.nodes.size ?? 0) >= perGroup) {
      throw new EngineError('limit_reached', `the group holds ${perGroup} nodes already`);
    }
  }

  #added(node: GraphNode): GraphNode {
    let group = this.#groups.get(node.group);
    if (group === undefined) {
      group = new Group(node.group, this.#ticker.place());
      this.#groups.set(node.group, group);
    }
    this.#nodes.set(node.id, node);
    group.add(node);
    if (node.kind === 'endpoint') {
      this.#endpoints++;
      if (!Number.isFinite(this.#nextCare)) this.#nextCare = this.#host.mono() + CARE_EVERY;
    }
    this.#changed(node.group);
    return node;
  }

  /** Makes an endpoint on a free pair of ports. */
  async #bind(spec: EndpointSpec): Promise<EndpointNode> {
    let node: EndpointNode | undefined;
    const sockets = await this.#sockets(spec.host, () => node);
    node = new EndpointNode(spec, this.#host, sockets, this.#epoch);
    return node;
  }

  /** Meanwhile it may be released, or be moved by somebody else. */
  async #move(node: EndpointNode, host: string): Promise<void> {
    const sockets = await this.#sockets(host, () => node);
    const gone = this.#nodes.get(node.id) !== node;
    if (gone || node.local.host === host) {
      sockets.rtp.close();
      sockets.rtcp.close();
      this.#ports.give(sockets.rtp.port, this.#host.mono());
      if (gone) throw new EngineError('unknown_node', 'the endpoint was released while it moved');
      return;
    }
    this.#ports.give(node.local.port, this.#host.mono());
    node.move({ host, port: sockets.rtp.port }, sockets);
  }

  /** Binds an even port for RTP and the next for RTCP. */
  async #sockets(
    host: string,
    owner: () => EndpointNode | undefined,
  ): Promise<{ readonly rtp: GraphSocket; readonly rtcp: GraphSocket }> {
    for (let i = 0; i < BIND_TRIES; i++) {
      const port = this.#ports.take(this.#host.mono());
      if (port === undefined) break;
      const sockets = await this.#pair(
        host,
        port,
        (data, from, fromPort) => {
          const node = owner();
          const wasReady = node?.ready;
          node?.onRtp(data, from, fromPort);
          if (node !== undefined && node.ready !== wasReady) this.#changed(node.group);
        },
        (data, from) => owner()?.onRtcp(data, from),
      ).catch((error: unknown) => {
        this.#ports.give(port, this.#host.mono());
        throw error;
      });
      if (sockets !== undefined) return sockets;
      this.#ports.give(port, this.#host.mono());
    }
    throw new EngineError('ports_exhausted', 'no pair of ports of the range is free');
  }

  async #pair(
    host: string,
    port: number,
    onRtp: (data: Uint8Array, host: string, port: number) => void,
    onRtcp: (data: Uint8Array, host: string) => void,
  ): Promise<{ rtp: GraphSocket; rtcp: GraphSocket } | undefined> {
    let rtp: GraphSocket | undefined;
    try {
      rtp = await this.#host.bind(host, port, onRtp);
      return { rtp, rtcp: await this.#host.bind(host, port + 1, onRtcp) };
    } catch (error) {
      rtp?.close();
      const { code } = error as { code?: unknown };
      if (code === 'EADDRINUSE') return undefined;
      if (code === 'EADDRNOTAVAIL') throw new EngineError('no_address', `${host} is no address of this machine`);
      if (code === 'EMFILE') throw new EngineError('limit_reached', 'this process may not open more sockets');
      throw error;
    }
  }

  #changed(name: string): void {
    const group = this.#groups.get(name);
    if (group !== undefined) this.#ticker.set(group, group.active, this.#host.mono());
    this.#host.wake();
  }
}
