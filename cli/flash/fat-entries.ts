/** Directory entries of a FAT file system: short ones and the long names before them. Pure. */

/** Where a file's entries stand in the directory's octets (its long name's first one to its short one), and where its data is. */
export interface FoundEntry {
  readonly first: number;
  readonly last: number;
  readonly cluster: number;
  /** Octets. */
  readonly size: number;
}

const LONG_NAME = 0x0f;
const VOLUME_OR_FOLDER = 0x18;
const ARCHIVE = 0x20;
/** Offsets of a long entry's thirteen characters. */
const CHARACTERS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;

/** The file of that name, whatever its case. */
export function findEntry(directory: Uint8Array, name: string): FoundEntry | undefined {
  const view = new DataView(directory.buffer, directory.byteOffset, directory.byteLength);
  let long = '';
  let first: number | undefined;
  for (let at = 0; at + 32 <= directory.length; at += 32) {
    const lead = directory[at] ?? 0;
    const attributes = directory[at + 11] ?? 0;
    if (lead === 0) return undefined;
    if (lead !== 0xe5 && attributes === LONG_NAME) {
      first ??= at;
      long = longPart(view, at) + long;
      continue;
    }
    const names = [long, shortName(directory, at)].map((known) => known.toLowerCase());
    if (lead !== 0xe5 && (attributes & VOLUME_OR_FOLDER) === 0 && names.includes(name.toLowerCase())) {
      const cluster = view.getUint16(at + 20, true) * 65_536 + view.getUint16(at + 26, true);
      return { first: first ?? at, last: at, cluster, size: view.getUint32(at + 28, true) };
    }
    [long, first] = ['', undefined];
  }
  return undefined;
}

/** Offset of so many free entries in a row; undefined where there are not as many. */
export function freeEntries(directory: Uint8Array, count: number): number | undefined {
  let run = 0;
  for (let at = 0; at + 32 <= directory.length; at += 32) {
    const lead = directory[at];
    run = lead === 0 || lead === 0xe5 ? run + 1 : 0;
    if (run === count) return at - (count - 1) * 32;
  }
  return undefined;
}

/** A short name for a long one that no other file has: `HEARTH~1.JSO`, eleven characters without the dot. */
export function shortNameFor(name: string, directory: Uint8Array): string {
  const dot = name.lastIndexOf('.');
  const clean = (text: string) => text.toUpperCase().replace(/[^A-Z0-9_]/g, '');
  const stem = clean(dot < 0 ? name : name.slice(0, dot));
  const tail = clean(dot < 0 ? '' : name.slice(dot + 1)).slice(0, 3);
  const taken = new Set<string>();
  for (let at = 0; at + 32 <= directory.length; at += 32) taken.add(raw(directory, at));
  for (let n = 1; ; n++) {
    const short = `${stem.slice(0, 7 - String(n).length)}~${n}`.padEnd(8) + tail.padEnd(3);
    if (!taken.has(short)) return short;
  }
}

/** The octets of a file's entries, long name first. `time` is wall clock, ms, told as UTC. */
export function entriesFor(name: string, short: string, cluster: number, size: number, time: number): Uint8Array {
  const pieces = Math.ceil(name.length / CHARACTERS.length);
  const octets = new Uint8Array((pieces + 1) * 32);
  const view = new DataView(octets.buffer);
  let checksum = 0;
  for (const char of short) checksum = (((checksum & 1) << 7) + (checksum >> 1) + char.charCodeAt(0)) & 0xff;
  for (let piece = pieces; piece >= 1; piece--) {
    const at = (pieces - piece) * 32;
    octets[at] = piece | (piece === pieces ? 0x40 : 0);
    octets[at + 11] = LONG_NAME;
    octets[at + 13] = checksum;
    for (const [i, offset] of CHARACTERS.entries()) {
      const index = (piece - 1) * CHARACTERS.length + i;
      // Behind the name stand one zero and then ones.
      const code = index < name.length ? name.charCodeAt(index) : index === name.length ? 0 : 0xffff;
      view.setUint16(at + offset, code, true);
    }
  }
  const at = pieces * 32;
  for (let i = 0; i < 11; i++) octets[at + i] = short.charCodeAt(i);
  octets[at + 11] = ARCHIVE;
  const { date, clock } = dosTime(time);
  for (const offset of [16, 18, 24]) view.setUint16(at + offset, date, true);
  for (const offset of [14, 22]) view.setUint16(at + offset, clock, true);
  view.setUint16(at + 20, cluster >>> 16, true);
  view.setUint16(at + 26, cluster & 0xffff, true);
  view.setUint32(at + 28, size, true);
  return octets;
}

function dosTime(time: number): { date: number; clock: number } {
  const when = new Date(Math.max(time, Date.UTC(1980, 0, 1)));
  const year = Math.min(127, when.getUTCFullYear() - 1980);
  return {
    date: (year << 9) | ((when.getUTCMonth() + 1) << 5) | when.getUTCDate(),
    clock: (when.getUTCHours() << 11) | (when.getUTCMinutes() << 5) | (when.getUTCSeconds() >> 1),
  };
}

function longPart(view: DataView, at: number): string {
  let text = '';
  for (const offset of CHARACTERS) {
    const code = view.getUint16(at + offset, true);
    if (code === 0 || code === 0xffff) break;
    text += String.fromCharCode(code);
  }
  return text;
}

function raw(directory: Uint8Array, at: number): string {
  return String.fromCharCode(...directory.subarray(at, at + 11));
}

function shortName(directory: Uint8Array, at: number): string {
  const text = raw(directory, at);
  const tail = text.slice(8).trimEnd();
  return text.slice(0, 8).trimEnd() + (tail === '' ? '' : `.${tail}`);
}
