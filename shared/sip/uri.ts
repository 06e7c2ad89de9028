/**
 * URIs and addresses of SIP (RFC 3261 sections 19.1 and 25.1). What is parsed is plain: the user part has its escapes undone,
 * the host is lower case and an IPv6 address has no brackets, so that it can be compared and used as an Address at once.
 */
import {
  decimal,
  endOfQuoted,
  isHostText,
  isUriText,
  isUserCode,
  type Params,
  parseParams,
  quote,
  skipSpace,
  trimmed,
  unquote,
  writeParams,
} from './params.ts';
import { endOfHost, usualHost } from './usual.ts';

export interface SipUri {
  /** Lower case: `sip`, `sips`, `tel` or any other. */
  scheme: string;
  /** sip and sips: the user, unescaped; tel: the number with its visual separators. */
  user?: string | undefined;
  /** Unescaped. */
  password?: string | undefined;
  /** Lower case, IPv6 without brackets; empty for tel and opaque URIs. */
  host: string;
  port?: number | undefined;
  params: Params;
  /** What follows `?`, as it came. */
  headers?: string | undefined;
  /** Of a scheme other than sip, sips and tel: all that follows the colon. */
  opaque?: string;
}

/** `"display" <uri>;params` or `uri;params` of From, To, Contact, Route and their like. */
export interface NameAddr {
  /** Unquoted; empty where there is none. */
  display: string;
  /** The URI as text; `parseUri` reads it. */
  uri: string;
  /** Parameters of the header field (tag, expires, q), not of the URI. */
  params: Params;
}

/** The longest URI that is read, octets. */
export const URI_LIMIT = 8192;

/** Reads a URI; undefined where it is malformed. A scheme other than sip, sips and tel is kept opaque. */
export function parseUri(text: string): SipUri | undefined {
  const host = usualHost(text, 0, text.length);
  if (host >= 0 && endOfHost(text, host, text.length) === text.length) return usualSip(text, host);
  if (text.length > URI_LIMIT || !isUriText(text)) return undefined;
  const colon = text.indexOf(':');
  if (colon <= 0 || colon === text.length - 1) return undefined;
  const scheme = text.slice(0, colon).toLowerCase();
  if (!isScheme(scheme)) return undefined;
  if (scheme === 'sip' || scheme === 'sips') return parseSip(scheme, text.slice(colon + 1));
  if (scheme === 'tel') return parseTel(text.slice(colon + 1));
  return { scheme, host: '', params: new Map(), opaque: text.slice(colon + 1) };
}

/** The user, and the host, of a URI that may be a usual one: then nothing more is made of it. */
export function userOf(text: string): string | undefined {
  const host = usualHost(text, 0, text.length);
  if (host < 0 || endOfHost(text, host, text.length) !== text.length) return parseUri(text)?.user;
  return host === 4 ? undefined : text.slice(4, host - 1);
}

export function hostOf(text: string): string | undefined {
  const host = usualHost(text, 0, text.length);
  if (host < 0 || endOfHost(text, host, text.length) !== text.length) return parseUri(text)?.host;
  const colon = text.indexOf(':', host);
  return (colon < 0 ? text.slice(host) : text.slice(host, colon)).toLowerCase();
}

/** A usual URI without parameters, whose host begins at `host`. */
function usualSip(text: string, host: number): SipUri {
  const colon = text.indexOf(':', host);
  return {
    scheme: 'sip',
    user: host === 4 ? undefined : text.slice(4, host - 1),
    password: undefined,
    host: (colon < 0 ? text.slice(host) : text.slice(host, colon)).toLowerCase(),
    port: colon < 0 ? undefined : Number(text.slice(colon + 1)),
    params: new Map(),
    headers: undefined,
  };
}

function isScheme(scheme: string): boolean {
  for (let i = 0; i < scheme.length; i++) {
    const c = scheme.charCodeAt(i);
    const letter = c >= 97 && c <= 122;
    const later = (c >= 48 && c <= 57) || c === 43 || c === 45 || c === 46;
    if (!letter && !(i > 0 && later)) return false;
  }
  return true;
}

function parseSip(scheme: string, rest: string): SipUri | undefined {
  const at = rest.indexOf('@');
  const info = at < 0 ? undefined : parseUser(rest.slice(0, at));
  if (at >= 0 && info === undefined) return undefined;
  const question = rest.indexOf('?', at + 1);
  const end = question < 0 ? rest.length : question;
  const headers = question < 0 ? undefined : rest.slice(question + 1);
  if (headers !== undefined && unescapeUri(headers) === undefined) return undefined;
  const semicolon = rest.indexOf(';', at + 1);
  const hostEnd = semicolon >= 0 && semicolon < end ? semicolon : end;
  const where = parseHostPort(rest.slice(at + 1, hostEnd));
  const params = hostEnd < end ? parseUriParams(rest.slice(hostEnd, end)) : new Map();
  if (where === undefined || params === undefined) return undefined;
  return { scheme, user: info?.user, password: info?.password, host: where.host, port: where.port, params, headers };
}

function parseUriParams(text: string): Params | undefined {
  const params = parseParams(text, 0);
  if (params === undefined || !text.includes('%')) return params;
  for (const value of params.values()) if (value !== undefined && unescapeUri(value) === undefined) return undefined;
  return params;
}

function parseUser(userinfo: string): { user: string; password: string | undefined } | undefined {
  const colon = userinfo.indexOf(':');
  const user = unescapeUri(colon < 0 ? userinfo : userinfo.slice(0, colon));
  const password = colon < 0 ? undefined : unescapeUri(userinfo.slice(colon + 1));
  if (user === undefined || user.length === 0 || (colon >= 0 && password === undefined)) return undefined;
  return { user, password };
}

function parseTel(rest: string): SipUri | undefined {
  const semicolon = rest.indexOf(';');
  const number = semicolon < 0 ? rest : rest.slice(0, semicolon);
  let digits = 0;
  for (let i = 0; i < number.length; i++) {
    const c = number.charAt(i);
    if ('0123456789*#abcdefABCDEF'.includes(c)) digits += 1;
    else if (!'-.()'.includes(c) && !(c === '+' && i === 0)) return undefined;
  }
  if (digits === 0) return undefined;
  const params = semicolon < 0 ? new Map() : parseParams(rest.slice(semicolon), 0);
  return params && { scheme: 'tel', user: number, host: '', params };
}

/** `host[:port]`, the host lower case and an IPv6 address without its brackets; undefined where it is malformed. */
export function parseHostPort(text: string): { host: string; port: number | undefined } | undefined {
  let host: string;
  let rest: string;
  if (text.startsWith('[')) {
    const close = text.indexOf(']');
    host = text.slice(1, Math.max(close, 1));
    if (!isIpv6Text(host)) return undefined;
    rest = text.slice(close + 1);
    if (rest !== '' && !rest.startsWith(':')) return undefined;
  } else {
    const colon = text.indexOf(':');
    host = colon < 0 ? text : text.slice(0, colon);
    if (!isHostText(host)) return undefined;
    rest = colon < 0 ? '' : text.slice(colon);
  }
  host = host.toLowerCase();
  if (rest === '') return { host, port: undefined };
  const port = decimal(rest.slice(1), 65_535);
  return port === undefined ? undefined : { host, port };
}

/** Looks like an IPv6 address: hexadecimal digits, dots and at least two colons (RFC 5118 section 4.9 asks for leniency here). */
function isIpv6Text(text: string): boolean {
  let colons = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === ':') colons += 1;
    else if (!'0123456789abcdefABCDEF.'.includes(c)) return false;
  }
  return colons >= 2 && text.length <= 45;
}

/** A host as it stands in a URI or Via: an IPv6 address in brackets. */
export const writeHost = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** The text of a URI; what has no place unescaped in the user part is escaped. */
export function writeUri(uri: SipUri): string {
  if (uri.opaque !== undefined) return `${uri.scheme}:${uri.opaque}`;
  if (uri.scheme === 'tel') return `tel:${uri.user ?? ''}${writeParams(uri.params)}`;
  let text = `${uri.scheme}:`;
  if (uri.user !== undefined) {
    text += escapeUser(uri.user);
    if (uri.password !== undefined) text += `:${escapeUser(uri.password)}`;
    text += '@';
  }
  text += writeHost(uri.host);
  if (uri.port !== undefined) text += `:${uri.port}`;
  text += writeParams(uri.params);
  return uri.headers === undefined ? text : `${text}?${uri.headers}`;
}

const HEX = '0123456789ABCDEF';

function escapeUser(text: string): string {
  let escaped = '';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    escaped += isUserCode(code) ? text.charAt(i) : `%${HEX.charAt((code >> 4) & 15)}${HEX.charAt(code & 15)}`;
  }
  return escaped;
}

/** Undoes `%hh`; undefined where a percent sign is not followed by two hexadecimal digits. */
export function unescapeUri(text: string): string | undefined {
  if (!text.includes('%')) return text;
  let plain = '';
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== 37) {
      plain += text.charAt(i);
      continue;
    }
    const high = HEX.indexOf(text.charAt(i + 1).toUpperCase());
    const low = HEX.indexOf(text.charAt(i + 2).toUpperCase());
    if (i + 2 >= text.length || high < 0 || low < 0) return undefined;
    plain += String.fromCharCode(high * 16 + low);
    i += 2;
  }
  return plain;
}

/** The same resource by RFC 3261 section 19.1.4; tel URIs by RFC 3966 section 3 without visual separators. */
export function sameUri(a: SipUri, b: SipUri): boolean {
  if (a.scheme !== b.scheme || a.opaque !== b.opaque) return false;
  if (a.scheme === 'tel') return bareNumber(a.user) === bareNumber(b.user) && sameParams(a.params, b.params, true);
  if (a.user !== b.user || a.password !== b.password || a.host !== b.host || a.port !== b.port) return false;
  return sameParams(a.params, b.params, false) && sameHeaders(a.headers, b.headers);
}

function bareNumber(number: string | undefined): string {
  let bare = '';
  for (const c of number ?? '') if (!'-.()'.includes(c)) bare += c;
  return bare.toLowerCase();
}

/** Parameters that have to be on both sides once they are on one (RFC 3261 section 19.1.4). */
const WEIGHTY = ['user', 'ttl', 'method', 'maddr', 'transport'];

function sameParams(a: Params, b: Params, every: boolean): boolean {
  for (const [name, value] of a) {
    if (b.has(name)) {
      if (plain(value) !== plain(b.get(name))) return false;
    } else if (every || WEIGHTY.includes(name)) return false;
  }
  for (const name of b.keys()) if (!a.has(name) && (every || WEIGHTY.includes(name))) return false;
  return true;
}

const plain = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : (unescapeUri(value) ?? value).toLowerCase();

function sameHeaders(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined) return false;
  return normalHeaders(a) === normalHeaders(b);
}

/** Headers of a URI in sorted order, names in lower case. */
function normalHeaders(text: string): string {
  const pairs = text.split('&').map((pair) => {
    const equals = pair.indexOf('=');
    const name = (equals < 0 ? pair : pair.slice(0, equals)).toLowerCase();
    return `${unescapeUri(name)}=${equals < 0 ? '' : unescapeUri(pair.slice(equals + 1))}`;
  });
  return pairs.sort().join('&');
}

/**
 * Reads a name-addr or addr-spec with header parameters; undefined where it is malformed. A display name of other characters
 * than tokens and without quotes is taken as it stands (RFC 4475 section 3.1.2.15 allows it). Without brackets the URI ends at
 * the first semicolon and may not hold `?` or a comma (RFC 3261 section 20.10). The URI itself is not judged here.
 */
export function parseNameAddr(text: string): NameAddr | undefined {
  let at = skipSpace(text, 0);
  let display = '';
  if (text.charCodeAt(at) === 34) {
    const end = endOfQuoted(text, at);
    if (end < 0) return undefined;
    display = unquote(text.slice(at, end));
    at = skipSpace(text, end);
    if (text.charCodeAt(at) !== 60) return undefined;
  }
  const open = text.indexOf('<', at);
  if (open < 0) return parseBare(text, at);
  if (open > at) display = trimmed(text, at, open);
  if (display.length > 0 && open > at && display.includes('"')) return undefined;
  const close = text.indexOf('>', open);
  if (close < 0) return undefined;
  const uri = text.slice(open + 1, close);
  const params = close + 1 === text.length ? new Map() : parseParams(text, close + 1);
  return uri.length === 0 || params === undefined ? undefined : { display, uri, params };
}

function parseBare(text: string, at: number): NameAddr | undefined {
  const semicolon = text.indexOf(';', at);
  const uri = trimmed(text, at, semicolon < 0 ? text.length : semicolon);
  if (uri.length === 0 || uri.includes('?') || uri.includes(',') || uri.includes('"')) return undefined;
  const params = semicolon < 0 ? new Map() : parseParams(text, semicolon);
  return params && { display: '', uri, params };
}

/** `"display" <uri>;params`; always with brackets, so that URI parameters stay the URI's. */
export function writeNameAddr(address: NameAddr): string {
  const name = address.display === '' ? '' : `${quote(address.display)} `;
  return `${name}<${address.uri}>${writeParams(address.params)}`;
}
