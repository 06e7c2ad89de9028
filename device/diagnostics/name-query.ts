/** One question to a name server (RFC 1035 section 4) and what its answer means. Pure. */

/** Asks for the A records of a name. */
export function nameQuery(id: number, name: string): Uint8Array {
  const octets = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const label of name.split('.').filter((one) => one !== '')) {
    const bytes = [...label].map((character) => character.charCodeAt(0) & 127).slice(0, 63);
    octets.push(bytes.length, ...bytes);
  }
  octets.push(0, 0, 1, 0, 1);
  return Uint8Array.from(octets);
}

/**
 * What the server says of the name: that there is none, or its IPv4 addresses; undefined for what is no answer to this question. A
 * name without an A record may have others.
 */
export function readNameAnswer(id: number, data: Uint8Array): readonly string[] | 'unknown' | undefined {
  if (data.length < 12) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== id || (flags & 0x8000) === 0) return undefined;
  const code = flags & 15;
  if (code === 3) return 'unknown';
  return code === 0 ? addressesOf(data, view) : undefined;
}

/** Addresses that are shown; a server may give any number. */
const ADDRESSES = 4;

/** The A records among the answers, in their order, as far as they can be read. */
function addressesOf(data: Uint8Array, view: DataView): string[] {
  const found: string[] = [];
  let at = 12;
  for (let left = view.getUint16(4); left > 0; left--) at = afterName(data, at) + 4;
  for (let left = view.getUint16(6); left > 0 && found.length < ADDRESSES; left--) {
    at = afterName(data, at);
    if (at + 10 > data.length) break;
    const [type, size] = [view.getUint16(at), view.getUint16(at + 8)];
    at += 10 + size;
    if (type === 1 && size === 4 && at <= data.length) found.push(data.subarray(at - 4, at).join('.'));
  }
  return found;
}

/** The octet after a name: its labels end with an empty one or a pointer (RFC 1035 section 4.1.4). */
function afterName(data: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const size = data[at] ?? 0;
    if (size >= 0xc0) return at + 2;
    at += 1 + size;
    if (size === 0) return at;
  }
}
