/**
 * Addresses as nearly all messages have them, judged where they stand in the message: nothing is cut out and nothing is made. What is not
 * of this form is not thereby wrong: the parsers of `uri.ts` judge it. What is of this form they find right, and read in the same way.
 */

const USER = 1;
const HOST = 2;
const TOKEN = 4;
const ALNUM = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

const CLASS = new Uint8Array(256);
function allow(flag: number, characters: string): void {
  for (let i = 0; i < characters.length; i++)
    CLASS[characters.charCodeAt(i)] = (CLASS[characters.charCodeAt(i)] ?? 0) | flag;
}
allow(USER, `${ALNUM}-_.!~*'()+`);
allow(HOST, `${ALNUM}-._`);
allow(TOKEN, `${ALNUM}-.!%*_+\`'~`);

/** `usualAddress` of an address that is usual and has no tag, and of one that is not usual. */
export const NO_TAG = -1;
export const NOT_USUAL = -2;

/** The longest value that is looked at here, octets. */
const LONGEST = 1_024;

function run(text: string, at: number, end: number, flag: number): number {
  let i = at;
  while (i < end && ((CLASS[text.charCodeAt(i)] ?? 0) & flag) !== 0) i++;
  return i;
}

/**
 * Where `sip:[user@]host[:port]` ends that begins at `at`, with one parameter at the most (`;lr`, `;transport=tcp`); -1 where none stands
 * there. Linear, up to `end`.
 */
export function usualUri(text: string, at: number, end: number): number {
  const host = usualHost(text, at, end);
  const bare = host < 0 ? -1 : endOfHost(text, host, end);
  if (bare < 0 || text.charCodeAt(bare) !== 59 || bare >= end) return bare;
  const name = run(text, bare + 1, end, HOST);
  if (name === bare + 1) return -1;
  if (name >= end || text.charCodeAt(name) !== 61) return name;
  const value = run(text, name + 1, end, HOST);
  return value === name + 1 ? -1 : value;
}

/** Where the host of a usual URI begins; -1 where none can. */
export function usualHost(text: string, at: number, end: number): number {
  if (!text.startsWith('sip:', at) || end - at > LONGEST) return -1;
  const user = at + 4;
  const stop = run(text, user, end, USER);
  if (stop >= end || text.charCodeAt(stop) !== 64) return user;
  return stop === user ? -1 : stop + 1;
}

/** Where `host[:port]` ends that begins at `at`; -1 where it is malformed. */
export function endOfHost(text: string, at: number, end: number): number {
  const colon = run(text, at, end, HOST);
  if (colon === at) return -1;
  if (colon >= end || text.charCodeAt(colon) !== 58) return colon;
  let port = 0;
  let i = colon + 1;
  for (; i < end && i <= colon + 5; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) break;
    port = port * 10 + digit;
  }
  return i === colon + 1 || port > 65_535 ? -1 : i;
}

/**
 * Judges `["display"] <uri>[;tag=token]` in `text[start, end)`. Where it is usual the position of its tag, which goes on to `end`, or
 * `NO_TAG`; else `NOT_USUAL`.
 */
export function usualAddress(text: string, start: number, end: number): number {
  let at = start;
  if (end - start > LONGEST) return NOT_USUAL;
  if (text.charCodeAt(at) === 34) {
    at = endOfPlainQuoted(text, at, end);
    if (at < 0) return NOT_USUAL;
    if (text.charCodeAt(at) === 32) at++;
  }
  if (at >= end || text.charCodeAt(at) !== 60) return NOT_USUAL;
  const close = usualUri(text, at + 1, end);
  if (close < 0 || close >= end || text.charCodeAt(close) !== 62) return NOT_USUAL;
  if (close + 1 === end) return NO_TAG;
  const tag = close + 6;
  return text.startsWith(';tag=', close + 1) && tag < end && run(text, tag, end, TOKEN) === end ? tag : NOT_USUAL;
}

/** The position behind a quoted string without escapes; -1 where it has one or does not end. */
function endOfPlainQuoted(text: string, at: number, end: number): number {
  for (let i = at + 1; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === 92) return -1;
    if (code === 34) return i + 1;
  }
  return -1;
}
