/**
 * Multicast DNS (RFC 6762) and DNS-SD (RFC 6763) as pure functions: the queries that a browser sends and the answers it reads.
 */
export const MDNS_GROUP = '224.0.0.251';
export const MDNS_PORT = 5353;
/** RFC 6762 section 17: a message is at most 9,000 octets. */
const MESSAGE_LIMIT = 9000;
const RECORD_LIMIT = 128;
/** Compression pointers followed in one name at the most; a loop ends there. */
const POINTER_LIMIT = 16;

export const TYPE = { A: 1, PTR: 12, TXT: 16, AAAA: 28, SRV: 33 } as const;

export interface DnsRecord {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  /** PTR and SRV: the target's name; A and AAAA: the address; others: empty. */
  readonly data: string;
}

/** A query for the PTR records of a name, such as `_services._dns-sd._udp.local`. */
export function queryMessage(names: readonly string[]): Uint8Array {
  const octets: number[] = [0, 0, 0, 0, 0, names.length, 0, 0, 0, 0, 0, 0];
  for (const name of names) {
    for (const label of name.split('.')) {
      const bytes = new TextEncoder().encode(label).subarray(0, 63);
      octets.push(bytes.length, ...bytes);
    }
    octets.push(0, 0, TYPE.PTR, 0, 1);
  }
  return Uint8Array.from(octets);
}

/** The records of a response; undefined for a query or for octets that are no DNS message. Never throws, never loops. */
export function readMdns(message: Uint8Array): DnsRecord[] | undefined {
  if (message.length < 12 || message.length > MESSAGE_LIMIT || ((message[2] ?? 0) & 0x80) === 0) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const questions = view.getUint16(4);
  const count = view.getUint16(6) + view.getUint16(8) + view.getUint16(10);
  if (questions > 16 || count > RECORD_LIMIT) return undefined;
  let at = 12;
  for (let i = 0; i < questions; i++) {
    const name = readName(message, at);
    if (name === undefined || name.next + 4 > message.length) return undefined;
    at = name.next + 4;
  }
  const records: DnsRecord[] = [];
  for (let i = 0; i < count; i++) {
    const name = readName(message, at);
    if (name === undefined || name.next + 10 > message.length) return undefined;
    const type = view.getUint16(name.next);
    const ttl = view.getUint32(name.next + 4);
    const length = view.getUint16(name.next + 8);
    const start = name.next + 10;
    if (start + length > message.length) return undefined;
    const data = readData(message, type, start, length);
    if (data === undefined) return undefined;
    records.push({ name: name.text, type, ttl, data });
    at = start + length;
  }
  return records;
}

function readData(message: Uint8Array, type: number, start: number, length: number): string | undefined {
  if (type === TYPE.PTR) return readName(message, start)?.text;
  if (type === TYPE.SRV) return length < 7 ? undefined : readName(message, start + 6)?.text;
  if (type === TYPE.A) return length === 4 ? message.subarray(start, start + 4).join('.') : undefined;
  if (type !== TYPE.AAAA) return '';
  if (length !== 16) return undefined;
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2)
    groups.push((((message[start + i] ?? 0) << 8) | (message[start + i + 1] ?? 0)).toString(16));
  return groups.join(':');
}

function readName(message: Uint8Array, start: number): { text: string; next: number } | undefined {
  const labels: string[] = [];
  let at = start;
  let next: number | undefined;
  let pointers = 0;
  let size = 0;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return { text: labels.join('.'), next: next ?? at + 1 };
    if ((length & 0xc0) === 0xc0) {
      const low = message[at + 1];
      if (low === undefined || ++pointers > POINTER_LIMIT) return undefined;
      next ??= at + 2;
      at = ((length & 0x3f) << 8) | low;
      continue;
    }
    size += length + 1;
    if (length > 63 || at + 1 + length > message.length || size > 255) return undefined;
    labels.push(new TextDecoder().decode(message.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
}
