/** The telephone numbers that a certificate may speak for: the TNAuthList extension (RFC 8226 section 9), written and read. */
import type { TnEntry } from '../kernel/world.ts';
import { context, contextTag, DerReader, element, integer } from './der.ts';

/** Of id-pe-TNAuthList. */
export const TN_AUTH_LIST = '1.3.6.1.5.5.7.1.26';
/** Entries that are read, characters of a provider's code, and digits of a number. */
export const TN_ENTRIES = 1_000;
const CODE = 64;
const DIGITS = 15;

const ascii = (text: string) => element('ia5String', new TextEncoder().encode(text));

/** The extension's value. All tags of its module are explicit. */
export function writeNumbers(numbers: readonly TnEntry[]): Uint8Array<ArrayBuffer> {
  const entries = numbers.map((entry) => {
    if ('spc' in entry) return context(0, false, ascii(entry.spc));
    const { start, count } = entry;
    if (count === 1) return context(2, false, ascii(start));
    return context(1, false, element('sequence', ascii(start), integer(...octetsOf(count))));
  });
  return element('sequence', ...entries);
}

/** The entries of the extension's value; a throw means malformed, as with everything that reads DER. */
export function readNumbers(value: Uint8Array): TnEntry[] {
  const all = new DerReader(value);
  const list = all.inside('sequence');
  all.end();
  const entries: TnEntry[] = [];
  for (let tag = list.peek(); tag !== undefined; tag = list.peek()) {
    if (entries.length === TN_ENTRIES) throw new RangeError('too many entries');
    const entry = list.inside(tag);
    if (tag === contextTag(0)) entries.push({ spc: textOf(entry, CODE) });
    else if (tag === contextTag(1)) entries.push(rangeOf(entry.inside('sequence')));
    else if (tag === contextTag(2)) entries.push({ start: numberOf(entry), count: 1 });
    else throw new RangeError('no such entry');
    entry.end();
  }
  if (entries.length === 0) throw new RangeError('an empty list');
  return entries;
}

function rangeOf(range: DerReader): TnEntry {
  const start = numberOf(range);
  let count = 0;
  for (const octet of range.next('integer').content) count = count * 256 + octet;
  if (count < 2 || !Number.isSafeInteger(count)) throw new RangeError('no count of a range');
  return { start, count };
}

function numberOf(reader: DerReader): string {
  const text = textOf(reader, DIGITS);
  if (!/^[0-9#*]+$/.test(text)) throw new RangeError('no number');
  return text;
}

function textOf(reader: DerReader, limit: number): string {
  const { content } = reader.next('ia5String');
  if (content.length < 1 || content.length > limit || content.some((octet) => octet > 126 || octet < 32))
    throw new RangeError('no text of that length');
  return new TextDecoder().decode(content);
}

function octetsOf(count: number): number[] {
  const octets: number[] = [];
  for (let rest = count; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
  return octets;
}
