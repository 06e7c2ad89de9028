/** The keep-alive of SIP over UDP: a STUN binding request on the SIP port is answered with the address it came from (RFC 5626 section 4.4.2, RFC 5389). */
import type { Address } from '../kernel/world.ts';

const COOKIE = [0x21, 0x12, 0xa4, 0x42];
const HEADER = 20;
const BINDING_SUCCESS = [0x01, 0x01];
const XOR_MAPPED_ADDRESS = [0x00, 0x20];

/** The answer to a datagram that is a STUN binding request; undefined for anything else. `from` holds a literal address. */
export function answerStun(data: Uint8Array, from: Address): Uint8Array | undefined {
  if (data.length < HEADER || data[0] !== 0 || data[1] !== 1) return undefined;
  const length = (data[2] ?? 0) * 256 + (data[3] ?? 0);
  if (length !== data.length - HEADER || COOKIE.some((octet, i) => data[4 + i] !== octet)) return undefined;
  const address = octetsOf(from.host);
  if (address === undefined) return undefined;
  const mask = data.subarray(4, HEADER);
  const value = [
    ...[0, address.length === 4 ? 1 : 2],
    ...[(from.port >> 8) ^ (mask[0] ?? 0), (from.port & 255) ^ (mask[1] ?? 0)],
    ...address.map((octet, i) => octet ^ (mask[i] ?? 0)),
  ];
  const body = [...XOR_MAPPED_ADDRESS, 0, value.length, ...value];
  return Uint8Array.of(...BINDING_SUCCESS, 0, body.length, ...mask, ...body);
}

/** The octets of a literal address; undefined where it is none. */
function octetsOf(host: string): number[] | undefined {
  if (!host.includes(':')) {
    const parts = host.split('.').map(Number);
    return parts.length === 4 && parts.every((part) => part >= 0 && part < 256) ? parts : undefined;
  }
  const [head = '', tail, more] = host.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [front, back] = [groups(head), groups(tail ?? '')];
  const gap = 8 - front.length - back.length;
  if (more !== undefined || gap < 0 || (tail === undefined && gap !== 0)) return undefined;
  const all = [...front, ...new Array<number>(gap).fill(0), ...back];
  return all.every((group) => group >= 0 && group < 65_536)
    ? all.flatMap((group) => [group >> 8, group & 255])
    : undefined;
}
