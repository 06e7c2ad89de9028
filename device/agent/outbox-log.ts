/**
 * The outbox as a log of lines, each with its own check sum, so that a line that was cut by a power failure is seen. Pure.
 *
 *   <crc32 of the rest, 8 hex digits> <JSON>\n
 *
 * JSON is `{"v":1,"last":n,"lost":n}` (first line), `{"add":entry}` or `{"end":[ids],"lost":n}`.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import { type Entry, priorities } from './outbox.ts';

export interface Replay {
  readonly entries: readonly { readonly entry: Entry; readonly octets: number }[];
  readonly last: number;
  readonly lost: number;
  /** Octets that count; what follows is torn. */
  readonly whole: number;
}

export type LogLine =
  | { readonly v: 1; readonly last: number; readonly lost: number }
  | { readonly add: Entry }
  | { readonly end: readonly string[]; readonly lost: number };

export function logLine(line: LogLine): Uint8Array<ArrayBuffer> {
  const json = JSON.stringify(line);
  const octets = utf8(json);
  return utf8(`${crc32(octets).toString(16).padStart(8, '0')} ${json}\n`);
}

/** Reads a log up to its first bad line; undefined where not even the first line is good. */
export function replay(log: Uint8Array, decode: (octets: Uint8Array) => string): Replay | undefined {
  const held = new Map<string, { entry: Entry; octets: number }>();
  let state: { last: number; lost: number } | undefined;
  let start = 0;
  for (let end = log.indexOf(10); end >= 0; end = log.indexOf(10, start)) {
    const line = readLine(log.subarray(start, end), decode);
    if (line === undefined) break;
    if (state === undefined) {
      if (!('v' in line)) return undefined;
      state = { last: line.last, lost: line.lost };
    } else if ('add' in line) {
      held.set(line.add.id, { entry: line.add, octets: end + 1 - start });
      state.last = Math.max(state.last, line.add.n);
    } else if ('end' in line) {
      for (const id of line.end) held.delete(id);
      state.lost = line.lost;
    } else break;
    start = end + 1;
  }
  return state === undefined ? undefined : { entries: [...held.values()], ...state, whole: start };
}

function readLine(octets: Uint8Array, decode: (octets: Uint8Array) => string): LogLine | undefined {
  const text = decode(octets);
  if (text.length < 10 || text[8] !== ' ') return undefined;
  if (Number.parseInt(text.slice(0, 8), 16) !== crc32(octets.subarray(9))) return undefined;
  try {
    const line = JSON.parse(text.slice(9)) as LogLine;
    return 'add' in line && !priorities.includes(line.add.priority) ? undefined : line;
  } catch {
    return undefined;
  }
}

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let bit = 0; bit < 8; bit++) c = (c & 1) === 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** CRC-32 as in ISO 3309 (Ethernet, gzip: RFC 1952 section 8). */
export function crc32(octets: Uint8Array): number {
  let c = 0xffffffff;
  for (const octet of octets) c = (table[(c ^ octet) & 255] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
