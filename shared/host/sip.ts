/**
 * SIP on the wire: listeners, connections and datagrams of a World around a pure endpoint (`shared/sip`). It feeds the endpoint what
 * comes, wakes it at its deadlines, sends what it wants sent and hands everything else to `onOutput`.
 */
import {
  type Address,
  type Listener,
  NetError,
  type Stream,
  type Timer,
  type TlsServerOptions,
  type UdpSocket,
  type World,
} from '#shared/kernel/world.ts';
import type { Framing } from '../sip/framing.ts';
import type { SipMessage } from '../sip/message.ts';
import { answerStun } from '../sip/stun.ts';
import type { EndpointOutput, Flow, SipEndpoint, SipProtocol } from '../sip/types.ts';
import { write } from '../sip/write.ts';
import { Aliases } from './sip-alias.ts';
import { octetsToText, SipConnection, textToOctets } from './sip-connection.ts';
import { SipDatagrams } from './sip-datagrams.ts';
import { SIP_LIMITS, SipGuard, type SipLimits } from './sip-guard.ts';
import { aimsAt, CONNECT_WITHIN, LargeRequests } from './sip-large.ts';
import type { BindOptions, Bound, FlowOptions, SipCounts, WebSocketAddress } from './sip-options.ts';
import { isProven, makeRoom } from './sip-room.ts';
import { openWebSocket } from './sip-web-socket.ts';

export type * from './sip-options.ts';

/** The largest message over UDP, either way, octets; larger ones are dropped. */
export const DATAGRAM_LIMIT = 65_000;
/** Deadlines are met on this grid, ms, so that many timers share one wake-up. */
const GRID = 20;

export type UserOutput = Exclude<EndpointOutput, { readonly do: 'send' }>;

export interface SipTransportOptions {
  readonly endpoint: SipEndpoint;
  /** Everything that the endpoint's user has to know, in order. It may call `act`. */
  onOutput(output: UserOutput): void;
  /** A new connection, in or out; false closes it before anything is read (an untrusted certificate, say). */
  accept?(flow: Flow): boolean;
  /** Called once per connection that was accepted, after the endpoint was told. */
  onFlowClosed?(flow: Flow, why: string): void;
  /**
   * Whether requests too large for a datagram may go to this UDP peer over TCP (RFC 3261 section 18.1.1); undefined: where the request
   * names the peer's very address.
   */
  largeByTcp?(flow: Flow): boolean | undefined;
  /** Sends over a flow of another process; false where it is none. */
  relay?(flow: Flow, text: string): boolean;
  /** Every message as it goes over the wire; the octets are good while it is told. */
  trace?(direction: 'in' | 'out', flow: Flow, text: string, octets: Uint8Array): void;
  /** The host that Via names where a socket is bound to all addresses; default: the address that fits the peer. */
  readonly publicHost?: string;
  /** True for the Request-URI of a call for help: where datagrams have to wait, such a one waits for nobody. Default: there is none. */
  isHelp?(uri: string): boolean;
  readonly limits?: Partial<SipLimits>;
}

export class SipTransport {
  readonly #world: World;
  readonly #options: SipTransportOptions;
  readonly #limits: SipLimits;
  readonly #guard: SipGuard;
  readonly #datagrams: SipDatagrams;
  readonly #large: LargeRequests;
  readonly #aliases = new Aliases();
  readonly #listeners: Listener[] = [];
  readonly #secure: Listener[] = [];
  readonly #connections = new Map<string, SipConnection>();
  /** Connections that we opened, by peer, for reuse; a promise while one is being opened. */
  readonly #outgoing = new Map<string, Promise<Flow>>();
  readonly #queue: EndpointOutput[] = [];
  /** The first output in the queue that is not carried out yet. */
  #next = 0;
  #running = false;
  #timer: { readonly at: number; readonly handle: Timer } | undefined;
  #lastFlow = 0;
  #tlsPort: number | undefined;
  #dropped = 0;
  #waited = 0;
  #received = 0;
  #sent = 0;
  #closed = false;

  constructor(world: World, options: SipTransportOptions) {
    this.#world = world;
    this.#options = options;
    this.#limits = { ...SIP_LIMITS, ...options.limits };
    this.#guard = new SipGuard(this.#limits);
    this.#datagrams = new SipDatagrams(world, {
      publicHost: options.publicHost,
      admit: (data, from) => this.#admits(data, from),
      isHelp: options.isHelp ?? (() => false),
      onDatagram: (data, socket, from, waited) => this.#datagram(data, socket, from, waited),
      onLost: () => this.#dropped++,
    });
    this.#large = new LargeRequests({
      clock: world.clock,
      connect: (to) => this.flowTo({ protocol: 'tcp', ...to, timeout: CONNECT_WITHIN }),
      send: (flow, text) => this.#put(flow, text),
    });
  }

  /** Listens; rejects with a NetError where an address is taken, and then listens nowhere. */
  async bind(options: BindOptions): Promise<Bound> {
    const bound = { udp: [] as Address[], tcp: [] as Address[], tls: [] as Address[], ws: [] as Address[] };
    try {
      for (const at of listOf(options.udp)) bound.udp.push(await this.#datagrams.bind(at));
      for (const at of listOf(options.tcp)) bound.tcp.push(await this.#listen('tcp', at));
      for (const at of listOf(options.tls)) bound.tls.push(await this.#listen('tls', at, at.tls));
      for (const at of listOf(options.ws)) bound.ws.push(await this.#listenForWebSockets(at));
    } catch (error) {
      await this.close();
      throw error;
    }
    return bound;
  }

  async #listen(protocol: 'tcp' | 'tls', at: Address, tls?: TlsServerOptions): Promise<Address> {
    const { host, port } = at;
    const listener = await this.#world.net.listen({ host, port, ...(tls && { tls }) }, (stream) => {
      if (this.#letIn(stream)) this.#connect(protocol, stream);
      else stream.destroy();
    });
    this.#listeners.push(listener);
    if (protocol === 'tls') {
      this.#tlsPort = listener.local.port;
      this.#secure.push(listener);
    }
    return listener.local;
  }

  #letIn({ remote, peer }: Stream): boolean {
    const now = this.#world.clock.mono();
    const comes = () => this.#guard.opened(remote.host, isProven(peer), now);
    return comes() || (makeRoom(this.#guard, this.#connections.values(), now - this.#limits.roomAfter) && comes());
  }

  async #listenForWebSockets({ host, port, tls, mayOpen }: WebSocketAddress): Promise<Address> {
    const { clock, crypto, net, log } = this.#world;
    const listener = await net.listen({ host, port, ...(tls && { tls }) }, (stream) => {
      const [remote, proven] = [stream.remote.host, isProven(stream.peer)];
      if (!this.#letIn(stream)) return stream.destroy();
      openWebSocket(
        stream,
        { clock, crypto, mayOpen, within: this.#limits.unfinished },
        (framing) => void this.#connect(tls ? 'wss' : 'ws', stream, undefined, framing),
        (why) => {
          this.#guard.closed(remote, proven);
          log.debug('sip.web-socket.refused', { remote, why });
        },
      );
    });
    this.#listeners.push(listener);
    return listener.local;
  }

  /** A flow to a peer: for UDP at once, else an open connection to it or a new one. Rejects with a NetError. */
  async flowTo(options: FlowOptions): Promise<Flow> {
    if (options.protocol === 'udp') return this.#datagrams.flowTo({ host: options.host, port: options.port });
    const { tls, host, port } = options;
    const back = options.protocol === 'tls' && !options.fresh;
    const open = back ? this.#aliases.find(host, port, tls?.serverName ?? host) : undefined;
    if (open !== undefined) return open;
    const key = [options.protocol, options.host, options.port, tls?.serverName, tls?.ca, tls?.certificate].join('|');
    const known = options.fresh ? undefined : this.#outgoing.get(key);
    if (known) return known;
    const entry: { opening?: Promise<Flow> } = {};
    entry.opening = this.#open(options, () => {
      if (this.#outgoing.get(key) === entry.opening) this.#outgoing.delete(key);
    });
    this.#outgoing.set(key, entry.opening);
    return entry.opening;
  }

  async #open(options: FlowOptions, forget: () => void): Promise<Flow> {
    const { host, port, tls, timeout, keepAlive } = options;
    const secure = options.protocol === 'tls';
    try {
      const stream = await this.#world.net.connect({
        host,
        port,
        ...(secure && { tls: tls ?? {} }),
        ...(timeout !== undefined && { timeout }),
      });
      if (this.#closed) stream.destroy();
      const alias = secure && options.alias === true && tls?.certificate !== undefined;
      const flow = this.#closed
        ? undefined
        : this.#connect(secure ? 'tls' : 'tcp', stream, { keepAlive, forget, alias });
      if (!flow) throw new NetError('ECONNABORTED', `SIP connection to ${host}:${port} was not accepted`);
      return flow;
    } catch (error) {
      forget();
      throw error;
    }
  }

  /** Takes charge of a stream; undefined where the user does not accept it. */
  #connect(
    protocol: Exclude<SipProtocol, 'udp'>,
    stream: Stream,
    outgoing?: { readonly keepAlive: number | undefined; readonly alias: boolean; forget(): void },
    framing?: Framing,
  ): Flow | undefined {
    const { clock } = this.#world;
    const { local, remote, peer } = stream;
    const alias = outgoing?.alias === true ? { alias: true as const } : {};
    // A peer that uses the connection for its own requests knows us by the port at which we listen.
    const named = outgoing?.alias === true ? { ...local, port: this.#tlsPort ?? local.port } : local;
    const flow: Flow = { id: `${protocol}${++this.#lastFlow}`, protocol, local: named, remote, peer, ...alias };
    if (this.#options.accept?.(flow) === false) {
      stream.destroy();
      if (!outgoing) this.#guard.closed(remote.host, isProven(peer));
      return undefined;
    }
    const owner = {
      admit: () => (isProven(peer) ? 0 : this.#guard.admit(remote.host, clock.mono())),
      message: (text: string) => {
        if (!outgoing) this.#aliases.heard(flow, text);
        this.#message(text, flow, clock.mono());
      },
      closed: (why: string) => {
        outgoing?.forget();
        this.#gone(flow, outgoing === undefined, why);
      },
    };
    const parts = { flow, stream, incoming: !outgoing, keepAlive: outgoing?.keepAlive, ...(framing && { framing }) };
    const connection = new SipConnection(parts, owner, this.#world, this.#limits);
    this.#connections.set(flow.id, connection);
    connection.start();
    return flow;
  }

  #gone(flow: Flow, incoming: boolean, why: string): void {
    if (incoming) this.#guard.closed(flow.remote.host, isProven(flow.peer));
    this.#connections.delete(flow.id);
    this.#world.log.debug('sip.flow.closed', { flow: flow.id, remote: flow.remote.host, why });
    this.#large.closed(flow);
    this.#aliases.closed(flow);
    this.act((now, out) => this.#options.endpoint.flowClosed(flow, now, out));
    this.#options.onFlowClosed?.(flow, why);
  }

  #admits(data: Uint8Array, from: Address): boolean {
    if (data.length <= DATAGRAM_LIMIT && this.#guard.admit(from.host, this.#world.clock.mono()) === 0) return true;
    this.#dropped++;
    return false;
  }

  #datagram(data: Uint8Array, socket: UdpSocket, from: Address, waited: number): void {
    const flow = this.#datagrams.flow(socket, from);
    // A STUN request (RFC 5626 section 4.4.2) begins with two bits that no SIP message has.
    if ((data[0] ?? 0) < 2) this.#stun(data, flow);
    // Keep-alives (RFC 5626 section 4.4.1 has them for streams, the field sends them here too) carry no message.
    else if (data.length > 4) this.#message(octetsToText(data), flow, this.#world.clock.mono(), data, waited);
  }

  #stun(data: Uint8Array, flow: Flow): void {
    const answer = answerStun(data, flow.remote);
    if (answer !== undefined) this.#datagrams.send(flow, answer);
  }

  #message(text: string, flow: Flow, mono: number, octets?: Uint8Array, waited = 0): void {
    this.#received++;
    this.#waited = waited;
    this.#large.heard(flow);
    this.#options.trace?.('in', flow, text, octets ?? textToOctets(text));
    this.#options.endpoint.receive(text, flow, Math.floor(mono), this.#queue);
    if (!this.#running) this.#drain();
  }

  /**
   * Does something with the endpoint and carries out what it wants done: `transport.act((now, out) => endpoint.hangup(call, '', now,
   * out))`. Its time is in whole milliseconds: of these a processor keeps thousands for what one fraction takes. Within `onOutput` the new outputs follow those that wait already.
   */
  act<T>(run: (now: number, out: EndpointOutput[]) => T): T {
    const result = run(Math.floor(this.#world.clock.mono()), this.#queue);
    if (!this.#running) this.#drain();
    return result;
  }

  #drain(): void {
    this.#running = true;
    try {
      while (this.#next < this.#queue.length) {
        const output = this.#queue[this.#next++];
        if (output?.do === 'send') this.#send(output.flow, output.message, output.text ?? write(output.message));
        else if (output) this.#options.onOutput(output);
      }
    } finally {
      // A handler that threw has had its turn: its output is not repeated, those behind it stay.
      if (this.#next === this.#queue.length) this.#queue.length = 0;
      else this.#queue.splice(0, this.#next);
      this.#next = 0;
      this.#running = false;
      this.#arm();
    }
  }

  #send(flow: Flow, message: SipMessage, text: string): void {
    const large = flow.protocol === 'udp' && this.#large.concerns(message, text);
    const byTcp = () => this.#options.largeByTcp?.(flow) ?? aimsAt(message, flow.remote);
    if (!large || !this.#large.take(flow, message, text, byTcp)) this.#put(flow, text);
  }

  /** Another process's message, over a flow of ours. */
  pass(flow: Flow, text: string): void {
    this.#put(flow, text);
  }

  /** A message as if it came over that flow: one that came to another process. */
  take(text: string, flow: Flow): void {
    this.#message(text, flow, this.#world.clock.mono());
  }

  #put(flow: Flow, text: string): void {
    if (flow.protocol === 'udp' && text.length > DATAGRAM_LIMIT) {
      this.#dropped++;
      return;
    }
    this.#sent++;
    const octets = textToOctets(text);
    this.#options.trace?.('out', flow, text, octets);
    if (this.#options.relay?.(flow, text) === true) return;
    if (flow.protocol === 'udp') this.#datagrams.send(flow, octets);
    else this.#connections.get(flow.id)?.send(octets);
  }

  /** Wakes the endpoint at its next deadline. */
  #arm(): void {
    const due = this.#closed ? Number.POSITIVE_INFINITY : this.#options.endpoint.due();
    if (this.#timer && this.#timer.at <= due) return;
    this.#timer?.handle.cancel();
    this.#timer = undefined;
    if (due === Number.POSITIVE_INFINITY) return;
    const at = Math.ceil(due / GRID) * GRID;
    const handle = this.#world.clock.at(at, () => {
      this.#timer = undefined;
      this.act((now, out) => this.#options.endpoint.tick(now, out));
    });
    this.#timer = { at: due, handle };
  }

  /** Further authorities (PEM, each one certificate) whose certificates are looked at over TLS; `accept` judges who comes with one. */
  believe(authorities: readonly string[]): void {
    for (const listener of this.#secure) listener.believe(authorities);
  }

  /** See `Listener.renew`. */
  renew(own: Parameters<Listener['renew']>[0]): void {
    for (const listener of this.#listeners) listener.renew(own);
  }

  /** The source has proved itself (it registered): for ten minutes it is not counted. */
  trust(address: string): void {
    this.#guard.trust(address, this.#world.clock.mono());
  }

  /** Closes a connection; the endpoint and `onFlowClosed` hear of it. Nothing for UDP. */
  closeFlow(flow: Flow): void {
    this.#connections.get(flow.id)?.destroy('closed by us');
  }

  /** Milliseconds for which the message that was taken in last had waited for others. */
  get waited(): number {
    return this.#waited;
  }

  counts(): SipCounts {
    return {
      connections: this.#connections.size,
      dropped: this.#dropped,
      received: this.#received,
      sent: this.#sent,
    };
  }

  /** Stops listening, lets connections send what waits, and ends. Calls are not ended: hang up first. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.handle.cancel();
    this.#timer = undefined;
    for (const connection of this.#connections.values()) connection.end();
    await Promise.all(this.#listeners.map((listener) => listener.close()));
    await this.#datagrams.close();
    for (const connection of [...this.#connections.values()]) connection.destroy('closing');
  }
}

function listOf<T>(value: T | readonly T[] | undefined): readonly T[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? value : [value as T];
}
