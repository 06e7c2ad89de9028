/** SIP over UDP: sockets, and a flow per pair of addresses. */
import { plainAddress } from '#shared/kernel/address.ts';
import { oldestOf } from '#shared/kernel/oldest.ts';
import { type Address, NetError, type UdpSocket, type World } from '#shared/kernel/world.ts';
import type { Flow } from '../sip/types.ts';
import { URGENCIES, urgencyOf } from '../sip/urgency.ts';
import { ReadAhead } from './read-ahead.ts';
import { octetsToText } from './sip-connection.ts';
import { localFor } from './sip-local.ts';

/** UDP peers remembered at once; only our object is forgotten, nothing of the peer's. */
export const UDP_FLOWS = 20_000;

/** Places for flows that were used lately; a power of two. */
const RECENT = 256;

interface Datagram {
  readonly data: Uint8Array;
  readonly socket: UdpSocket;
  readonly from: Address;
}

export interface SipDatagramsOptions {
  readonly publicHost: string | undefined;
  /** Whether a datagram is wanted at all, asked as soon as it is read. */
  readonly admit: (data: Uint8Array, from: Address) => boolean;
  /** True for the Request-URI of a call for help. */
  readonly isHelp: (uri: string) => boolean;
  /** `waited`: ms for which it had to wait for others. */
  readonly onDatagram: (data: Uint8Array, socket: UdpSocket, from: Address, waited: number) => void;
  /** There was no room for one. */
  readonly onLost: () => void;
}

export class SipDatagrams {
  readonly #world: World;
  readonly #o: SipDatagramsOptions;
  readonly #ahead: ReadAhead<Datagram>;
  readonly #sockets: UdpSocket[] = [];
  /** By id, which begins with the number of the socket. */
  readonly #flows = new Map<string, Flow>();
  readonly #oldest = oldestOf(this.#flows);
  /** Flows by the port of their other end, the newest of those that share a place: most datagrams come from a peer that was heard just now. */
  readonly #recent: (Flow | undefined)[] = new Array(RECENT).fill(undefined);

  constructor(world: World, options: SipDatagramsOptions) {
    this.#world = world;
    this.#o = options;
    const { onDatagram, onLost, isHelp } = options;
    this.#ahead = new ReadAhead({
      now: () => world.clock.mono(),
      ranks: URGENCIES,
      place: ({ data }) => ({ rank: urgencyOf(octetsToText(data), isHelp), octets: data.length }),
      serve: ({ data, socket, from }, waited) => onDatagram(data, socket, from, waited),
      lost: onLost,
    });
  }

  async bind(at: Address): Promise<Address> {
    const socket: UdpSocket = await this.#world.net.udp({ host: at.host, port: at.port }, (data, from) => {
      if (!this.#o.admit(data, from)) return;
      if (socket.soon === undefined) this.#o.onDatagram(data, socket, from, 0);
      else this.#ahead.take({ data, socket, from }, socket.soon);
    });
    this.#sockets.push(socket);
    this.#tellRoom(socket);
    return socket.local;
  }

  /** What the machine grants too little of, somebody has to know. */
  #tellRoom({ room, local }: UdpSocket): void {
    if (room === undefined || room.granted >= room.wished) return;
    const advice = `sysctl -w net.core.rmem_max=${room.wished}`;
    this.#world.log.warn('sip.small-buffer', { port: local.port, ...room, advice });
  }

  /** The flow to a literal address over the first socket of its family, or of both; throws a NetError where none is bound. */
  flowTo(remote: Address): Flow {
    const six = remote.host.includes(':');
    const socket =
      this.#sockets.find((one) => one.local.host.includes(':') === six) ??
      this.#sockets.find((one) => one.local.host === '::');
    if (!socket) throw new NetError('EADDRNOTAVAIL', `no UDP socket of that family is bound for ${remote.host}`);
    return this.flow(socket, { host: plainAddress(remote.host), port: remote.port });
  }

  /** The flow between a socket of ours and an address. */
  flow(socket: UdpSocket, remote: Address): Flow {
    const place = remote.port & (RECENT - 1);
    const recent = this.#recent[place];
    if (recent?.remote.port === remote.port && recent.remote.host === remote.host && this.#sockets.length === 1)
      return recent;
    const flow = this.#find(socket, remote);
    this.#recent[place] = flow;
    return flow;
  }

  #find(socket: UdpSocket, remote: Address): Flow {
    const id = `udp${this.#sockets.indexOf(socket)}:${remote.host}:${remote.port}`;
    const known = this.#flows.get(id);
    if (known) return known;
    const local = localFor(this.#world.net, socket.local, remote.host, this.#o.publicHost);
    const { host, port } = remote;
    const flow: Flow = { id, protocol: 'udp', local, remote: { host, port }, peer: { kind: 'none' } };
    this.#flows.set(id, flow);
    const oldest = this.#flows.size > UDP_FLOWS ? this.#flows.get(this.#oldest() ?? '') : undefined;
    if (oldest !== undefined) this.#forget(oldest);
    return flow;
  }

  #forget(flow: Flow): void {
    this.#flows.delete(flow.id);
    const place = flow.remote.port & (RECENT - 1);
    if (this.#recent[place] === flow) this.#recent[place] = undefined;
  }

  /** One datagram to the flow's remote address, from the socket on which the flow began. */
  send(flow: Flow, data: Uint8Array): void {
    const number = this.#sockets.length === 1 ? 0 : Number(flow.id.slice(3, flow.id.indexOf(':')));
    this.#sockets[number]?.send(data, flow.remote);
  }

  async close(): Promise<void> {
    this.#ahead.close();
    await Promise.all(this.#sockets.map((socket) => socket.close()));
    this.#flows.clear();
    this.#recent.fill(undefined);
  }
}
