/**
 * The virtual network: hosts with addresses, UDP with loss, delay, jitter and duplication, streams that keep order and
 * pay for loss with delay, partitions. Default: every host reaches every other in 1 ms without loss.
 */
import {
  type Address,
  type ConnectOptions,
  type Listener,
  type ListenOptions,
  type Net,
  NetError,
  type Stream,
  type UdpOptions,
  type UdpSocket,
} from '#shared/kernel/world.ts';
import { handshake } from './handshake.ts';
import type { Seeded } from './random.ts';
import { VirtualStream } from './stream.ts';

export interface LinkProfile {
  /** Probability that a datagram is lost; a stream's segment pays 200 ms for each loss. */
  readonly loss: number;
  /** One-way delay, ms. */
  readonly delay: number;
  /** Extra delay, uniform in [0, jitter) ms. */
  readonly jitter: number;
  /** Probability that a datagram arrives twice. */
  readonly duplicate: number;
}

export interface Scheduler {
  now(): number;
  wall(): number;
  after(ms: number, run: () => void): void;
  /** Every packet as it is delivered; feeds the trace hash. */
  trace(kind: string, from: Address, to: Address, data: Uint8Array): void;
}

interface Bound {
  readonly key: string;
  readonly host: string;
  readonly local: Address;
  readonly receive: (data: Uint8Array, from: Address) => void;
  /** Where datagrams for it are sent: its own address, and that of its group. */
  readonly places: readonly string[];
}

interface Listening {
  readonly host: string;
  /** Further authorities of its clients, PEM. */
  believed: readonly string[];
  options: ListenOptions;
  readonly accept: (stream: Stream) => void;
  readonly streams: Set<VirtualStream>;
}

/** How long a stream with undelivered octets outlives a partition, ms. */
const STREAM_PATIENCE = 30_000;
const RETRANSMISSION = 200;

/** The LAN of an address: its first 24 bits. */
const lanOf = (host: string) => host.slice(0, host.lastIndexOf('.'));

export class VirtualNetwork {
  readonly #scheduler: Scheduler;
  readonly #random: Seeded;
  readonly #owners = new Map<string, string>();
  /** Addresses towards the outside, by host. */
  readonly #wans = new Map<string, string>();
  /** How far a NAT moves the ports of a host's outside address. */
  readonly #shifts = new Map<string, number>();
  readonly #udp = new Map<string, Bound>();
  /** The sockets of `#udp` by where datagrams for them are sent. */
  readonly #places = new Map<string, Set<Bound>>();
  readonly #listeners = new Map<string, Listening>();
  readonly #links = new Map<string, LinkProfile>();
  readonly #streams = new Map<VirtualStream, string>();
  readonly #waiting: (() => void)[] = [];
  #parted: ReadonlySet<string>[] = [];
  #default: LinkProfile = { loss: 0, delay: 1, jitter: 0, duplicate: 0 };
  #port = 40_000;

  constructor(scheduler: Scheduler, random: Seeded) {
    this.#scheduler = scheduler;
    this.#random = random;
  }

  /** The network as one host sees it. */
  attach(name: string, hosts: readonly string[]): Net {
    for (const host of hosts) this.#owners.set(host, name);
    const first = hosts[0] ?? '127.0.0.1';
    const own = (host: string) => (host === '0.0.0.0' || host === '::' || host === '' ? first : host);
    return {
      udp: async (options, onMessage) => this.#bindUdp(name, own(options.host), options, onMessage),
      listen: async (options, onStream) => this.#listen(name, own(options.host), options, onStream),
      connect: (options) => this.#connect(name, this.#wans.get(name) ?? first, options),
      addresses: () =>
        [...hosts, this.#wans.get(name) ?? []].flat().map((host, i) => ({
          name: `eth${i}`,
          host,
          family: host.includes(':') ? 6 : 4,
          loopback: false,
          mac: `02:00:00:00:00:${(i + 16).toString(16)}`,
          prefix: host.includes(':') ? 64 : 24,
        })),
    };
  }

  /** Sets the profile of the way from one host to another (and back, unless `oneWay`); without names, of every way. */
  link(
    profile: Partial<LinkProfile> & { readonly from?: string; readonly to?: string; readonly oneWay?: boolean },
  ): void {
    const { from, to, oneWay, ...numbers } = profile;
    if (from === undefined || to === undefined) {
      this.#default = { ...this.#default, ...numbers };
      return;
    }
    for (const [a, b] of oneWay === true
      ? [[from, to]]
      : [
          [from, to],
          [to, from],
        ])
      this.#links.set(`${a}>${b}`, { ...this.#profile(a ?? '', b ?? ''), ...numbers });
  }

  /** A host's address towards the outside, beside its own: connections begin there. One of before is gone, in silence, with all that used it. */
  wan(name: string, address: string): void {
    const before = this.#wans.get(name);
    this.#wans.set(name, address);
    this.#owners.set(address, name);
    if (before === undefined) return;
    this.#owners.delete(before);
    for (const bound of this.#udp.values()) if (bound.local.host === before) this.#unbind(bound);
    this.#forgetStreams(name, before);
  }

  /**
   * A NAT at a host's outside address has lost what it knew: its datagrams come from other ports by `shift` from now on, at which alone it
   * is reached, and its connections are gone in silence.
   */
  rebind(name: string, shift: number): void {
    this.#shifts.set(name, shift);
    this.#forgetStreams(name);
  }

  #forgetStreams(name: string, address = this.#wans.get(name)): void {
    for (const [stream, owner] of [...this.#streams]) {
      if (owner !== name || stream.local.host !== address) continue;
      this.#streams.delete(stream);
      stream.wire = undefined;
    }
  }

  /** How far the ports of that address are moved. */
  #shiftOf(host: string): number {
    const name = this.#owners.get(host) ?? '';
    return this.#wans.get(name) === host ? (this.#shifts.get(name) ?? 0) : 0;
  }

  /** Cuts these hosts off from all others; among themselves they go on. */
  partition(names: readonly string[]): void {
    this.#parted.push(new Set(names));
  }

  heal(): void {
    this.#parted = [];
    for (const resume of this.#waiting.splice(0)) resume();
  }

  reachable(a: string, b: string): boolean {
    return a === b || this.#parted.every((group) => group.has(a) === group.has(b));
  }

  /** Closes everything that a host has open. `silent`: the others learn nothing (power cut); else they see a reset. */
  drop(name: string, silent: boolean): void {
    for (const bound of this.#udp.values()) if (bound.host === name) this.#unbind(bound);
    for (const [key, listening] of this.#listeners) if (listening.host === name) this.#listeners.delete(key);
    for (const [stream, owner] of [...this.#streams]) {
      if (owner !== name) continue;
      this.#streams.delete(stream);
      if (silent) stream.wire = undefined;
      else stream.wire?.close('ECONNRESET');
    }
  }

  ownerOf(host: string): string | undefined {
    return this.#owners.get(host);
  }

  delay(a: string, b: string): number {
    const profile = this.#profile(a, b);
    return profile.delay + profile.jitter * this.#random.fraction();
  }

  #profile(a: string, b: string): LinkProfile {
    if (a === b) return this.#links.get(`${a}>${b}`) ?? { loss: 0, delay: 0.05, jitter: 0, duplicate: 0 };
    return this.#links.get(`${a}>${b}`) ?? this.#default;
  }

  #freePort(): number {
    this.#port = this.#port >= 60_000 ? 40_000 : this.#port + 1;
    return this.#port;
  }

  #bindUdp(
    name: string,
    host: string,
    options: UdpOptions,
    onMessage: (data: Uint8Array, from: Address) => void,
  ): UdpSocket {
    const port = options.port === 0 ? this.#freePort() : options.port;
    const group = options.multicast?.group;
    const local = { host, port };
    const own = `${host}:${port}`;
    const key = options.shared === true ? `${own}#${name}` : own;
    if (this.#udp.has(key)) throw new NetError('EADDRINUSE', `UDP ${own} is taken`);
    const places = group === undefined ? [own] : [own, `${group}:${port}`];
    const bound: Bound = { key, host: name, local, receive: onMessage, places };
    this.#udp.set(key, bound);
    for (const place of places) this.#places.set(place, (this.#places.get(place) ?? new Set()).add(bound));
    return {
      local,
      send: (data, to) => {
        if (this.#udp.get(key) === bound) this.#sendUdp(bound, to, data.slice());
      },
      close: async () => {
        if (this.#udp.get(key) === bound) this.#unbind(bound);
      },
    };
  }

  #unbind(bound: Bound): void {
    this.#udp.delete(bound.key);
    for (const place of bound.places) {
      const there = this.#places.get(place);
      there?.delete(bound);
      if (there?.size === 0) this.#places.delete(place);
    }
  }

  #sendUdp(from: Bound, to: Address, data: Uint8Array): void {
    const name = from.host;
    const seen = { host: from.local.host, port: from.local.port + this.#shiftOf(from.local.host) };
    for (const bound of this.#places.get(`${to.host}:${to.port - this.#shiftOf(to.host)}`) ?? []) {
      const direct = bound.local.host === to.host;
      // A group is heard on the own LAN, and not by who speaks.
      if (!direct && (bound === from || lanOf(bound.local.host) !== lanOf(from.local.host))) continue;
      const profile = this.#profile(name, bound.host);
      const copies = this.#random.fraction() < profile.duplicate ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        if (this.#random.fraction() < profile.loss) continue;
        this.#scheduler.after(profile.delay + profile.jitter * this.#random.fraction(), () => {
          if (this.#udp.get(bound.key) !== bound || !this.reachable(name, bound.host)) return;
          this.#scheduler.trace('udp', seen, to, data);
          bound.receive(data, seen);
        });
      }
    }
  }

  #listen(name: string, host: string, options: ListenOptions, accept: (stream: Stream) => void): Listener {
    const port = options.port === 0 ? this.#freePort() : options.port;
    const key = `${host}:${port}`;
    if (this.#listeners.has(key)) throw new NetError('EADDRINUSE', `TCP ${key} is taken`);
    const listening: Listening = { host: name, believed: [], options, accept, streams: new Set() };
    this.#listeners.set(key, listening);
    return {
      local: { host, port },
      believe: (authorities) => {
        listening.believed = authorities;
      },
      renew: (own) => {
        if (listening.options.tls !== undefined)
          listening.options = { ...listening.options, tls: { ...listening.options.tls, ...own } };
      },
      close: async () => {
        if (this.#listeners.get(key) === listening) this.#listeners.delete(key);
        for (const stream of listening.streams) stream.destroy();
      },
    };
  }

  #connect(name: string, own: string, options: ConnectOptions): Promise<Stream> {
    const key = `${options.host}:${options.port}`;
    const target = this.#owners.get(options.host) ?? '';
    const timeout = options.timeout ?? 10_000;
    return new Promise((resolve, reject) => {
      if (target === '' || !this.reachable(name, target)) {
        this.#scheduler.after(timeout, () => reject(new NetError('ETIMEDOUT', `${key}: no connection in time`)));
        return;
      }
      // One round trip for TCP, one more for TLS 1.3.
      const trips = options.tls === undefined ? 2 : 4;
      let wait = 0;
      for (let i = 0; i < trips; i++) wait += this.#segmentDelay(name, target);
      this.#scheduler.after(wait, () => {
        const listening = this.#listeners.get(key);
        if (listening === undefined || !this.reachable(name, target))
          return reject(new NetError('ECONNREFUSED', `${key}: nobody listens`));
        const shaken = handshake(options, listening.options, listening.believed, this.#scheduler.wall());
        if (typeof shaken === 'string') return reject(new NetError('ECERT', `${key}: ${shaken}`));
        const local = { host: own, port: this.#freePort() };
        const remote = { host: options.host, port: options.port };
        const near = new VirtualStream(local, remote, options.tls !== undefined, shaken.server);
        const far = new VirtualStream(remote, local, options.tls !== undefined, shaken.client);
        this.#join(near, name, far, listening.host);
        listening.streams.add(far);
        listening.accept(far);
        resolve(near);
      });
    });
  }

  #segmentDelay(a: string, b: string): number {
    const profile = this.#profile(a, b);
    let wait = profile.delay + profile.jitter * this.#random.fraction();
    for (let i = 0; i < 8 && this.#random.fraction() < profile.loss; i++) wait += RETRANSMISSION;
    return wait;
  }

  #join(near: VirtualStream, nearHost: string, far: VirtualStream, farHost: string): void {
    this.#streams.set(near, nearHost);
    this.#streams.set(far, farHost);
    this.#oneWay(near, nearHost, far, farHost);
    this.#oneWay(far, farHost, near, nearHost);
  }

  #oneWay(from: VirtualStream, fromHost: string, to: VirtualStream, toHost: string): void {
    let last = 0;
    const deliver = (run: () => void) => {
      const due = Math.max(this.#scheduler.now() + this.#segmentDelay(fromHost, toHost), last);
      last = due;
      this.#scheduler.after(due - this.#scheduler.now(), () => {
        if (this.reachable(fromHost, toHost)) return run();
        let waiting = true;
        this.#waiting.push(() => {
          if (waiting) this.#scheduler.after(RETRANSMISSION, run);
          waiting = false;
        });
        this.#scheduler.after(STREAM_PATIENCE, () => {
          if (!waiting) return;
          waiting = false;
          from.closed('ETIMEDOUT');
          this.#streams.delete(from);
        });
      });
    };
    to.consumed = (n) => this.#scheduler.after(this.#profile(toHost, fromHost).delay, () => from.acknowledged(n));
    from.wire = {
      carry: (data) =>
        deliver(() => {
          if (!this.#streams.has(to)) return;
          this.#scheduler.trace(from.secure ? 'tls' : 'tcp', from.local, from.remote, data);
          to.arrive(data);
        }),
      close: (error) => {
        this.#streams.delete(from);
        deliver(() => {
          if (!this.#streams.has(to)) return;
          this.#streams.delete(to);
          to.closed(error);
        });
      },
    };
  }
}
