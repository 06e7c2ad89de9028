/** What leads out of the operator's own numbers: trunks, emergency calls and what they need, put together. */
import type { Handlers } from '#cloud/bus/bus.ts';
import type { Fleet } from '#cloud/bus/fleet.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { onRenewed } from '#cloud/bus/server-certificate.ts';
import { sealingKey } from '#cloud/store/sealed.ts';
import { CANCELLED } from '#shared/call/outcome.ts';
import type { SipPort } from '#shared/host/call-driver.ts';
import type { SipTransport } from '#shared/host/sip.ts';
import { flowsByName, type NamedFlow, SipResolver } from '#shared/host/sip-resolver.ts';
import { type IdPrefix, newId } from '#shared/kernel/ids.ts';
import type { Address } from '#shared/kernel/world.ts';
import type { DigestHash } from '#shared/sip/digest.ts';
import type { EndpointOutput, Flow } from '#shared/sip/types.ts';
import { OutsideGuard } from './abuse/guard.ts';
import { Addresses } from './emergency/addresses.ts';
import { Emergency } from './emergency/emergency.ts';
import { listEmergencyCalls } from './emergency/list.ts';
import { SharedSpending } from './fleet/shared-spending.ts';
import { CallerIdentity } from './identity/identity.ts';
import type { Lines } from './lines.ts';
import type { Live } from './live.ts';
import { followsTo } from './trunk/contact.ts';
import { ENUM_ID, Enum } from './trunk/enum.ts';
import { isTrunkFault, SILENCE, type TrunkWay, type WayFailure } from './trunk/trunk.ts';
import { Trunks } from './trunk/trunks.ts';
import { trunkHandlers } from './trunk/verbs.ts';

export interface OutsideOptions {
  readonly context: PartContext;
  readonly sip: SipPort;
  readonly transport: Pick<SipTransport, 'flowTo' | 'trust' | 'believe' | 'renew'>;
  readonly hash: DigestHash;
  readonly lines: Lines;
  /** Calls that a line or trunk has. */
  readonly callsOf: (id: string) => number;
  readonly isOurs: (host: string) => boolean;
  /** Ends a call. */
  readonly end: (call: string) => void;
}

type Verbs =
  | 'barring.list'
  | 'barring.set'
  | 'barring.lift'
  | 'outside.limits.get'
  | 'outside.limits.set'
  | 'trunk.create'
  | 'trunk.list'
  | 'trunk.get'
  | 'trunk.set'
  | 'trunk.delete'
  | 'identity.get'
  | 'identity.set'
  | 'identity.key.create'
  | 'enum.get'
  | 'enum.set'
  | 'enum.find'
  | 'emergency.call.list';

export class Outside {
  readonly trunks: Trunks;
  readonly emergency: Emergency;
  readonly addresses: Addresses;
  readonly guard: OutsideGuard;
  readonly identity: CallerIdentity;
  readonly enum: Enum;
  readonly #o: OutsideOptions;
  readonly #key: Uint8Array;
  #leave: (() => void) | undefined;

  constructor(options: OutsideOptions) {
    this.#o = options;
    const { context, sip, transport, hash, lines, callsOf } = options;
    const { world, store, bus, config } = context;
    this.#key = sealingKey(world.crypto, config.authority.key, 'trunk');
    this.addresses = new Addresses(store, world.clock, world.log);
    const { sipDns } = config;
    const resolver =
      sipDns === undefined
        ? undefined
        : new SipResolver(world, { servers: [sipDns], protocols: ['udp', 'tcp', 'tls'] });
    this.trunks = new Trunks({
      ...{ world, store, bus, sip, hash, callsOf, key: this.#key },
      flowsTo: (to) => flowsByName(transport, resolver, to),
      servers: resolver,
      own: config.server,
      trust: (address) => transport.trust(address),
      believe: (authorities) => transport.believe(authorities),
    });
    this.identity = new CallerIdentity({ world, store, bus, key: this.#key });
    this.enum = new Enum({
      ...{ world, store, bus, resolver, domain: config.domain, isOurs: options.isOurs },
      flowsTo: (to) => flowsByName(transport, resolver, to),
      calls: () => callsOf(ENUM_ID),
    });
    this.guard = new OutsideGuard({
      ...{ world, store, bus, end: options.end },
      ...(context.fleet && {
        shared: {
          spending: new SharedSpending(store, world.clock),
          barred: () => bus.publish('trunks.changed', {}),
        },
      }),
    });
    this.emergency = new Emergency({
      ...{ world, store, bus, lines, trunks: this.trunks, addresses: this.addresses, domain: config.domain },
      newId: (prefix: IdPrefix) => newId(prefix, world.clock.wall(), world.random.bytes(10)),
    });
  }

  handlers(): Pick<Handlers<'softswitch'>, Verbs> {
    const { world, store, bus, config } = this.#o.context;
    const { bound, sipDns } = config;
    return {
      ...this.guard.handlers(),
      ...this.identity.handlers(),
      ...this.enum.handlers(),
      ...trunkHandlers({
        ...{ world, store, bus, trunks: this.trunks, key: this.#key },
        callsOf: this.#o.callsOf,
        isOurs: this.#o.isOurs,
        named: sipDns !== undefined,
        ownPorts: () => [bound.sipUdp, bound.sipTcp, bound.sips].flatMap((at) => at?.port ?? []),
      }),
      'emergency.call.list': (request) => listEmergencyCalls(store, request),
    };
  }

  /** Reads what an earlier process left; the trunks themselves begin with `begin`. */
  async load(): Promise<void> {
    const { addresses, emergency, guard, identity } = this;
    await Promise.all([addresses, emergency, guard, identity, this.enum].map((one) => one.load()));
  }

  /** Registers at the carriers; needs bound sockets. */
  async begin(): Promise<void> {
    const { bus, world, fleet } = this.#o.context;
    if (fleet !== undefined) this.trunks.lead(leads(fleet));
    await this.trunks.load();
    fleet?.onChange(() => this.trunks.lead(leads(fleet)));
    const renewed = onRenewed(this.#o.context, (own) => this.#o.transport.renew(own));
    const changed = bus.subscribe('trunks.changed', () => {
      const { trunks, emergency, identity, guard } = this;
      Promise.all([trunks, emergency, identity, guard, this.enum].map((one) => one.load())).catch((error: unknown) =>
        world.log.error('softswitch.trunks-not-read', { error: String(error) }),
      );
    });
    this.#leave = () => {
      renewed();
      changed();
    };
  }

  /** Whether whoever opened a connection with a certificate of its own authority is a carrier; a source that is may send more. */
  admits(flow: Flow): boolean {
    const isCarrier = this.trunks.admits(flow);
    if (isCarrier) this.#o.transport.trust(flow.remote.host);
    return isCarrier;
  }

  /** True where the calls of a trunk lead on to that address. */
  follows(flow: Flow, host: string): boolean {
    const trunk = this.trunks.of(flow);
    return trunk !== undefined && followsTo(trunk.settings, flow.remote.host, host) && !this.#o.isOurs(host);
  }

  /** What the calls of trunks need that lost their connection. */
  get trunkFlows(): {
    readonly isTrunk: (flow: Flow) => boolean;
    readonly waysTo: (trunk: string) => Promise<TrunkWay[]>;
    readonly wayBack: (trunk: string, at: Address, instead: Flow) => Promise<readonly NamedFlow[]>;
  } {
    const { trunks } = this;
    return {
      isTrunk: (flow) => trunks.of(flow) !== undefined,
      waysTo: (id) => trunks.waysBy(id, () => ''),
      wayBack: (id, at, instead) => trunks.wayBack(id, at, instead),
    };
  }

  /** True where it was an answer to a request of a trunk's. */
  heard(output: Extract<EndpointOutput, { do: 'response' | 'no-response' }>): boolean {
    return this.trunks.heard(output);
  }

  /** A trunk took a call, or did not; where `next` is the trunk's too, only that server of it. */
  trunkHeard(way: TrunkWay, heard: 'works' | WayFailure, next?: TrunkWay): void {
    if (heard !== 'works' && !isTrunkFault(heard)) return;
    this.trunks.serverHeard(way, heard === 'works');
    if (heard === 'works') this.trunks.works(way.trunk.id);
    else if (next?.trunk.id !== way.trunk.id) this.trunks.failed(way.trunk.id, heard);
  }

  /** A call that another process had, or this one before it was started again. */
  adopted({ way, line }: Live): void {
    if (way !== undefined && line !== undefined) this.guard.adopted(line.home);
  }

  /** A call is over. */
  over(live: Live, reason: string): void {
    this.guard.ended(live.id, live.way !== undefined);
    if (live.help !== undefined) {
      const unserved = live.answeredAt === undefined && reason !== CANCELLED;
      this.emergency.over(live.help, { line: live.line?.id, trunk: live.way, outcome: reason, unserved });
    }
    if (live.answeredAt !== undefined || live.tried === undefined) return;
    const silent = reason === 'server_unavailable' || reason === 'timeout';
    const failure = live.failure ?? (silent ? SILENCE : undefined);
    if (failure !== undefined) this.trunkHeard(live.tried, failure);
  }

  stop(): void {
    this.#leave?.();
    this.guard.stop();
    this.trunks.stop();
  }
}

/** Of several processes the first registers at the carriers. */
const leads = (fleet: Fleet): boolean => fleet.alive()[0] === fleet.owner;
