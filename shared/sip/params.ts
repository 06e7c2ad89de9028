/**
 * The lexical ground of SIP (RFC 3261 section 25.1): character classes, linear white space, quoted strings, parameters and
 * comma lists. All text has one character per octet; nothing here uses a regular expression, every function is linear.
 */

/** Parameters in order. Names are lower case, quoted values are without their quotes; undefined is a name without a value. */
export type Params = Map<string, string | undefined>;

const TOKEN = 1;
const VALUE = 2;
const URI = 4;
const USER = 8;
const HOST = 16;
const ALNUM = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

const CLASS = new Uint8Array(256);
function allow(flag: number, characters: string): void {
  for (let i = 0; i < characters.length; i++)
    CLASS[characters.charCodeAt(i)] = (CLASS[characters.charCodeAt(i)] ?? 0) | flag;
}
allow(TOKEN, `${ALNUM}-.!%*_+\`'~`);
allow(VALUE, `${ALNUM}-.!%*_+\`'~[]:/@?=&$#^|{}`);
allow(URI, `${ALNUM}-_.!~*'()%;/?:@&=+$,[]#`);
allow(USER, `${ALNUM}-_.!~*'()&=+$,;?/`);
allow(HOST, `${ALNUM}-._`);
for (let c = 128; c < 256; c++) CLASS[c] = VALUE | URI;

function all(text: string, flag: number): boolean {
  for (let i = 0; i < text.length; i++) if (((CLASS[text.charCodeAt(i)] ?? 0) & flag) === 0) return false;
  return true;
}

/** `token` of RFC 3261: at least one of its characters and no other. */
export const isToken = (text: string): boolean => text.length > 0 && all(text, TOKEN);
export const isTokenCode = (code: number): boolean => ((CLASS[code] ?? 0) & TOKEN) !== 0;
/** Only characters that may stand in a URI; octets above 127 are let through as they come. */
export const isUriText = (text: string): boolean => all(text, URI);
/** Only characters of a host name or IPv4 address (with the underscore that the field uses). */
export const isHostText = (text: string): boolean => text.length > 0 && all(text, HOST);
/** May this character code stand unescaped in the user part of a URI? */
export const isUserCode = (code: number): boolean => ((CLASS[code] ?? 0) & USER) !== 0;

const isSpace = (code: number): boolean => code === 32 || code === 9 || code === 13 || code === 10;

/** The first position from `at` that is no white space (space, tab, or what folding left). */
export function skipSpace(text: string, at: number): number {
  let i = at;
  while (i < text.length && isSpace(text.charCodeAt(i))) i++;
  return i;
}

/** `text[from, to)` without white space at both ends. */
export function trimmed(text: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isSpace(text.charCodeAt(start))) start++;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

/** From so many characters on a slice is a view of the text that it comes from; what was joined to another text is a copy. */
const VIEW_FROM = 13;

/** A copy of text that outlives its message: a slice would keep the whole of it, up to 64 kB, alive. */
export const own = (text: string): string => (text.length < VIEW_FROM ? text : ` ${text}`.slice(1));

/** A decimal number of digits only, at most `max`; undefined for anything else, an empty text and a sign included. */
export function decimal(text: string, max: number): number | undefined {
  if (text.length === 0) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
    if (value > max) return undefined;
  }
  return value;
}

/** Only decimal digits, at least one. */
export function isDigits(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 48 || code > 57) return false;
  }
  return text.length > 0;
}

/** The position behind the quoted string that begins at `at` (a double quote); -1 where it does not end. */
export function endOfQuoted(text: string, at: number): number {
  for (let i = at + 1; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 92) i++;
    else if (code === 34) return i + 1;
  }
  return -1;
}

/** The content of a quoted string (given with its quotes), escapes undone. Text without quotes comes back as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== 34) return text;
  const inner = text.slice(1, -1);
  if (!inner.includes('\\')) return inner;
  let plain = '';
  for (let i = 0; i < inner.length; i++) {
    if (inner.charCodeAt(i) === 92 && i + 1 < inner.length) i++;
    plain += inner.charAt(i);
  }
  return plain;
}

/** A quoted string: quotes and backslashes escaped, line breaks and NUL (which it cannot carry) made spaces. */
export function quote(text: string): string {
  let quoted = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 34 || code === 92) quoted += '\\';
    quoted += code === 13 || code === 10 || code === 0 ? ' ' : text.charAt(i);
  }
  return `${quoted}"`;
}

/**
 * Parameters `;name[=value]…` of `text` from `at` to its end, white space allowed around each part. Undefined where a name is
 * empty, a name comes twice, a quote stays open or a character has no place there.
 */
export function parseParams(text: string, at: number): Params | undefined {
  const params: Params = new Map();
  let i = skipSpace(text, at);
  while (i < text.length) {
    if (text.charCodeAt(i) !== 59) return undefined;
    const nameAt = skipSpace(text, i + 1);
    i = endOf(text, nameAt, TOKEN);
    if (i === nameAt) return undefined;
    const name = text.slice(nameAt, i).toLowerCase();
    let value: string | undefined;
    i = skipSpace(text, i);
    if (i < text.length && text.charCodeAt(i) === 61) {
      const valueAt = skipSpace(text, i + 1);
      const quoted = text.charCodeAt(valueAt) === 34;
      i = quoted ? endOfQuoted(text, valueAt) : endOf(text, valueAt, VALUE);
      if (i <= valueAt) return undefined;
      value = quoted ? unquote(text.slice(valueAt, i)) : text.slice(valueAt, i);
      i = skipSpace(text, i);
    }
    if (params.has(name)) return undefined;
    params.set(name, value);
  }
  return params;
}

function endOf(text: string, at: number, flag: number): number {
  let i = at;
  while (i < text.length && ((CLASS[text.charCodeAt(i)] ?? 0) & flag) !== 0) i++;
  return i;
}

/** Where the token ends that begins at `at`. */
export const endOfToken = (text: string, at: number): number => endOf(text, at, TOKEN);

/** Where the characters of an unquoted parameter value end that begin at `at`; `end` at the latest. */
export function endOfValue(text: string, at: number, end: number): number {
  let i = at;
  while (i < end && ((CLASS[text.charCodeAt(i)] ?? 0) & VALUE) !== 0) i++;
  return i;
}

/** `;name=value…`; a value that is neither token nor host is quoted. */
export function writeParams(params: ReadonlyMap<string, string | undefined>): string {
  let text = '';
  for (const [name, value] of params) {
    text += `;${name}`;
    if (value !== undefined) text += `=${value.length > 0 && all(value, VALUE) ? value : quote(value)}`;
  }
  return text;
}

/**
 * The values of a comma list, trimmed; commas inside quotes and angle brackets do not separate. An open quote or bracket
 * makes the rest one value, whose own parser then refuses it. Empty values are kept (their parsers refuse them too). Of more than `most`
 * values the last ones stay together.
 */
export function splitList(text: string, most = Number.POSITIVE_INFINITY): string[] {
  if (!text.includes(',')) return [trimmed(text, 0, text.length)];
  const values: string[] = [];
  let from = 0;
  let angle = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 34 && !angle) {
      const end = endOfQuoted(text, i);
      if (end < 0) break;
      i = end - 1;
    } else if (code === 60) angle = true;
    else if (code === 62) angle = false;
    else if (code === 44 && !angle) {
      values.push(trimmed(text, from, i));
      from = i + 1;
      if (values.length >= most) break;
    }
  }
  values.push(trimmed(text, from, text.length));
  return values;
}
