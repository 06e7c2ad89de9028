/** The trunks of the operator: read from the store, registered and asked for their health, chosen for a call, known when they call. */
import type { Bus } from '#cloud/bus/bus.ts';
import { allTrunks, type TrunkRow } from '#cloud/store/outside.ts';
import { unseal } from '#cloud/store/sealed.ts';
import type { Store } from '#cloud/store/store.ts';
import { trunksFor } from '#shared/call/trunk.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import { hex } from '#shared/kernel/bytes.ts';
import { TICK } from '#shared/kernel/machine.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import { type DigestHash, digestHa1 } from '#shared/sip/digest.ts';
import { newRequest } from '#shared/sip/message.ts';
import type { EndpointOutput, Flow, OpenedProtocol, TransactionHandle } from '#shared/sip/types.ts';
import { parseUri, writeUri } from '#shared/sip/uri.ts';
import { SELF } from '../media.ts';
import { type HealthInput, type HealthOutput, newHealth, type TrunkHealth, trunkHealth } from './health.ts';
import { calledAt, choiceOf, domainOf, sipUri, type Trunk, type TrunkWay } from './trunk.ts';

/** Milliseconds for a connection to a trunk, and seconds of a registration and between OPTIONS where nothing is said. */
const CONNECT_WITHIN = 3_000;
const EXPIRES = 600;
const PROBE_EVERY = 60;
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
  readonly flowTo: (to: {
    readonly protocol: OpenedProtocol;
    readonly host: string;
    readonly port: number;
    readonly timeout: number;
  }) => Promise<Flow>;
  /** Calls that a trunk carries. */
  readonly callsOf: (trunk: string) => number;
  /** An address whose messages are let through before they are counted. */
  readonly trust: (address: string) => void;
}

interface Held {
  readonly trunk: Trunk;
  readonly row: TrunkRow;
  readonly health: TrunkHealth;
  readonly callId: string;
  seq: number;
  timer?: Timer;
  /** The connection to it. */
  flowId?: string;
}

type Heard = Extract<EndpointOutput, { do: 'response' | 'no-response' }>;

export class Trunks {
  readonly #o: TrunksOptions;
  readonly #held = new Map<string, Held>();
  readonly #asked = new Map<TransactionHandle, { readonly held: Held; readonly what: 'register' | 'probe' }>();
  #stopped = false;

  constructor(options: TrunksOptions) {
    this.#o = options;
  }

  /** Reads the trunks anew: those that changed begin again, those that are gone are let go. */
  async load(): Promise<void> {
    const rows = await allTrunks(this.#o.store);
    const wanted = new Map(rows.filter(({ settings }) => settings.enabled !== false).map((row) => [row.id, row]));
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
        const flow = await this.#flow(trunk.id);
        const facts = owner === undefined ? {} : { owner };
        return flow === undefined ? [] : [{ trunk, flow, called: calledAt(trunk, number), ...facts }];
      }),
    );
    return ways.flat();
  }

  /** The way by one trunk, whatever its health and its calls. */
  async way(id: string, called: (trunk: Trunk) => string): Promise<TrunkWay | undefined> {
    const held = this.#held.get(id);
    const flow = held === undefined ? undefined : await this.#flow(id);
    return held === undefined || flow === undefined
      ? undefined
      : { trunk: held.trunk, flow, called: called(held.trunk) };
  }

  isDown(id: string): boolean {
    return this.#held.get(id)?.health.at === 'down';
  }

  /**
   * The trunk that a flow comes from: by the address and port to which we send, the connection that we opened, or an address (with or
   * without port) that its settings name.
   */
  of(flow: Flow): Trunk | undefined {
    if (flow.peer.kind !== 'none') return undefined;
    const { host, port } = flow.remote;
    for (const { trunk, flowId } of this.#held.values()) {
      const { settings } = trunk;
      const same = flow.protocol === 'udp' && settings.host === host && trunk.port === port;
      const named = settings.addresses?.some((one) => one === host || one === `${host}:${port}`) === true;
      if (same || named || flow.id === flowId) return trunk;
    }
    return undefined;
  }

  /** What a call showed of its trunk. */
  works(id: string): void {
    const held = this.#held.get(id);
    if (held !== undefined) this.#feed(held, { on: 'works' });
  }

  failed(id: string, status: number): void {
    const held = this.#held.get(id);
    if (held !== undefined) this.#feed(held, { on: 'failed', status });
  }

  /** An answer to a request of ours; true where it was one of ours. */
  heard(output: Heard): boolean {
    const asked = this.#asked.get(output.transaction);
    if (asked === undefined) return false;
    const status = output.do === 'response' ? output.message.status : output.why === 'timeout' ? 408 : 503;
    if (status < 200) return true;
    this.#asked.delete(output.transaction);
    const { held, what } = asked;
    if (what === 'probe') this.#feed(held, { on: 'probed', status });
    else {
      const granted = output.do === 'response' ? Number(output.message.contacts[0]?.params.get('expires')) : Number.NaN;
      const seconds =
        granted > 0 ? granted : ((output.do === 'response' ? output.message.expires : undefined) ?? EXPIRES);
      this.#feed(held, { on: 'registered', status, seconds });
    }
    return true;
  }

  standing(id: string): {
    readonly state: 'up' | 'down' | 'unknown' | 'off';
    readonly cause?: string;
    readonly registered?: boolean;
  } {
    const held = this.#held.get(id);
    if (held === undefined) return { state: 'off' };
    const { at, cause, registers, registered } = held.health;
    return { state: at, ...(cause === undefined ? {} : { cause }), ...(registers ? { registered } : {}) };
  }

  stop(): void {
    this.#stopped = true;
    for (const held of [...this.#held.values()]) this.#letGo(held);
  }

  #take(row: TrunkRow): void {
    const { settings } = row;
    const trunk = this.#trunkOf(row);
    const { expires = EXPIRES, probeEvery = PROBE_EVERY } = settings;
    const health = newHealth({
      ...{ registers: settings.mode === 'register', expires },
      probeEvery: probeEvery * 1000,
    });
    const held: Held = { trunk, row, health, callId: hex(this.#o.world.random.bytes(12)), seq: 0 };
    this.#held.set(row.id, held);
    for (const address of [settings.host, ...(settings.addresses ?? [])]) this.#o.trust(address);
    this.#feed(held, { on: 'start' });
  }

  #trunkOf({ id, settings, secret }: TrunkRow): Trunk {
    const { hash, key, world } = this.#o;
    const { username, transport } = settings;
    const domain = domainOf(settings);
    const realm = settings.realm ?? domain;
    const port = settings.port ?? (transport === 'tls' ? 5061 : 5060);
    const password = secret === null ? undefined : unseal(world.crypto, key, id, secret);
    if (username === undefined || password === undefined) return { id, settings, domain, port };
    const ha1 = (name: 'MD5' | 'SHA-256') => digestHa1(name, username, realm, password, hash);
    const credentials = { username, realm, ha1: { md5: ha1('MD5'), sha256: ha1('SHA-256') } };
    return { id, settings, domain, port, credentials };
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
      else this.#changed(held);
    }
    held.timer?.cancel();
    if (!this.#stopped) held.timer = clock.at(trunkHealth.due(held.health), () => this.#feed(held, TICK));
  }

  #changed({ trunk, health }: Held): void {
    const { bus, world } = this.#o;
    const { id, settings } = trunk;
    world.log.info('softswitch.trunk', { trunk: id, state: health.at, cause: health.cause });
    const cause = `trunk-down-${id}`;
    const text = `The trunk ${settings.name} does not serve: ${health.cause}.`;
    const told =
      health.at === 'down'
        ? bus.request('alarm.raise', { severity: 'major', cause, text }, SELF)
        : bus.request('alarm.clear', { cause }, SELF);
    void told.catch(() => undefined);
  }

  async #flow(id: string): Promise<Flow | undefined> {
    const held = this.#held.get(id);
    if (held === undefined) return undefined;
    const { settings, port } = held.trunk;
    try {
      const flow = await this.#o.flowTo({
        ...{ protocol: settings.transport ?? 'udp', host: settings.host, port },
        timeout: CONNECT_WITHIN,
      });
      held.flowId = flow.id;
      this.#o.trust(flow.remote.host);
      return flow;
    } catch {
      return undefined;
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
    const flow = last ? await this.#flowOnce(held) : await this.#flow(held.row.id);
    if (flow === undefined) {
      if (last) return;
      this.#feed(
        held,
        what === 'probe' ? { on: 'probed', status: 503 } : { on: 'registered', status: 503, seconds: 0 },
      );
      return;
    }
    const message = newRequest(method, `sip:${held.trunk.domain}`, lines(flow));
    const { credentials } = held.trunk;
    this.#o.sip.act((endpoint, now, out) => {
      const handle = endpoint.request(message, flow, now, out, credentials);
      if (!last) this.#asked.set(handle, { held, what });
    });
  }

  /** For the word of farewell of a trunk that is gone already. */
  #flowOnce({ trunk: { settings, port } }: Held): Promise<Flow | undefined> {
    const to = { protocol: settings.transport ?? ('udp' as const), host: settings.host, port, timeout: CONNECT_WITHIN };
    return this.#o.flowTo(to).catch(() => undefined);
  }

  #contact(flow: Flow, user: string): string {
    const uri = parseUri(this.#o.sip.contact(flow));
    return uri === undefined ? '' : writeUri({ ...uri, user });
  }
}

function same(a: TrunkRow, b: TrunkRow): boolean {
  return a.secret === b.secret && JSON.stringify(a.settings) === JSON.stringify(b.settings);
}
