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

/** What the server says of the name; undefined for what is no answer to this question. A name without an A record may have others. */
export function readNameAnswer(id: number, data: Uint8Array): 'known' | 'unknown' | undefined {
  if (data.length < 12) return undefined;
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const flags = view.getUint16(2);
  if (view.getUint16(0) !== id || (flags & 0x8000) === 0) return undefined;
  const code = flags & 15;
  if (code === 3) return 'unknown';
  return code === 0 ? 'known' : undefined;
}
