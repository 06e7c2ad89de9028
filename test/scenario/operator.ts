/** An operator on the virtual world, made of the real parts, and phones for it. */

import type { CloudConfig } from '#cloud/bus/config.ts';
import { createBus, type InProcessBus } from '#cloud/bus/in-process.ts';
import type { Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { billing } from '#cloud/farm/billing/server.ts';
import { conference } from '#cloud/farm/conference/server.ts';
import { createMediaServer, threadEngine } from '#cloud/farm/media/server.ts';
import { qos } from '#cloud/farm/qos/server.ts';
import { softswitch } from '#cloud/farm/softswitch/server.ts';
import { sessionManager } from '#cloud/session-manager/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { sipHash } from '#shared/host/sip-hash.ts';
import type { TlsClientOptions, World } from '#shared/kernel/world.ts';
import type { ServerName } from '#shared/protocol/servers.ts';
import type { VerbName, VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { digestHa1 } from '#shared/sip/digest.ts';
import { Phone, type PhoneOptions } from '#simulator/phone.ts';
import { VirtualFleet } from '#simulator/virtual-fleet.ts';
import { VirtualWorld } from '#simulator/world.ts';

const CLOUD = '10.0.0.2';
const DAY = 86_400_000;
export const DOMAIN = 'operator.test';

export interface Line {
  readonly id: string;
  readonly home: string;
  readonly number: string;
  readonly username: string;
  readonly password: string;
}

export class Operator {
  readonly world: VirtualWorld;
  readonly cloud: World;
  readonly store: Store;
  readonly bus: InProcessBus;
  readonly config: CloudConfig;
  readonly running = new Map<ServerName, RunningPart>();
  /** The softswitch's processes, where it is asked to be several. */
  readonly fleet: VirtualFleet | undefined;
  readonly #parts: readonly Part[];

  private constructor(world: VirtualWorld, config: CloudConfig, softswitches: number) {
    this.world = world;
    this.fleet = softswitches === 0 ? undefined : new VirtualFleet({ count: softswitches, seed: world.seed });
    const calls = this.fleet?.part ?? softswitch;
    this.#parts = [billing, qos, createMediaServer(threadEngine), conference, calls, sessionManager];
    this.cloud = world.host('cloud', [CLOUD]);
    this.store = openLocalStore(':memory:');
    this.bus = createBus({ log: this.cloud.log, clock: this.cloud.clock });
    this.config = config;
  }

  /** Starts all parts, or those named; `log` hears every line. `softswitches`: so many processes of it, 0 for none of their own. */
  static async start(
    seed: number,
    names?: readonly ServerName[],
    log?: (line: string) => void,
    softswitches = 0,
  ): Promise<Operator> {
    const lines = log ?? (process.env.SIM_LOG ? (line: string) => console.log(line) : undefined);
    const world = new VirtualWorld({ seed, ...(lines && { log: lines }) });
    const operator = new Operator(world, await makeConfig(world), softswitches);
    for (const part of operator.#parts) {
      if (names === undefined || names.includes(part.name)) await operator.startPart(part.name);
    }
    return operator;
  }

  async startPart(name: ServerName): Promise<void> {
    const part = this.#parts.find((one) => one.name === name);
    const context: PartContext = { world: this.cloud, bus: this.bus, store: this.store, config: this.config };
    if (part === undefined) throw new Error(`no part ${name}`);
    this.running.set(name, await this.world.settle(part.start(context)));
  }

  async stopPart(name: ServerName): Promise<void> {
    await this.world.settle(this.running.get(name)?.stop() ?? Promise.resolve());
    this.running.delete(name);
  }

  async home(id: string): Promise<string> {
    await this.store.commit([sql('INSERT INTO home (id, name, created_at) VALUES (?, ?, ?)', id, id, 0)]);
    return id;
  }

  async line(home: string, n: number, more: { class?: string; name?: string } = {}): Promise<Line> {
    const line = { id: `line_${n}`, home, number: `+1555010${1000 + n}`, username: `u${n}`, password: `secret-${n}` };
    const hash = sipHash(this.cloud.crypto);
    const ha1 = (name: 'MD5' | 'SHA-256') => digestHa1(name, line.username, DOMAIN, line.password, hash);
    await this.store.commit([
      sql(
        'INSERT INTO line (id, home, number, username, name, class, kind, ha1_md5, ha1_sha256, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
        line.id,
        home,
        line.number,
        line.username,
        more.name ?? `Phone ${n}`,
        more.class ?? 'standard',
        'phone',
        ha1('MD5'),
        ha1('SHA-256'),
        0,
      ),
    ]);
    this.bus.publish('lines.changed', { home });
    return line;
  }

  /** A paired gateway of a home: what its TLS client shows. */
  async gateway(
    home: string,
    n: number,
    more: { state?: string } = {},
  ): Promise<{ id: string; tls: TlsClientOptions }> {
    const { crypto, clock } = this.cloud;
    const { certificate: ca, key: signer } = this.config.authority;
    const id = `gw_${n}`;
    const key = await crypto.createKey();
    const span = { notBefore: clock.wall() - DAY, notAfter: clock.wall() + 90 * DAY };
    const use = 'client' as const;
    const certificate = await crypto.issue({
      subject: id,
      issuer: ca,
      publicKey: key.publicKey,
      signer,
      ...span,
      use,
    });
    const serial = (await crypto.readCertificate(certificate))?.serial ?? '';
    await this.store.commit([
      sql(
        'INSERT INTO gateway (id, home, key_hash, state, certificate_serial, claimed_at) VALUES (?, ?, ?, ?, ?, ?)',
        ...[id, home, key.keyHash, more.state ?? 'paired', serial, 0],
      ),
    ]);
    return { id, tls: { ca, serverName: DOMAIN, certificate, key: key.privateKey } };
  }

  /** Options of a phone that speaks to the softswitch process of that place. */
  at(index: number): Partial<PhoneOptions> {
    const { sipUdp } = this.config.bound.softswitches?.[index] ?? {};
    if (sipUdp === undefined) throw new Error(`no softswitch process ${index}`);
    return { server: sipUdp };
  }

  /** Options of a phone behind that gateway, as far as the softswitch can tell: it speaks over the gateway's flow. */
  behind(gateway: { readonly tls: TlsClientOptions }): Partial<PhoneOptions> {
    const port = this.config.bound.sips?.port ?? 0;
    return { protocol: 'tls', tls: gateway.tls, server: { host: CLOUD, port } };
  }

  /** Asks a verb as the operator's own part. */
  async ask<V extends VerbName>(verb: V, request: VerbRequest<V>): Promise<VerbReply<V>> {
    const asked = this.bus.request(verb, request, { principal: { kind: 'part', part: 'application-server' } });
    const outcome = await this.world.settle(asked);
    if (!outcome.ok) throw new Error(`${verb}: ${outcome.fault.code} ${outcome.fault.detail ?? ''}`);
    return outcome.value;
  }

  /** A phone of a line straight at the softswitch, not yet registered. */
  async phone(line: Line, more: Partial<PhoneOptions> = {}): Promise<Phone> {
    const host = more.host ?? `10.1.0.${10 + Number(line.username.slice(1))}`;
    return this.world.settle(
      Phone.open({
        world: more.world ?? this.world.host(`phone-${host}`, [host]),
        host,
        server: { host: CLOUD, port: this.config.bound.sipUdp?.port ?? 0 },
        domain: DOMAIN,
        username: line.username,
        password: line.password,
        ...more,
      }),
    );
  }

  /** A registered phone. */
  async ready(line: Line, more: Partial<PhoneOptions> = {}): Promise<Phone> {
    const phone = await this.phone(line, more);
    const status = await this.world.settle(phone.register());
    if (status !== 200) throw new Error(`${line.username} could not register: ${status}`);
    return phone;
  }

  async stop(): Promise<void> {
    for (const name of [...this.running.keys()].reverse()) await this.stopPart(name);
    await this.store.close();
    this.world[Symbol.dispose]();
  }
}

async function makeConfig(world: VirtualWorld): Promise<CloudConfig> {
  const { crypto, clock } = world.host('authority', []);
  const authority = await crypto.createKey();
  const server = await crypto.createKey();
  const span = { notBefore: clock.wall() - DAY, notAfter: clock.wall() + 365 * DAY };
  const { privateKey: signer } = authority;
  const certificate = await crypto.issue({
    ...{ subject: 'Operator', publicKey: authority.publicKey, signer, ...span, use: 'authority' },
  });
  const issued = await crypto.issue({
    ...{ subject: DOMAIN, issuer: certificate, publicKey: server.publicKey, signer, ...span },
    use: 'server',
    names: [DOMAIN, CLOUD],
  });
  const any = { host: CLOUD, port: 0 };
  return {
    data: '/data',
    http: any,
    mqtt: any,
    sip: { host: CLOUD, port: 5060 },
    sips: { host: CLOUD, port: 5061 },
    media: { host: CLOUD, low: 20_000, high: 20_400 },
    publicHost: CLOUD,
    domain: DOMAIN,
    authority: { certificate, key: signer, keyHash: authority.keyHash },
    server: { certificate: issued, key: server.privateKey },
    bound: {},
  };
}
