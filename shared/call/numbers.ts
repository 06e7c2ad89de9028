/** The dial plan: what a phone dialled, or an API named, as a number, a name, a media item or an emergency. */
import { userPart } from '../sip/diversion.ts';
import { parseUri } from '../sip/uri.ts';
import { countryOf, DEFAULT_COUNTRY, isDigits, normalise } from './plans.ts';

export type Dialled =
  | { readonly kind: 'emergency'; readonly number: string }
  /** Index into the media library. */
  | { readonly kind: 'media'; readonly index: number }
  /** E.164 with plus sign. */
  | { readonly kind: 'number'; readonly number: string }
  /** A username or a line id, as it came. */
  | { readonly kind: 'name'; readonly name: string };

const EMERGENCY: ReadonlySet<string> = new Set(['112', '911']);

/** The short codes of the media library: item 0 is 700, the last is 799. */
export const MEDIA_CODES = { first: 700, last: 799 } as const;

/** The digits that play item `index` from a phone; undefined beyond the last code. */
export function mediaShortCode(index: number): string | undefined {
  const code = MEDIA_CODES.first + index;
  return Number.isInteger(index) && index >= 0 && code <= MEDIA_CODES.last ? String(code) : undefined;
}

/** The index of the item that these digits play. */
export function mediaIndex(digits: string): number | undefined {
  if (digits.length !== 3 || !isDigits(digits)) return undefined;
  const code = Number(digits);
  return code >= MEDIA_CODES.first && code <= MEDIA_CODES.last ? code - MEDIA_CODES.first : undefined;
}

export function isEmergency(digits: string): boolean {
  return EMERGENCY.has(digits);
}

/**
 * Reads what was dialled: a SIP, SIPS or tel URI, a number in any usual writing, a username or a line id. Undefined for an
 * empty or malformed text.
 */
export function readDialled(text: string, country: string = DEFAULT_COUNTRY): Dialled | undefined {
  const lower = text.slice(0, 5).toLowerCase();
  if (lower.startsWith('sip:') || lower.startsWith('sips:') || lower.startsWith('tel:')) {
    const user = parseUri(text)?.user;
    return user === undefined ? undefined : readUser(userPart(user), country);
  }
  // RFC 5031: a service URN asks for help by name.
  if (text.toLowerCase() === 'urn:service:sos' || text.toLowerCase().startsWith('urn:service:sos.')) {
    return { kind: 'emergency', number: '112' };
  }
  return readUser(text, country);
}

function readUser(user: string, country: string): Dialled | undefined {
  if (user === '') return undefined;
  const bare = withoutSeparators(user);
  if (isEmergency(bare)) return { kind: 'emergency', number: bare };
  const index = mediaIndex(bare);
  if (index !== undefined) return { kind: 'media', index };
  const number = normalise(bare, country);
  return number === undefined ? { kind: 'name', name: user } : { kind: 'number', number };
}

/** What a line with the number `from` dialled, in full where it is a number of its country's plan; as it came otherwise. */
export function inFull(dialled: string, from: string | undefined): string {
  const read = dialled.includes(':') ? undefined : readDialled(dialled, countryOf(from));
  return read?.kind === 'number' ? read.number : dialled;
}

/** A number as it is meant, when only digits, a plus sign and the visual separators of RFC 3966 stand in it. */
export function withoutSeparators(text: string): string {
  if (isDigits(text.startsWith('+') ? text.slice(1) : text)) return text;
  let bare = '';
  for (const c of text) if (!'-.() '.includes(c)) bare += c;
  const rest = bare.startsWith('+') ? bare.slice(1) : bare;
  return isDigits(rest) ? bare : text;
}
