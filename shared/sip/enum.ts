/**
 * ENUM (RFC 6116): the SIP addresses that DNS holds for a telephone number, by NAPTR records with the service `E2U+sip` (RFC 3764), whose
 * rules are applied to the number (RFC 3402). Pure: whoever asks hands the look-up in.
 */
import type { DnsAnswer, NaptrRecord } from './dns-message.ts';
import { Ere } from './ere.ts';
import { parseUri, type SipUri } from './uri.ts';

/** Records that lead on to further ones, one behind the other (RFC 6116 section 5.2.1), and questions for one number. */
export const CHAIN = 5;
export const QUESTIONS = 8;
/** Characters of what a rule makes. */
export const MADE = 255;
/** Addresses of one number. */
export const ADDRESSES = 8;

export type NaptrLookup = (name: string, type: 'NAPTR') => Promise<DnsAnswer>;

/** The name of a number (E.164 with its plus sign) below a suffix: its digits backwards; undefined where it is no such number. */
export function enumName(number: string, suffix: string): string | undefined {
  if (!/^\+[0-9]{1,15}$/.test(number)) return undefined;
  return `${[...number.slice(1)].reverse().join('.')}.${suffix.replace(/^\.|\.$/g, '')}`;
}

/** What became of the question. */
export interface EnumFound {
  /** In the order in which they are to be tried; none where the number has no SIP address there. */
  readonly uris: readonly SipUri[];
  /** Some server could not say. */
  readonly failed: boolean;
}

/** The SIP addresses of a number below one suffix. */
export async function resolveEnum(number: string, suffix: string, lookup: NaptrLookup): Promise<EnumFound> {
  const search = new Search(number, lookup);
  const name = enumName(number, suffix);
  const uris = name === undefined ? [] : await search.at(name, 0);
  return { uris: uris.slice(0, ADDRESSES), failed: search.failed };
}

class Search {
  failed = false;
  readonly #number: string;
  readonly #lookup: NaptrLookup;
  /** Names that were asked for: none is asked for twice, so that a circle ends. */
  readonly #asked = new Set<string>();

  constructor(number: string, lookup: NaptrLookup) {
    this.#number = number;
    this.#lookup = lookup;
  }

  async at(name: string, depth: number): Promise<SipUri[]> {
    const key = name.toLowerCase().replace(/\.$/, '');
    if (depth > CHAIN || this.#asked.has(key) || this.#asked.size >= QUESTIONS) return [];
    this.#asked.add(key);
    const { outcome, records } = await this.#lookup(key, 'NAPTR');
    if (outcome !== 'found') {
      this.failed ||= outcome === 'failed';
      return [];
    }
    const found: SipUri[] = [];
    let order: number | undefined;
    for (const record of sorted(records as readonly NaptrRecord[])) {
      // Once a rule applied, those of a higher order do not count (RFC 3403 section 4.1).
      if (order !== undefined && record.order > order) break;
      const made = await this.#apply(record, depth);
      if (made.length > 0) order = record.order;
      found.push(...made);
    }
    return found;
  }

  async #apply({ flags, service, regexp, replacement }: NaptrRecord, depth: number): Promise<SipUri[]> {
    // In error, and as if it were not there (RFC 3403 section 4.1).
    if (regexp !== '' && replacement !== '') return [];
    if (flags === 'U') {
      const text = serves(service) ? substitute(regexp, this.#number) : undefined;
      const uri = text === undefined ? undefined : sipAddress(text);
      return uri === undefined ? [] : [uri];
    }
    if (flags !== '' || (service !== '' && !serves(service))) return [];
    const next = regexp === '' ? replacement : substitute(regexp, this.#number);
    return next === undefined || next === '' ? [] : this.at(next, depth + 1);
  }
}

const sorted = (records: readonly NaptrRecord[]): NaptrRecord[] =>
  records.toSorted((a, b) => a.order - b.order || a.preference - b.preference);

/** `E2U+sip`, alone or among others (RFC 6116 section 3.4.3); upper case as it is read. */
function serves(service: string): boolean {
  const [first, ...kinds] = service.toUpperCase().split('+');
  return first === 'E2U' && kinds.some((kind) => kind.split(':')[0] === 'SIP');
}

/** Who may be called: user, host, port and transport; whatever else stands there is not for us to do. */
function sipAddress(text: string): SipUri | undefined {
  const uri = parseUri(text);
  if (uri === undefined || (uri.scheme !== 'sip' && uri.scheme !== 'sips')) return undefined;
  const { scheme, user, host, port } = uri;
  if (user === undefined || user.length > 64 || host === '') return undefined;
  const params = new Map([...uri.params].filter(([name]) => name === 'transport' || name === 'user'));
  return { scheme, user, host, ...(port === undefined ? {} : { port }), params };
}

/**
 * Applies the rule of a NAPTR record (`!expression!replacement!flags`) to a text; undefined where it is malformed or does not fit. As
 * everywhere in use, the outcome is the replacement alone, not the text with its match replaced.
 */
export function substitute(rule: string, text: string): string | undefined {
  const delimiter = rule.charAt(0);
  if (rule.length > MADE || delimiter === '' || /^[1-9i\\]$/.test(delimiter)) return undefined;
  const [expression, replacement, flags, more] = split(rule.slice(1), delimiter);
  if (expression === undefined || replacement === undefined || more !== undefined) return undefined;
  if (flags !== '' && flags !== 'i') return undefined;
  const groups = Ere.read(expression, flags === 'i')?.match(text);
  return groups === undefined ? undefined : filled(replacement, groups);
}

/** The parts between delimiters; one behind a backslash is a character as any other. */
function split(text: string, delimiter: string): string[] {
  const parts = [''];
  for (let i = 0; i < text.length; i++) {
    const [char, next] = [text.charAt(i), text.charAt(i + 1)];
    const last = parts.length - 1;
    if (char === '\\' && next !== '') {
      // What means something in an expression keeps its backslash, for there it stands for itself.
      parts[last] += next === delimiter && !'.[]()*+?{}|^$'.includes(next) ? next : char + next;
      i += 1;
    } else if (char === delimiter) parts.push('');
    else parts[last] += char;
  }
  return parts;
}

function filled(replacement: string, groups: readonly (string | undefined)[]): string | undefined {
  let made = '';
  for (let i = 0; i < replacement.length; i++) {
    const char = replacement.charAt(i);
    const next = replacement.charAt(i + 1);
    if (char !== '\\') made += char;
    else {
      i += 1;
      if (next === '') return undefined;
      made += /^[1-9]$/.test(next) ? (groups[Number(next)] ?? '') : next;
    }
  }
  return made.length > MADE ? undefined : made;
}
