/** The trunks of the operator: read from the store, registered and asked for their health, chosen for a call, known when they call. */
import type { Bus } from '#cloud/bus/bus.ts';
import { allTrunks, leadsOutside, type TrunkRow } from '#cloud/store/outside.ts';
import type { Store } from '#cloud/store/store.ts';
import { trunksFor } from '#shared/call/trunk.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { NamedFlow, SipResolver } from '#shared/host/sip-resolver.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { TICK } from '#shared/kernel/machine.ts';
import { type Address, NetError, type TlsClientOptions, type World } from '#shared/kernel/world.ts';
import type { DigestHash } from '#shared/sip/digest.ts';
import { newRequest, type SipMessage } from '#shared/sip/message.ts';
import type { EndpointOutput, Flow, OpenedProtocol, TransactionHandle } from '#shared/sip/types.ts';
import { parseUri, writeUri } from '#shared/sip/uri.ts';
import { TrunkAlarms } from './alarms.ts';
import { TrunkAuthorities } from './authorities.ts';
import { grantedBy } from './granted.ts';
import { type HealthInput, type HealthOutput, newHealth, trunkHealth } from './health.ts';
import type { Asked, Held } from './held.ts';
import { readTrunk } from './read.ts';
import { certificateFault } from './tls-cause.ts';
import {
  calledAt,
  choiceOf,
  failureOf,
  isAddressOf,
  isNamed,
  sipUri,
  type Trunk,
  type TrunkWay,
  type WayFailure,
} from './trunk.ts';

/** Milliseconds for a connection to a trunk, and seconds of a registration and between OPTIONS where nothing is said. */
const CONNECT_WITHIN = 3_000;
const EXPIRES = 600;
const PROBE_EVERY = 60;
/** What the operator is told where there is no connection. */
const UNREACHED = 'it cannot be reached';
/** Ways that one call is given at the most. */
export const WAYS = 8;

export interface TrunksOptions {
  readonly world: World;
  readonly store: Store;
  readonly bus: Bus;
  readonly sip: SipPort;
  readonly hash: DigestHash;
  /** Opens passwords. */
  readonly key: Uint8Array;
  /** The ways to a carrier's servers, the best first; without protocol and port DNS says them. */
  readonly flowsTo: (to: {
    readonly protocol: OpenedProtocol | undefined;
    readonly host: string;
    readonly port: number | undefined;
    readonly timeout: number;
    readonly tls: TlsClientOptions;
    readonly alias: boolean;
  }) => Promise<readonly NamedFlow[]>;
  /** Our certificate, for carriers that want to see one. */
  readonly own: { readonly certificate: string; readonly key: string };
  /** Remembers which servers of a name serve. */
  readonly servers?: Pick<SipResolver, 'failed' | 'worked'> | undefined;
  /** Calls that a trunk carries. */
  readonly callsOf: (trunk: string) => number;
  /** Authorities of carriers (PEM), whose certificates a listener is to look at. */
  readonly believe: (authorities: readonly string[]) => void;
  /** An address whose messages are let through before they are counted. */
  readonly trust: (address: string) => void;
}

type Heard = Extract<EndpointOutput, { do: 'response' | 'no-response' }>;

export class Trunks {
  readonly #o: TrunksOptions;
  readonly #held = new Map<string, Held>();
  readonly #asked = new Map<TransactionHandle, Asked>();
  readonly #authorities: TrunkAuthorities;
  readonly #alarms: TrunkAlarms;
  #stopped = false;
  /** This process registers at the carriers. */
  #leads = true;

  constructor(options: TrunksOptions) {
    this.#o = options;
    this.#authorities = new TrunkAuthorities(options.world.crypto);
    this.#alarms = new TrunkAlarms(options.bus, options.world.log);
  }

  /** Reads the trunks anew: those that changed begin again, those that are gone are let go. */
  async load(): Promise<void> {
    const rows = await allTrunks(this.#o.store);
    const used = rows.filter(({ settings }) => settings.enabled !== false);
    this.#o.believe(await this.#authorities.load(used));
    const wanted = new Map(used.map((row) => [row.id, row]));
    for (const [id, held] of [...this.#held]) {
      const row = wanted.get(id);
      if (row !== undefined && same(row, held.row)) wanted.delete(id);
      else this.#letGo(held);
    }
    for (const row of wanted.values()) this.#take(row);
  }

  /** The ways for a number (E.164), in the order in which they are to be tried. */
  async ways(number: string, owner?: string): Promise<TrunkWay[]> {
    const all = [...this.#held.values()].map(({ trunk, health }) =>
      choiceOf(trunk, this.#o.callsOf(trunk.id), health.at === 'down'),
    );
    const chosen = trunksFor(number, all, () => this.#o.world.random.fraction()).slice(0, WAYS);
    const ways = await Promise.all(
      chosen.map(async ({ trunk }) => {
        const facts = owner === undefined ? {} : { owner };
        // Each of its servers may serve where another does not (RFC 3263 section 4.3).
        return (await this.#flows(trunk.id)).map((way) => ({
          trunk,
          ...way,
          called: calledAt(trunk, number),
          ...facts,
        }));
      }),
    );
    return ways.flat().slice(0, WAYS);
  }

  /** True where some trunk is for that number, whether it can be reached or not. */
  take(number: string): boolean {
    return leadsOutside(
      number,
      [...this.#held.values()].map(({ row }) => row),
    );
  }

  /** The ways by one trunk, whatever its health and its calls. */
  async waysBy(id: string, called: (trunk: Trunk) => string): Promise<TrunkWay[]> {
    const held = this.#held.get(id);
    if (held === undefined) return [];
    const { trunk } = held;
    return (await this.#flows(id)).map((way) => ({ trunk, ...way, called: called(trunk) }));
  }

  /** A way to an address of a trunk that its settings name, by the protocol of a connection that is gone; none where they do not. */
  async wayBack(id: string, at: Address, { protocol }: Flow): Promise<readonly NamedFlow[]> {
    const held = this.#held.get(id);
    if (held === undefined || (protocol !== 'tcp' && protocol !== 'tls') || !isNamed(held.trunk, at)) return [];
    const ways = await this.#flowsOf(held, { ...at, protocol });
    for (const { flow } of ways) held.backIds.add(flow.id);
    return ways;
  }

  isDown(id: string): boolean {
    return this.#held.get(id)?.health.at === 'down';
  }

  /**
   * The trunk that a flow comes from: by the address and port to which we send, the connection that we opened, or an address (with or
   * without port) that its settings name. A peer that proved to be somebody is a trunk only where we called it, or where its certificate
   * is of the trunk's own authority. Where a carrier is several trunks (accounts of ours there), the Request-URI `uri` may name the account.
   */
  of(flow: Flow, uri?: string): Trunk | undefined {
    let first: Trunk | undefined;
    for (const { trunk, flowIds, backIds } of this.#held.values()) {
      const opened = flowIds.has(flow.id) || backIds.has(flow.id);
      const known = opened || this.#authorities.isCarrier(trunk, flow.peer) || isAddressOf(trunk, flow);
      if (!known) continue;
      if (uri === undefined || trunk.settings.username === parseUri(uri)?.user) return trunk;
      first ??= trunk;
    }
    return first;
  }

  /** Whether whoever opened this connection, with a certificate, is a carrier. One that says that it is and cannot prove it is told of. */
  admits(flow: Flow): boolean {
    for (const held of this.#held.values()) {
      const proven = this.#authorities.isCarrier(held.trunk, flow.peer);
      if (!proven && !this.#authorities.claimsToBe(held.trunk, flow.peer)) continue;
      const why = proven ? undefined : 'it came with a certificate of an authority that is not believed';
      if (held.turnedAway !== why) this.#alarms.turnedAway(held.trunk, why);
      held.turnedAway = why;
      if (proven) return true;
    }
    return false;
  }

  /** Whether requests too large for a datagram may go to that peer over TCP; undefined where it is no trunk. */
  largeByTcp(flow: Flow): boolean | undefined {
    const { settings } = this.of(flow) ?? {};
    return settings && (settings.largeByTcp ?? true);
  }

  /** What a call showed of one server of a trunk's name. */
  serverHeard({ hop }: TrunkWay, works: boolean): void {
    if (hop === undefined) return;
    if (works) this.#o.servers?.worked(hop);
    else this.#o.servers?.failed(hop);
  }

  /** What a call showed of its trunk. */
  works(id: string): void {
    const held = this.#held.get(id);
    if (held !== undefined) this.#feed(held, { on: 'works' });
  }

  failed(id: string, { status, silent, rest }: WayFailure): void {
    const held = this.#held.get(id);
    if (held === undefined) return;
    const why = silent && status !== 408 ? { why: held.refused ?? UNREACHED } : {};
    this.#feed(held, { on: 'failed', status, rest, ...why });
  }

  /** An answer to a request of ours; true where it was one of ours. */
  heard(output: Heard): boolean {
    const asked = this.#asked.get(output.transaction);
    if (asked === undefined) return false;
    const answer = output.do === 'response' ? output.message : undefined;
    const failure = failureOf(
      answer?.status ?? (output.do !== 'response' && output.why === 'timeout' ? 408 : 503),
      answer,
    );
    const { status, silent, rest } = failure;
    if (status < 200) return true;
    this.#asked.delete(output.transaction);
    const { held, what, way } = asked;
    if (!silent) held.refused = undefined;
    const why = silent && status !== 408 ? { why: held.refused ?? UNREACHED } : {};
    if (way.hop !== undefined && (status === 408 || status === 503)) this.#o.servers?.failed(way.hop);
    const heard = { status, rest, ...why };
    if (what === 'probe') this.#feed(held, { on: 'probed', ...heard });
    else this.#feed(held, { on: 'registered', ...heard, ...this.#granted(held, way.flow, answer) });
    return true;
  }

  /** A connection is gone. A carrier that does not believe our certificate says so only then (RFC 8446 section 4.4.2.4). */
  closed(flow: Flow, why: string): void {
    const fault = flow.protocol === 'tls' ? certificateFault(new NetError(why, '')) : undefined;
    for (const held of this.#held.values()) {
      held.backIds.delete(flow.id);
      if (!held.flowIds.has(flow.id)) continue;
      this.#feed(held, { on: 'lost' });
      if (fault === undefined) continue;
      held.refused = fault;
      this.#feed(held, { on: 'failed', status: 503, why: fault });
    }
  }

  standing(id: string): {
    readonly state: 'up' | 'down' | 'unknown' | 'off';
    readonly cause?: string;
    readonly registered?: boolean;
  } {
    const held = this.#held.get(id);
    if (held === undefined) return { state: 'off' };
    const { at, cause = held.turnedAway, registers, registered } = held.health;
    return { state: at, ...(cause === undefined ? {} : { cause }), ...(registers ? { registered } : {}) };
  }

  /** Of several processes one registers at the carriers: a carrier would send each call to all that do. */
  lead(leads: boolean): void {
    if (leads === this.#leads) return;
    this.#leads = leads;
    for (const held of [...this.#held.values()]) {
      if (held.trunk.settings.mode !== 'register') continue;
      this.#letGo(held);
      this.#take(held.row);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const held of [...this.#held.values()]) this.#letGo(held);
  }

  #take(row: TrunkRow): void {
    const { settings } = row;
    const trunk = readTrunk(row, this.#o);
    const { expires = EXPIRES, probeEvery = PROBE_EVERY } = settings;
    const health = newHealth({
      ...{ registers: settings.mode === 'register' && this.#leads, expires },
      probeEvery: probeEvery * 1000,
    });
    const held: Held = {
      trunk,
      row,
      health,
      callId: hex(this.#o.world.random.bytes(12)),
      seq: 0,
      ...{ flowIds: new Set(), backIds: new Set() },
    };
    this.#held.set(row.id, held);
    for (const address of [settings.host, ...(settings.addresses ?? [])]) this.#o.trust(address);
    this.#feed(held, { on: 'start' });
  }

  #letGo(held: Held): void {
    held.timer?.cancel();
    this.#held.delete(held.row.id);
    for (const [handle, asked] of this.#asked) if (asked.held === held) this.#asked.delete(handle);
    if (held.health.registered) void this.#register(held, 0);
  }

  #feed(held: Held, input: HealthInput | typeof TICK): void {
    const { clock } = this.#o.world;
    const out: HealthOutput[] = [];
    trunkHealth.step(held.health, input, clock.mono(), out);
    for (const one of out) {
      if (one.do === 'register') void this.#register(held, one.expires);
      else if (one.do === 'probe') void this.#probe(held);
      else this.#alarms.changed(held.trunk, held.health);
    }
    held.timer?.cancel();
    if (!this.#stopped) held.timer = clock.at(trunkHealth.due(held.health), () => this.#feed(held, TICK));
  }

  async #flows(id: string): Promise<readonly NamedFlow[]> {
    const held = this.#held.get(id);
    if (held === undefined) return [];
    const ways = await this.#flowsOf(held);
    if (ways.length > 0) held.flowIds = new Set(ways.map(({ flow }) => flow.id));
    // It may never be asked; a call shows it too.
    else if (held.refused !== undefined) this.#feed(held, { on: 'failed', status: 503, why: held.refused });
    for (const { flow } of ways) this.#o.trust(flow.remote.host);
    return ways;
  }

  /** An empty list where nobody can be reached. */
  async #flowsOf(held: Held, other?: Address & { readonly protocol: OpenedProtocol }): Promise<readonly NamedFlow[]> {
    const { transport: protocol, host, port, tls: { ca, mutual: alias = false } = {} } = held.trunk.settings;
    const { certificate, key } = this.#o.own;
    const shown = alias ? { certificate, key } : {};
    // It has to prove to be the trunk, wherever it is.
    const named = other === undefined ? {} : { serverName: host };
    const tls = { sipDomain: true, ...named, ...shown, ...(ca === undefined ? {} : { ca }) };
    try {
      const to = { protocol, host, port, timeout: CONNECT_WITHIN, tls, alias, ...other };
      return await this.#o.flowsTo(to);
    } catch (error) {
      held.refused = error instanceof NetError ? certificateFault(error) : undefined;
      return [];
    }
  }

  async #register(held: Held, expires: number): Promise<void> {
    const { trunk } = held;
    const user = trunk.settings.username ?? trunk.id;
    const own = `<${sipUri(user, trunk.domain)}>`;
    held.seq += 2;
    const lines = (flow: Flow): [string, string][] => [
      ['From', own],
      ['To', own],
      ['Call-ID', held.callId],
      ['CSeq', `${held.seq} REGISTER`],
      ['Contact', `<${this.#contact(flow, user)}>;expires=${expires}`],
    ];
    await this.#ask(held, 'register', 'REGISTER', lines);
  }

  async #probe(held: Held): Promise<void> {
    const own = `<${sipUri('hearthline', held.trunk.domain)}>`;
    await this.#ask(held, 'probe', 'OPTIONS', () => [
      ['From', own],
      ['To', `<sip:${held.trunk.domain}>`],
    ]);
  }

  async #ask(
    held: Held,
    what: 'register' | 'probe',
    method: string,
    lines: (flow: Flow) => [string, string][],
  ): Promise<void> {
    const last = !this.#held.has(held.row.id);
    // One that is gone already gets a word of farewell.
    const [way] = last ? await this.#flowsOf(held) : await this.#flows(held.row.id);
    if (way === undefined) {
      if (last) return;
      const heard = { status: 503, why: held.refused ?? UNREACHED };
      this.#feed(held, what === 'probe' ? { on: 'probed', ...heard } : { on: 'registered', ...heard, seconds: 0 });
      return;
    }
    const message = newRequest(method, `sip:${held.trunk.domain}`, lines(way.flow));
    const { credentials } = held.trunk;
    this.#o.sip.act((endpoint, now, out) => {
      const handle = endpoint.request(message, way.flow, now, out, credentials);
      if (!last) this.#asked.set(handle, { held, what, way });
    });
  }

  #granted(held: Held, flow: Flow, answer: SipMessage | undefined) {
    const own = this.#contact(flow, held.trunk.settings.username ?? held.trunk.id);
    return grantedBy(answer, own, held.health.expires);
  }

  #contact(flow: Flow, user: string): string {
    const uri = parseUri(this.#o.sip.contact(flow));
    return uri === undefined ? '' : writeUri({ ...uri, user });
  }
}

function same(a: TrunkRow, b: TrunkRow): boolean {
  return a.secret === b.secret && JSON.stringify(a.settings) === JSON.stringify(b.settings);
}
