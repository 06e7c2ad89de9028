/**
 * What Linux tells about the board and its network, read from /proc, /sys and /etc/resolv.conf. A file that is not there (another
 * board, the virtual world) leaves its fact out. The readers are pure.
 */
import { latin1 } from '#shared/kernel/bytes.ts';
import type { Disk } from '#shared/kernel/world.ts';
import { readNeighbours } from '../home-network/lan.ts';

export interface Link {
  readonly up?: boolean;
  readonly mtu?: number;
  /** Packets received and those of them in error since the interface came up. */
  readonly packets?: number;
  readonly errors?: number;
}

export interface Board {
  /** Degrees Celsius. */
  readonly temperature?: number;
  /** Bits of the Raspberry Pi's firmware: 0 under-voltage now, 2 throttled now, 16 and 18 the same since the start. */
  readonly throttled?: number;
  /** Octets. */
  readonly memory?: { readonly available: number; readonly total: number };
  /** Null: the kernel has no default route. */
  readonly route?: { readonly router: string; readonly interface: string } | null;
  /** Whether the kernel's neighbour table holds the router's hardware address. */
  readonly routerKnown?: boolean;
  readonly nameservers: readonly string[];
  readonly links: ReadonlyMap<string, Link>;
}

const PATHS = {
  temperature: '/sys/class/thermal/thermal_zone0/temp',
  throttled: '/sys/devices/platform/soc/soc:firmware/get_throttled',
  memory: '/proc/meminfo',
  route: '/proc/net/route',
  neighbours: '/proc/net/arp',
  names: '/etc/resolv.conf',
} as const;

/** Reads what there is; `interfaces` are the names to look at. Never rejects. */
export async function readBoard(disk: Disk, interfaces: readonly string[]): Promise<Board> {
  const text = async (path: string) => {
    const octets = await disk.read(path).catch(() => undefined);
    return octets === undefined ? undefined : latin1(octets);
  };
  const [temperature, throttled, memory, routes, neighbours, names] = await Promise.all([
    text(PATHS.temperature),
    text(PATHS.throttled),
    text(PATHS.memory),
    text(PATHS.route),
    text(PATHS.neighbours),
    text(PATHS.names),
  ]);
  const links = new Map<string, Link>();
  // One name per interface, and none that leads elsewhere in the file system.
  for (const name of new Set(interfaces.filter((one) => /^[A-Za-z0-9_.-]{1,15}$/.test(one) && !one.startsWith('.')))) {
    const at = `/sys/class/net/${name}`;
    const [state, mtu, packets, errors] = await Promise.all(
      ['operstate', 'mtu', 'statistics/rx_packets', 'statistics/rx_errors'].map((file) => text(`${at}/${file}`)),
    );
    links.set(name, {
      // `unknown` is what tunnels and bridges say that are up.
      ...(state === undefined ? {} : { up: !/^(down|lowerlayerdown|notpresent)/.test(state) }),
      ...number('mtu', mtu),
      ...number('packets', packets),
      ...number('errors', errors),
    });
  }
  const route = routes === undefined ? undefined : readRoute(routes);
  const known = neighbours === undefined ? undefined : readNeighbours(neighbours);
  return {
    ...(temperature === undefined ? {} : { temperature: Number(temperature) / 1000 }),
    ...(throttled === undefined ? {} : { throttled: Number.parseInt(throttled, 16) }),
    ...(memory === undefined ? {} : readMemory(memory)),
    ...(route === undefined ? {} : { route }),
    ...(route && known ? { routerKnown: known.has(route.router) } : {}),
    nameservers: readNameservers(names ?? ''),
    links,
  };
}

function number<K extends string>(name: K, text: string | undefined): { [P in K]?: number } {
  const value = Number.parseInt(text ?? '', 10);
  return (Number.isFinite(value) ? { [name]: value } : {}) as { [P in K]?: number };
}

/** The default route of `/proc/net/route`; null where there is none. Addresses stand there in the machine's own (little-endian) order. */
export function readRoute(text: string): { router: string; interface: string } | null {
  for (const line of text.split('\n').slice(1)) {
    const [name = '', target, router = ''] = line.trim().split(/\s+/);
    if (target !== '00000000' || !/^[0-9A-F]{8}$/i.test(router)) continue;
    const octets = [6, 4, 2, 0].map((at) => Number.parseInt(router.slice(at, at + 2), 16));
    return { router: octets.join('.'), interface: name };
  }
  return null;
}

/** The first three `nameserver` lines of resolv.conf(5); the resolver uses no more. */
export function readNameservers(text: string): string[] {
  return [...text.matchAll(/^[ \t]*nameserver[ \t]+([0-9a-fA-F.:]+)/gm)].map((match) => match[1] ?? '').slice(0, 3);
}

function readMemory(text: string): { memory?: { available: number; total: number } } {
  const of = (name: string) => Number(new RegExp(`^${name}:\\s+([0-9]+) kB`, 'm').exec(text)?.[1]) * 1024;
  const [available, total] = [of('MemAvailable'), of('MemTotal')];
  return Number.isFinite(available) && Number.isFinite(total) ? { memory: { available, total } } : {};
}
