/** Finding the servers of a SIP URI (RFC 3263 section 4): transport, port and addresses, in the order in which they are to be tried. */
import type { DnsAnswer, DnsType, NaptrRecord, SrvRecord } from './dns-message.ts';
import type { OpenedProtocol } from './types.ts';
import type { SipUri } from './uri.ts';

/** A server to be tried. */
export interface Hop {
  readonly protocol: OpenedProtocol;
  /** A literal address. */
  readonly host: string;
  readonly port: number;
  /** The name that its certificate must hold (RFC 5922 section 4): that of the URI, not of what DNS made of it. */
  readonly serverName: string;
}

export interface LocateOptions {
  readonly lookup: (name: string, type: DnsType) => Promise<DnsAnswer>;
  /** A number in [0, 1). */
  readonly fraction: () => number;
  /** Protocols that we speak. */
  readonly protocols: readonly OpenedProtocol[];
  /** Addresses that we can reach. */
  readonly families: readonly (4 | 6)[];
}

/** Names tried for one URI. */
const TARGET_LIMIT = 16;

const SERVICES: Readonly<Record<string, OpenedProtocol>> = { 'SIP+D2U': 'udp', 'SIP+D2T': 'tcp', 'SIPS+D2T': 'tls' };
const PREFIX: Readonly<Record<OpenedProtocol, string>> = { udp: '_sip._udp', tcp: '_sip._tcp', tls: '_sips._tcp' };

const portOf = (protocol: OpenedProtocol): number => (protocol === 'tls' ? 5061 : 5060);

/** A name and port to look addresses up for. */
interface Target {
  readonly protocol: OpenedProtocol;
  readonly host: string;
  readonly port: number;
}

/** The servers of a URI, best first; none where there is no way that we could go. */
export async function locate(uri: SipUri, options: LocateOptions): Promise<Hop[]> {
  const named = uri.host.toLowerCase();
  const host = uri.params.get('maddr') ?? named;
  const asked = transportOf(uri);
  if (asked === null || (asked !== undefined && !options.protocols.includes(asked))) return [];
  const secure = uri.scheme === 'sips';
  const plain: OpenedProtocol = asked ?? (secure ? 'tls' : 'udp');
  if (isAddress(host) || uri.port !== undefined) {
    if (!options.protocols.includes(plain)) return [];
    return addressed([{ protocol: plain, host, port: uri.port ?? portOf(plain) }], named, options);
  }
  const found = asked === undefined ? await byName(host, secure, options) : await bySrv(host, asked, options);
  if (found.outcome !== 'none') return addressed(found.targets, named, options);
  const last = found.protocol ?? plain;
  if (!options.protocols.includes(last)) return [];
  return addressed([{ protocol: last, host, port: portOf(last) }], named, options);
}

/**
 * What the records of a name lead to. `none`: it has none, so that its addresses are the servers, by `protocol` where a NAPTR record named
 * one (section 4.2). `unknown`: DNS could not say, and the addresses may be anybody's but the service's.
 */
type Found =
  | { readonly outcome: 'found' | 'unknown'; readonly targets: readonly Target[] }
  | { readonly outcome: 'none'; readonly targets: readonly []; readonly protocol?: OpenedProtocol };

/** The transport that the URI asks for; null for one that nobody can open (section 4.1). */
function transportOf({ scheme, params }: SipUri): OpenedProtocol | null | undefined {
  const transport = params.get('transport')?.toLowerCase();
  if (transport === undefined) return undefined;
  if (transport === 'tls' || (transport === 'tcp' && scheme === 'sips')) return 'tls';
  if (transport === 'tcp') return 'tcp';
  return transport === 'udp' && scheme !== 'sips' ? 'udp' : null;
}

/**
 * By NAPTR, or else by SRV for each protocol that we speak. Where a domain names services of SIP and none of them is for us, there is no way
 * (section 4.1). A NAPTR look-up that failed costs the domain's order among its protocols, and no more: the servers are in SRV.
 */
async function byName(host: string, secure: boolean, options: LocateOptions): Promise<Found> {
  const records = (await options.lookup(host, 'NAPTR')).records as readonly NaptrRecord[];
  const usable = (protocol: OpenedProtocol | undefined): protocol is OpenedProtocol =>
    protocol !== undefined && options.protocols.includes(protocol) && (!secure || protocol === 'tls');
  const services = records.filter(({ service }) => /^SIPS?\+D2/.test(service));
  const ways = services
    .flatMap((record) => {
      const protocol = SERVICES[record.service];
      return record.flags === 'S' && usable(protocol) ? [{ ...record, protocol }] : [];
    })
    .sort((a, b) => a.order - b.order || a.preference - b.preference);
  const [best] = ways;
  if (best !== undefined) {
    const all = joined(await Promise.all(ways.map(({ replacement, protocol }) => srv(replacement, protocol, options))));
    return all.outcome === 'none' ? { ...all, protocol: best.protocol } : all;
  }
  if (services.length > 0) return { outcome: 'found', targets: [] };
  const spoken = (['tls', 'tcp', 'udp'] as const).filter(usable);
  return joined(await Promise.all(spoken.map((protocol) => bySrv(host, protocol, options))));
}

/** Servers that are known are tried, whatever could not be learnt of others. */
function joined(all: readonly Found[]): Found {
  const targets = all.flatMap((one) => one.targets);
  if (all.some(({ outcome }) => outcome === 'found')) return { outcome: 'found', targets };
  return all.some(({ outcome }) => outcome === 'unknown')
    ? { outcome: 'unknown', targets }
    : { outcome: 'none', targets: [] };
}

const bySrv = (host: string, protocol: OpenedProtocol, options: LocateOptions) =>
  srv(`${PREFIX[protocol]}.${host}`, protocol, options);

async function srv(name: string, protocol: OpenedProtocol, options: LocateOptions): Promise<Found> {
  const { outcome, records } = await options.lookup(name, 'SRV');
  if (outcome === 'none') return { outcome, targets: [] };
  if (outcome !== 'found') return { outcome: 'unknown', targets: [] };
  const targets = ordered(records as readonly SrvRecord[], options.fraction).flatMap(({ target, port }) =>
    target === '' ? [] : [{ protocol, host: target, port }],
  );
  return { outcome, targets };
}

/** By priority, and within one by chance in proportion to the weights (RFC 2782). */
export function ordered(records: readonly SrvRecord[], fraction: () => number): SrvRecord[] {
  const result: SrvRecord[] = [];
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  for (const priority of priorities) {
    // Those of weight 0 stand first, so that they have a small chance.
    const left = records
      .filter((one) => one.priority === priority)
      .sort((a, b) => Number(a.weight > 0) - Number(b.weight > 0));
    while (left.length > 0) {
      const sum = left.reduce((total, { weight }) => total + weight, 0);
      // 0 is drawn for those alone: else whoever stands first would have it too, which is a third of all between two of weight 1.
      const least = left[0]?.weight === 0 ? 0 : 1;
      const mark = least + Math.floor(fraction() * (sum + 1 - least));
      let running = 0;
      const at = left.findIndex(({ weight }) => {
        running += weight;
        return running >= mark;
      });
      result.push(...left.splice(Math.max(0, at), 1));
    }
  }
  return result;
}

async function addressed(targets: readonly Target[], serverName: string, options: LocateOptions): Promise<Hop[]> {
  const hops: Hop[] = [];
  for (const { protocol, host, port } of targets.slice(0, TARGET_LIMIT)) {
    for (const address of isAddress(host) ? [host] : await addressesOf(host, options)) {
      hops.push({ protocol, host: address, port, serverName });
    }
  }
  return hops;
}

async function addressesOf(host: string, { lookup, families }: LocateOptions): Promise<string[]> {
  const types = families.map((family) => (family === 4 ? ('A' as const) : ('AAAA' as const)));
  const answers = await Promise.all(types.map((type) => lookup(host, type)));
  return answers.flatMap(({ records }) => records.flatMap((one) => ('address' in one ? [one.address] : [])));
}

const isAddress = (host: string): boolean => host.includes(':') || /^[0-9.]+$/.test(host);
