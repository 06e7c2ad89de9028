/** The servers of SIP URIs for whoever sends requests out (RFC 3263): found by DNS, and those that failed of late put last (section 4.3). */
import { NetError, type World } from '../kernel/world.ts';
import type { DnsAnswer, DnsType } from '../sip/dns-message.ts';
import { type Hop, locate } from '../sip/locate.ts';
import type { Flow, OpenedProtocol } from '../sip/types.ts';
import type { SipUri } from '../sip/uri.ts';
import { Dns, type DnsOptions } from './dns.ts';
import type { FlowOptions, SipTransport } from './sip.ts';

/** Milliseconds for which a server that failed is tried only after all others. */
export const AVOID_FOR = 60_000;
/** Servers avoided at once; the longest known is forgotten. */
export const AVOIDED = 1_000;

export interface SipResolverOptions extends DnsOptions {
  readonly protocols: readonly OpenedProtocol[];
  readonly families?: readonly (4 | 6)[];
}

const keyOf = ({ protocol, host, port }: Hop): string => `${protocol} ${host} ${port}`;

export class SipResolver {
  readonly #world: Pick<World, 'clock' | 'net' | 'random'>;
  readonly #options: SipResolverOptions;
  readonly #dns: Dns;
  readonly #avoided = new Map<string, number>();

  constructor(world: Pick<World, 'clock' | 'net' | 'random'>, options: SipResolverOptions) {
    this.#world = world;
    this.#options = options;
    this.#dns = new Dns(world, options);
  }

  /** What DNS says of a name; kept for its time. Never rejects. */
  lookup(name: string, type: DnsType): Promise<DnsAnswer> {
    return this.#dns.lookup(name, type);
  }

  /** Servers to be tried in this order; none where there is no way. */
  async locate(uri: SipUri): Promise<Hop[]> {
    const { protocols, families = [4, 6] } = this.#options;
    const lookup = this.#dns.lookup.bind(this.#dns);
    const hops = await locate(uri, { lookup, fraction: () => this.#world.random.fraction(), protocols, families });
    const now = this.#world.clock.mono();
    const bad = (hop: Hop): boolean => (this.#avoided.get(keyOf(hop)) ?? 0) > now;
    return [...hops.filter((hop) => !bad(hop)), ...hops.filter(bad)];
  }

  /** It could not be reached, said nothing, or 503. */
  failed(hop: Hop): void {
    const key = keyOf(hop);
    this.#avoided.delete(key);
    this.#avoided.set(key, this.#world.clock.mono() + AVOID_FOR);
    const oldest = this.#avoided.size > AVOIDED ? this.#avoided.keys().next().value : undefined;
    if (oldest !== undefined) this.#avoided.delete(oldest);
  }

  worked(hop: Hop): void {
    this.#avoided.delete(keyOf(hop));
  }
}

/** Servers of one name that are gone through. */
export const SERVERS = 8;

/** A flow, and the server of a name to which it leads. */
export interface NamedFlow {
  readonly flow: Flow;
  readonly hop?: Hop;
}

/** As `FlowOptions`; without `protocol` or `port` DNS names them (RFC 3263 sections 4.1 and 4.2), for an address they are SIP's own. */
export type NamedPeer = Omit<FlowOptions, 'protocol' | 'port'> & {
  readonly protocol?: OpenedProtocol | undefined;
  readonly port?: number | undefined;
};

/**
 * The ways to a peer that is named, best first: over UDP each of its servers, since only a request shows who lives; of connections the
 * first that stands. Rejects with a NetError where there is none; an address needs no resolver.
 */
export async function flowsByName(
  transport: Pick<SipTransport, 'flowTo'>,
  resolver: SipResolver | undefined,
  to: NamedPeer,
): Promise<NamedFlow[]> {
  const { protocol, host, port } = to;
  if (resolver === undefined || host.includes(':') || /^[0-9.]+$/.test(host)) {
    const used = protocol ?? 'udp';
    return [{ flow: await transport.flowTo({ ...to, protocol: used, port: port ?? (used === 'tls' ? 5061 : 5060) }) }];
  }
  const params = new Map(protocol === undefined ? [] : [['transport', protocol]]);
  const found: NamedFlow[] = [];
  let last: unknown = new NetError('ENOTFOUND', `no SIP server is known for ${host}`);
  for (const hop of (await resolver.locate({ scheme: 'sip', host, params, port })).slice(0, SERVERS)) {
    if (hop.protocol !== 'udp' && found.length > 0) continue;
    try {
      const tls =
        hop.protocol === 'tls' ? { tls: { ...to.tls, serverName: to.tls?.serverName ?? hop.serverName } } : {};
      const flow = await transport.flowTo({ ...to, protocol: hop.protocol, host: hop.host, port: hop.port, ...tls });
      found.push({ flow, hop });
    } catch (error) {
      if (!(error instanceof NetError)) throw error;
      resolver.failed(hop);
      last = error;
    }
  }
  if (found.length === 0) throw last;
  return found;
}

/** The best of `flowsByName`. A port that is the protocol's own counts as none, so that DNS may name another (RFC 3263 section 4.2). */
export async function flowByName(
  transport: Pick<SipTransport, 'flowTo'>,
  resolver: SipResolver | undefined,
  to: FlowOptions,
): Promise<Flow> {
  const usual = to.port === (to.protocol === 'tls' ? 5061 : 5060);
  const [first] = await flowsByName(transport, resolver, { ...to, port: usual ? undefined : to.port });
  if (first === undefined) throw new NetError('ENOTFOUND', `no SIP server is known for ${to.host}`);
  return first.flow;
}
