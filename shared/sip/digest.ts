/**
 * Digest access authentication (RFC 7616, RFC 8760, RFC 3261 section 22), both roles, with MD5 and SHA-256 and qop `auth`.
 * The server keeps nothing per challenge: a nonce carries its time and our signature. Hashes come in as functions.
 */
import { endOfQuoted, endOfToken, isToken, quote, skipSpace, unquote } from './params.ts';
import type { Credentials } from './types.ts';
import { parseUri, sameUri } from './uri.ts';

export type DigestAlgorithm = 'MD5' | 'SHA-256';
/** Lower-case hex of the digest of a text with one character per octet. */
export type DigestHash = (algorithm: DigestAlgorithm, text: string) => string;

/** What an Authorization or Proxy-Authorization header says. */
export interface DigestCredentials {
  readonly username: string;
  readonly realm: string;
  readonly nonce: string;
  readonly uri: string;
  readonly response: string;
  readonly algorithm: DigestAlgorithm;
  /** Eight hexadecimal digits as they came. */
  readonly nc: string;
  readonly cnonce: string;
  readonly qop: 'auth';
}

/** The parameters that are read, of challenges and of credentials. */
const NAMES = [
  ...(['username', 'realm', 'nonce', 'uri', 'response', 'algorithm'] as const),
  ...(['cnonce', 'qop', 'nc', 'opaque'] as const),
];
type Name = (typeof NAMES)[number];

/** A challenge or credentials: values unquoted. */
class AuthHeader {
  /** Lower case. */
  readonly scheme: string;
  readonly #values: (string | undefined)[] = new Array(NAMES.length).fill(undefined);
  /** Names of the others, lower case. */
  #others: string[] | undefined;
  #size = 0;

  constructor(scheme: string) {
    this.scheme = scheme;
  }

  get(name: Name): string | undefined {
    return this.#values[NAMES.indexOf(name)];
  }

  /** Takes the parameter whose name is `text[start, end)`; false where it is there already or there are too many. */
  add(text: string, start: number, end: number, value: string): boolean {
    let place = NAMES.findIndex((name) => name.length === end - start && text.startsWith(name, start));
    const name = place < 0 ? text.slice(start, end).toLowerCase() : '';
    if (place < 0) place = (NAMES as readonly string[]).indexOf(name);
    if (++this.#size > AUTH_PARAM_LIMIT) return false;
    if (place < 0) {
      this.#others ??= [];
      return !this.#others.includes(name) && this.#others.push(name) > 0;
    }
    if (this.#values[place] !== undefined) return false;
    this.#values[place] = value;
    return true;
  }
}

/** The most parameters of one authentication header. */
export const AUTH_PARAM_LIMIT = 32;
/** How long a nonce is good, ms. */
export const NONCE_LIFETIME = 300_000;

/** `scheme name=value, …`; undefined where it is malformed or a name comes twice. Linear in the length. */
function parseAuth(text: string): AuthHeader | undefined {
  const space = text.indexOf(' ');
  if (space < 0 || !isToken(text.slice(0, space))) return undefined;
  const header = new AuthHeader(text.startsWith('Digest ') ? 'digest' : text.slice(0, space).toLowerCase());
  let at = skipSpace(text, space);
  while (at < text.length) {
    const stop = endOfToken(text, at);
    const equals = skipSpace(text, stop);
    if (stop === at || text.charCodeAt(equals) !== 61) return undefined;
    const from = skipSpace(text, equals + 1);
    const quoted = text.charCodeAt(from) === 34;
    const end = quoted ? endOfQuoted(text, from) : endOfToken(text, from);
    if (end <= from) return undefined;
    const value = quoted ? unquote(text.slice(from, end)) : text.slice(from, end);
    if (!header.add(text, at, stop, value)) return undefined;
    at = skipSpace(text, end);
    if (at >= text.length) break;
    if (text.charCodeAt(at) !== 44) return undefined;
    at = skipSpace(text, at + 1);
  }
  return header;
}

function algorithmOf(name: string | undefined): DigestAlgorithm | undefined {
  const upper = (name ?? 'MD5').toUpperCase();
  return upper === 'MD5' || upper === 'SHA-256' ? upper : undefined;
}

/** Values for WWW-Authenticate or Proxy-Authenticate, one per algorithm, the strongest first (RFC 8760 section 2.4). */
export function challenge(options: {
  readonly realm: string;
  readonly nonce: string;
  readonly algorithms?: readonly DigestAlgorithm[];
  /** The credentials were right but for the age of their nonce: the client may retry without asking its user. */
  readonly stale?: boolean;
}): string[] {
  const offered = options.algorithms ?? ['SHA-256', 'MD5'];
  const stale = options.stale ? ', stale=true' : '';
  return (['SHA-256', 'MD5'] as const)
    .filter((algorithm) => offered.includes(algorithm))
    .map(
      (algorithm) =>
        `Digest realm=${quote(options.realm)}, nonce="${options.nonce}", algorithm=${algorithm}, qop="auth"${stale}`,
    );
}

const TIME_DIGITS = 12;
const MAC_DIGITS = 32;

/** Hash of secret and time, as RFC 7616 section 3.3 makes it; half of its digits, so that nobody can go on hashing from there. */
function sign(body: string, secret: string, hash: DigestHash): string {
  return hash('SHA-256', `${secret}:${body}`).slice(0, MAC_DIGITS);
}

/**
 * A nonce made at wall-clock `now` (ms): its time, `salt` (hex, random: two clients challenged in one millisecond must not
 * share a nonce), and a signature over both. `secret`: at least 32 random hex digits.
 */
export function makeNonce(now: number, secret: string, hash: DigestHash, salt = ''): string {
  const time = Math.max(0, Math.floor(now)).toString(16).padStart(TIME_DIGITS, '0');
  return `${time}${salt}${sign(time + salt, secret, hash)}`;
}

/** `bad`: not made by us. `stale`: ours, but older than `lifetime` (ms) or from a clock that has since been set back. */
export function checkNonce(
  nonce: string,
  now: number,
  secret: string,
  hash: DigestHash,
  lifetime: number = NONCE_LIFETIME,
): 'ok' | 'stale' | 'bad' {
  if (nonce.length < TIME_DIGITS + MAC_DIGITS || nonce.length > 128) return 'bad';
  const body = nonce.slice(0, -MAC_DIGITS);
  if (!equalText(nonce.slice(-MAC_DIGITS), sign(body, secret, hash))) return 'bad';
  return isFresh(nonce, now, lifetime) ? 'ok' : 'stale';
}

/** Of a nonce that is known to be ours: not older than `lifetime`, nor from a clock that has since been set back. */
export function isFresh(nonce: string, now: number, lifetime: number = NONCE_LIFETIME): boolean {
  const age = now - nonceTime(nonce);
  return age >= -2000 && age <= lifetime;
}

/** When a nonce of ours was made (wall clock, ms). */
const nonceTime = (nonce: string): number => Number.parseInt(nonce.slice(0, TIME_DIGITS), 16);

/** Equal in a time that depends on the length alone. */
function equalText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i % Math.max(b.length, 1));
  return difference === 0;
}

/**
 * Reads an Authorization header. Undefined where it is another scheme, malformed, of an unknown algorithm, or without qop
 * `auth` (without a nonce count a replay cannot be told).
 */
export function parseCredentials(header: string): DigestCredentials | undefined {
  const auth = parseAuth(header);
  if (auth?.scheme !== 'digest') return undefined;
  const algorithm = algorithmOf(auth.get('algorithm'));
  const username = auth.get('username');
  const realm = auth.get('realm');
  const nonce = auth.get('nonce');
  const uri = auth.get('uri');
  const response = auth.get('response');
  const nc = auth.get('nc');
  const cnonce = auth.get('cnonce');
  if (username === undefined || realm === undefined || nonce === undefined || uri === undefined) return undefined;
  if (response === undefined || nc === undefined || cnonce === undefined || algorithm === undefined) return undefined;
  if (auth.get('qop')?.toLowerCase() !== 'auth' || nc.length !== 8 || !isHex(nc)) return undefined;
  return { username, realm, nonce, uri, response, algorithm, nc, cnonce, qop: 'auth' };
}

function isHex(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i) | 32;
    if (!((code >= 48 && code <= 57) || (code >= 97 && code <= 102)) || text.charCodeAt(i) < 48) return false;
  }
  return true;
}

/** H(username:realm:password), what a server stores instead of the password. */
export function digestHa1(
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
  hash: DigestHash,
): string {
  return hash(algorithm, `${username}:${realm}:${password}`);
}

/** Are these the credentials of whoever knows `ha1`, for this method and Request-URI? Nonce and count are checked apart. */
export function verify(options: {
  readonly method: string;
  /** The Request-URI that came; the credentials have to name the same resource. */
  readonly uri: string;
  readonly credentials: DigestCredentials;
  readonly ha1: { readonly md5: string; readonly sha256: string };
  readonly hash: DigestHash;
}): boolean {
  const { credentials, hash, method } = options;
  const { algorithm, nonce, nc, cnonce, qop } = credentials;
  const ha1 = algorithm === 'SHA-256' ? options.ha1.sha256 : options.ha1.md5;
  const ha2 = hash(algorithm, `${method}:${credentials.uri}`);
  const expected = hash(algorithm, `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}`);
  return equalText(credentials.response.toLowerCase(), expected) && sameResource(credentials.uri, options.uri);
}

function sameResource(a: string, b: string): boolean {
  if (a === b) return true;
  const [left, right] = [parseUri(a), parseUri(b)];
  return left !== undefined && right !== undefined && sameUri(left, right);
}

/** How far behind the highest count a late request may be. */
export const NONCE_WINDOW = 31;

/**
 * Which counts of which nonces were used. Bounded: the oldest nonce is forgotten for a new one, and from then on every
 * unknown nonce as old as it is `stale`, so that forgetting never lets a replay through.
 */
export class NonceCounts {
  readonly #limit: number;
  readonly #used = new Map<string, { high: number; window: number }>();
  /** The nonces in the order of their first use, around; a map finds its oldest key only behind all that were removed. */
  readonly #order: string[] = [];
  #oldest = 0;
  #floor = -1;

  constructor(limit = 10_000) {
    this.#limit = limit;
  }

  /** Takes note of a verified use of a nonce of ours, which is kept as it is; `replay` where that count was used, or is too old to tell. */
  take(nonce: string, nc: string): 'ok' | 'stale' | 'replay' {
    const count = Number.parseInt(nc, 16);
    const entry = this.#used.get(nonce);
    if (entry === undefined) return this.#first(nonce, count);
    const ahead = count - entry.high;
    if (ahead > 0) {
      entry.window = ahead > NONCE_WINDOW ? 0 : (entry.window << ahead) & 0x7fff_ffff;
      if (ahead <= NONCE_WINDOW) entry.window |= 1 << (ahead - 1);
      entry.high = count;
      return 'ok';
    }
    if (ahead === 0 || -ahead > NONCE_WINDOW) return 'replay';
    const bit = 1 << (-ahead - 1);
    if ((entry.window & bit) !== 0) return 'replay';
    entry.window |= bit;
    return 'ok';
  }

  get size(): number {
    return this.#used.size;
  }

  #first(nonce: string, count: number): 'ok' | 'stale' {
    if (nonceTime(nonce) <= this.#floor) return 'stale';
    if (this.#order.length < this.#limit) this.#order.push(nonce);
    else {
      const oldest = this.#order[this.#oldest] ?? '';
      this.#used.delete(oldest);
      this.#floor = Math.max(this.#floor, nonceTime(oldest));
      this.#order[this.#oldest] = nonce;
      this.#oldest = (this.#oldest + 1) % this.#limit;
    }
    this.#used.set(nonce, { high: count, window: 0 });
    return 'ok';
  }
}

/**
 * The Authorization value that answers a challenge (all values of WWW-Authenticate or Proxy-Authenticate). SHA-256 goes before
 * MD5. Undefined where no value is a Digest challenge of the credentials' realm that we can answer: a stranger's realm
 * gets nothing.
 */
export function authorize(
  challenges: string | readonly string[],
  options: {
    readonly method: string;
    readonly uri: string;
    readonly credentials: Credentials;
    readonly cnonce: string;
    /** How often this nonce has been used, this time included. */
    readonly nc: number;
    readonly hash: DigestHash;
  },
): string | undefined {
  const { method, uri, credentials, cnonce, hash } = options;
  const best = pickChallenge(typeof challenges === 'string' ? [challenges] : challenges, credentials.realm);
  if (best === undefined) return undefined;
  const { algorithm, nonce, opaque, qop } = best;
  const ha1 = algorithm === 'SHA-256' ? credentials.ha1.sha256 : credentials.ha1.md5;
  const ha2 = hash(algorithm, `${method}:${uri}`);
  const nc = options.nc.toString(16).padStart(8, '0');
  const response = hash(algorithm, qop ? `${ha1}:${nonce}:${nc}:${cnonce}:auth:${ha2}` : `${ha1}:${nonce}:${ha2}`);
  const parts = [
    `username=${quote(credentials.username)}`,
    `realm=${quote(credentials.realm)}`,
    `nonce=${quote(nonce)}`,
    `uri=${quote(uri)}`,
    `response="${response}"`,
    `algorithm=${algorithm}`,
  ];
  if (qop) parts.push(`cnonce=${quote(cnonce)}`, 'qop=auth', `nc=${nc}`);
  if (opaque !== undefined) parts.push(`opaque=${quote(opaque)}`);
  return `Digest ${parts.join(', ')}`;
}

/** The realm of the first Digest challenge among the values of WWW-Authenticate or Proxy-Authenticate. */
export function realmOf(challenges: readonly string[]): string | undefined {
  for (const value of challenges) {
    const auth = parseAuth(value);
    if (auth?.scheme === 'digest') return auth.get('realm');
  }
  return undefined;
}

interface Challenge {
  readonly algorithm: DigestAlgorithm;
  readonly nonce: string;
  readonly opaque: string | undefined;
  /** False for a server of RFC 2069's time, which knows no qop. */
  readonly qop: boolean;
}

function pickChallenge(values: readonly string[], realm: string): Challenge | undefined {
  let best: Challenge | undefined;
  for (const value of values) {
    const auth = parseAuth(value);
    if (auth?.scheme !== 'digest' || auth.get('realm') !== realm) continue;
    const algorithm = algorithmOf(auth.get('algorithm'));
    const nonce = auth.get('nonce');
    const qop = auth.get('qop');
    const known = qop === undefined || qop.split(',').some((one) => one.trim().toLowerCase() === 'auth');
    if (algorithm === undefined || nonce === undefined || !known) continue;
    const found = { algorithm, nonce, opaque: auth.get('opaque'), qop: qop !== undefined };
    if (best === undefined || (best.algorithm === 'MD5' && algorithm === 'SHA-256')) best = found;
  }
  return best;
}
