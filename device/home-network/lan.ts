/** Addresses of a LAN: which sources count as being on the link, its broadcast address, and the kernel's neighbour table. */
import type { InterfaceAddress } from '#shared/kernel/world.ts';

/** Lines of the file of leases that are read. */
const LEASES_READ = 1000;

function number(host: string): number | undefined {
  const parts = host.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^[0-9]{1,3}$/.test(part) || Number(part) > 255)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** True where an IPv4 address lies on the interface's own network: only such sources are believed. */
export function onLink(lan: InterfaceAddress, host: string): boolean {
  const [own, other] = [number(lan.host), number(host)];
  if (own === undefined || other === undefined) return false;
  const size = 2 ** (32 - lan.prefix);
  return Math.floor(own / size) === Math.floor(other / size);
}

/** The directed broadcast address of an IPv4 interface. */
export function broadcastOf(lan: InterfaceAddress): string | undefined {
  const own = number(lan.host);
  if (own === undefined) return undefined;
  const size = 2 ** (32 - lan.prefix);
  const last = Math.floor(own / size) * size + size - 1;
  return [24, 16, 8, 0].map((shift) => Math.floor(last / 2 ** shift) % 256).join('.');
}

/** Addresses and MACs of Linux's `/proc/net/arp`; incomplete rows are left out. */
export function readNeighbours(text: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of text.split('\n').slice(1)) {
    const [host, , flags, mac] = line.trim().split(/\s+/);
    if (host !== undefined && mac !== undefined && flags !== '0x0' && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac))
      found.set(host, mac.toLowerCase());
  }
  return found;
}

/** Names that hosts gave when they asked for an address, by MAC: dnsmasq's file of leases (`expiry mac address name client`). */
export function readLeases(text: string): Map<string, string> {
  const names = new Map<string, string>();
  for (const line of text.split('\n', LEASES_READ)) {
    const [, mac, , name] = line.split(' ');
    if (mac === undefined || name === undefined || name === '*') continue;
    if (/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) names.set(mac.toLowerCase(), name);
  }
  return names;
}

/** The networks of a house: IPv4, not loopback, private or link-local (RFC 1918, RFC 3927). */
export function lansOf(addresses: readonly InterfaceAddress[]): InterfaceAddress[] {
  return addresses.filter((address) => address.family === 4 && !address.loopback && isPrivate(address.host));
}

export function isPrivate(host: string): boolean {
  const n = number(host);
  if (n === undefined) return false;
  const within = (base: string, prefix: number) =>
    Math.floor(n / 2 ** (32 - prefix)) === Math.floor((number(base) ?? 0) / 2 ** (32 - prefix));
  return within('10.0.0.0', 8) || within('172.16.0.0', 12) || within('192.168.0.0', 16) || within('169.254.0.0', 16);
}

/** The 102 octets that wake a network card: six of 0xff, then its address sixteen times. */
export function magicPacket(mac: string): Uint8Array {
  const octets = mac.split(':').map((part) => Number.parseInt(part, 16));
  const packet = new Uint8Array(102).fill(0xff, 0, 6);
  for (let i = 0; i < 16; i++) packet.set(octets, 6 + 6 * i);
  return packet;
}
