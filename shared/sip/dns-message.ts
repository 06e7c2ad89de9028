/** DNS messages (RFC 1035) as far as finding a SIP server needs them: one question, and the records that answer it. */

import { plainAddress } from '../kernel/address.ts';

/** Types of records by their names. */
export const DNS_TYPES = { A: 1, CNAME: 5, AAAA: 28, SRV: 33, NAPTR: 35 } as const;
export type DnsType = 'A' | 'AAAA' | 'SRV' | 'NAPTR';

export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  /** Without the dot at its end; empty: the service is decidedly not there. */
  readonly target: string;
}

export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly flags: string;
  readonly service: string;
  readonly regexp: string;
  readonly replacement: string;
}

export type DnsData = { readonly address: string } | SrvRecord | NaptrRecord;

export interface DnsAnswer {
  /** `none`: the name, or this type of it, does not exist. `failed`: the server could not say. `cut`: ask again over TCP. */
  readonly outcome: 'found' | 'none' | 'failed' | 'cut';
  readonly records: readonly DnsData[];
  /** Seconds for which it holds. */
  readonly ttl: number;
}

/** Records of one answer that are looked at, and aliases that are followed within it. */
const RECORD_LIMIT = 64;
const ALIAS_LIMIT = 8;
/** Seconds that a name which does not exist stays so. */
const NONE_TTL = 30;

/** A question for one type of one name; undefined where it is no name. */
export function writeQuestion(id: number, name: string, type: DnsType): Uint8Array | undefined {
  const labels = name.replace(/\.$/, '').split('.');
  if (name.length > 253 || labels.some((label) => label.length === 0 || label.length > 63)) return undefined;
  const octets = [id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const label of labels) {
    octets.push(label.length);
    for (let i = 0; i < label.length; i++) {
      const code = label.charCodeAt(i);
      if (code <= 32 || code > 126) return undefined;
      octets.push(code);
    }
  }
  octets.push(0, 0, DNS_TYPES[type], 0, 1);
  return Uint8Array.from(octets);
}

/** Reads the answer to a question; undefined where it is none: another id, another question, or malformed. */
export function readAnswer(data: Uint8Array, id: number, name: string, type: DnsType): DnsAnswer | undefined {
  const reader = new Reader(data);
  const [gotId, flags, questions, answers] = [reader.word(), reader.word(), reader.word(), reader.word()];
  reader.skip(4);
  if (gotId !== id || (flags & 0x8000) === 0 || questions !== 1) return undefined;
  const asked = reader.name();
  const same = asked?.toLowerCase() === name.replace(/\.$/, '').toLowerCase();
  if (!same || reader.word() !== DNS_TYPES[type] || reader.word() !== 1) return undefined;
  if ((flags & 0x0200) !== 0) return { outcome: 'cut', records: [], ttl: 0 };
  const code = flags & 15;
  if (code === 3) return { outcome: 'none', records: [], ttl: NONE_TTL };
  if (code !== 0) return { outcome: 'failed', records: [], ttl: 0 };
  const all = readRecords(reader, Math.min(answers, RECORD_LIMIT));
  return all === undefined ? undefined : pick(all, asked ?? '', DNS_TYPES[type]);
}

interface Found {
  readonly name: string;
  readonly type: number;
  readonly ttl: number;
  readonly data: DnsData | { readonly alias: string } | undefined;
}

function readRecords(reader: Reader, count: number): Found[] | undefined {
  const all: Found[] = [];
  for (let n = 0; n < count; n++) {
    const name = reader.name();
    const [type, kind] = [reader.word(), reader.word()];
    const ttl = reader.word() * 65_536 + reader.word();
    const end = reader.word() + reader.at;
    if (name === undefined || reader.broken || end > reader.length) return undefined;
    if (kind === 1) all.push({ name: name.toLowerCase(), type, ttl, data: readData(reader, type, end) });
    reader.at = end;
  }
  return all;
}

function readData(reader: Reader, type: number, end: number): Found['data'] {
  const size = end - reader.at;
  if (type === DNS_TYPES.A && size === 4) return { address: reader.octets(4).join('.') };
  if (type === DNS_TYPES.AAAA && size === 16) return { address: colons(reader.octets(16)) };
  if (type === DNS_TYPES.CNAME) {
    const alias = reader.name();
    return alias === undefined ? undefined : { alias: alias.toLowerCase() };
  }
  if (type === DNS_TYPES.SRV) {
    const [priority, weight, port, target] = [reader.word(), reader.word(), reader.word(), reader.name()];
    return target === undefined || reader.broken ? undefined : { priority, weight, port, target };
  }
  if (type === DNS_TYPES.NAPTR) {
    const [order, preference] = [reader.word(), reader.word()];
    const [flags, service, regexp] = [reader.text(), reader.text(), reader.text()];
    const replacement = reader.name();
    if (replacement === undefined || reader.broken) return undefined;
    return { order, preference, flags: flags.toUpperCase(), service: service.toUpperCase(), regexp, replacement };
  }
  return undefined;
}

/** The records of the name itself, or of what it is an alias of. */
function pick(all: readonly Found[], asked: string, type: number): DnsAnswer {
  let name = asked.toLowerCase();
  let ttl = Number.POSITIVE_INFINITY;
  for (let n = 0; n < ALIAS_LIMIT; n++) {
    const own = all.filter((one) => one.name === name && one.type === type && one.data !== undefined);
    if (own.length > 0) {
      for (const one of own) ttl = Math.min(ttl, one.ttl);
      return { outcome: 'found', records: own.map(({ data }) => data as DnsData), ttl };
    }
    const alias = all.find((one) => one.name === name && one.data !== undefined && 'alias' in one.data);
    if (alias?.data === undefined || !('alias' in alias.data)) break;
    name = alias.data.alias;
    ttl = Math.min(ttl, alias.ttl);
  }
  return { outcome: 'none', records: [], ttl: NONE_TTL };
}

function colons(octets: readonly number[]): string {
  const groups: string[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((octets[i] ?? 0) * 256 + (octets[i + 1] ?? 0)).toString(16));
  return plainAddress(groups.join(':'));
}

class Reader {
  at = 0;
  broken = false;
  readonly #data: Uint8Array;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  get length(): number {
    return this.#data.length;
  }

  skip(n: number): void {
    this.at += n;
  }

  octets(n: number): number[] {
    if (this.at + n > this.#data.length) this.broken = true;
    const found = [...this.#data.subarray(this.at, this.at + n)];
    this.at += n;
    return found;
  }

  word(): number {
    const [high = 0, low = 0] = this.octets(2);
    return high * 256 + low;
  }

  /** A character string (section 3.3). */
  text(): string {
    const [size = 0] = this.octets(1);
    return String.fromCharCode(...this.octets(size));
  }

  /** A name, perhaps with pointers back (section 4.1.4), each of which must lead further to the front. */
  name(): string | undefined {
    const labels: string[] = [];
    let [at, after, size] = [this.at, -1, 0];
    for (;;) {
      const first = this.#data[at];
      if (first === undefined || size > 255) return undefined;
      if (first === 0) break;
      if (first >= 0xc0) {
        const to = (first & 63) * 256 + (this.#data[at + 1] ?? 0);
        if (after < 0) after = at + 2;
        if (to >= at) return undefined;
        at = to;
        continue;
      }
      if (first > 63 || at + 1 + first > this.#data.length) return undefined;
      labels.push(String.fromCharCode(...this.#data.subarray(at + 1, at + 1 + first)));
      at += 1 + first;
      size += 1 + first;
    }
    this.at = after < 0 ? at + 1 : after;
    return labels.join('.');
  }
}
