/**
 * PASSporT (RFC 8225) of the kinds `shaken` (RFC 8588: who calls whom, when, and how well the signer knows the caller) and `div` (RFC 8946:
 * who sent that call on, and to whom; `div-o`: the same with the token of what it was in it), and of the kind without a name (no more than who
 * calls whom, and when), as JSON Web Signatures in their compact form.
 * Here they are only written and read; whoever holds a key signs `signingInput` or `divInput`.
 */
import { fromBase64, toBase64 } from '../kernel/base64.ts';
import { latin1, utf8 } from '../kernel/bytes.ts';

/** Full, partial and gateway attestation (RFC 8588 section 4). */
export type Attestation = 'A' | 'B' | 'C';

export interface Passport {
  /** Where the signer's certificates are (https). */
  readonly x5u: string;
  readonly attest: Attestation;
  /** The called numbers (digits) or other URIs. */
  readonly dest: { readonly tn?: readonly string[]; readonly uri?: readonly string[] };
  /** Seconds since 1970. */
  readonly iat: number;
  /** The caller's number, digits. */
  readonly orig: string;
  /** UUID of where the call came into the signer's network. */
  readonly origid: string;
}

/** A call that was sent on: whoever was called before speaks, and takes nothing of who calls away. */
export interface Sent extends Pick<Passport, 'x5u' | 'dest' | 'iat' | 'orig'> {
  /** The number that sent it on, digits. */
  readonly div: string;
}

/** As `ReadToken`, of the kind `div`. */
export interface ReadSent {
  readonly passport: Sent;
  readonly input: string;
  readonly signature: Uint8Array;
}

/** What every PASSporT over a caller says. */
export type Plain = Omit<Passport, 'attest' | 'origid'>;

/** A token that came in: what it says, and what its signature is over. Nothing of it is believed yet. */
export interface ReadToken {
  readonly passport: Plain & Partial<Passport>;
  readonly input: string;
  readonly signature: Uint8Array;
}

/** Characters of a token, and called parties in it, that are read. */
export const TOKEN_LIMIT = 4096;
export const DEST_LIMIT = 16;
/** Octets of an ES256 signature (RFC 7518 section 3.4). */
const SIGNATURE = 64;

/**
 * A number as it stands in a PASSporT: digits, `*` and `#` without plus sign and visual separators (RFC 8224 section 8.3); undefined where
 * the text is no number.
 */
export function canonicalNumber(text: string): string | undefined {
  let digits = '';
  for (let i = 0; i < text.length; i++) {
    const char = text.charAt(i);
    if ('0123456789*#'.includes(char)) digits += char;
    else if (!'-.() '.includes(char) && !(char === '+' && i === 0)) return undefined;
  }
  return digits.length > 0 && digits.length <= 15 ? digits : undefined;
}

/** What is to be signed: both objects with their keys in order and no white space (RFC 8225 section 9). */
export function signingInput({ x5u, attest, dest, iat, orig, origid }: Passport): string {
  return inputOf('shaken', x5u, { attest, dest: inOrder(dest), iat, orig: { tn: orig }, origid });
}

/** As `signingInput`, of the kind without a name. */
export function plainInput({ x5u, dest, iat, orig }: Plain): string {
  return inputOf(undefined, x5u, { dest: inOrder(dest), iat, orig: { tn: orig } });
}

/** As `signingInput`, of the kind `div`; with the token in its full form by which the call came, of the kind `div-o`. */
export function divInput({ x5u, dest, div, iat, orig }: Sent, opt?: string): string {
  const said = { dest: inOrder(dest), div: { tn: div }, iat };
  if (opt === undefined) return inputOf('div', x5u, { ...said, orig: { tn: orig } });
  return inputOf('div-o', x5u, { ...said, opt, orig: { tn: orig } });
}

/** `claims` with its keys in order. */
type Kind = 'shaken' | 'div' | 'div-o';

function inputOf(ppt: Kind | undefined, x5u: string, claims: object): string {
  const header = { alg: 'ES256', ...(ppt === undefined ? {} : { ppt }), typ: 'passport', x5u };
  return `${urlText(JSON.stringify(header))}.${urlText(JSON.stringify(claims))}`;
}

const inOrder = ({ tn, uri }: Passport['dest']) => ({
  ...(tn === undefined ? {} : { tn }),
  ...(uri === undefined ? {} : { uri }),
});

/** The token of an input and its ES256 signature. */
export function tokenOf(input: string, signature: Uint8Array): string {
  return `${input}.${toBase64Url(signature)}`;
}

/**
 * Reads a token in its full form; undefined where it is malformed, signed by anything but ES256, of another kind than `shaken`, or too
 * long.
 */
export function readToken(token: string): ReadToken | undefined {
  const read = readSigned(token, 'shaken');
  const passport = read && passportOf(read.claims, read.x5u);
  return passport && { passport, input: read.input, signature: read.signature };
}

/** As `readToken`, of the kind without a name. */
export function readPlain(token: string): ReadToken | undefined {
  const read = readSigned(token, undefined);
  const passport = read && commonOf(read.claims, read.x5u);
  return passport && { passport, input: read.input, signature: read.signature };
}

/** A signature alone (RFC 8225 section 7), over what is known of the call from elsewhere; undefined where it is none. */
export function readCompact(token: string, passport: Plain): ReadToken | undefined {
  const signature = token.startsWith('..') ? fromBase64Url(token.slice(2)) : undefined;
  return signature?.length === SIGNATURE ? { passport, input: plainInput(passport), signature } : undefined;
}

/** All claims of a token's input. */
export function claimsIn(input: string): Readonly<Record<string, unknown>> {
  return objectOf(input.split('.')[1] ?? '') ?? {};
}

/** As `readToken`, of the kind `div`. */
export function readSent(token: string): ReadSent | undefined {
  const read = readSigned(token, 'div');
  return read && sentOf(read);
}

/** All that a token of the kind `div-o` says, the first of those who sent the call on first. */
export interface ReadFull {
  /** What was signed over the caller; absent where the innermost is of the kind `div`. */
  readonly token?: ReadToken;
  readonly sentOn: readonly ReadSent[];
}

/**
 * Reads a token of the kind `div-o` (RFC 8946 section 5) with those in it, each in its full form; undefined where one is malformed, or was
 * not for whoever sent it on. `TOKEN_LIMIT` bounds how many there can be.
 */
export function readFull(token: string): ReadFull | undefined {
  const read = readSigned(token, 'div-o');
  const sent = read && sentOf(read);
  const opt = read?.claims.opt;
  if (sent === undefined || typeof opt !== 'string') return undefined;
  const inner = withinFull(opt);
  const before = inner?.sentOn.at(-1) ?? inner?.token;
  if (inner === undefined || before === undefined) return undefined;
  const { dest, orig } = before.passport;
  if (orig !== sent.passport.orig || dest.tn?.includes(sent.passport.div) !== true) return undefined;
  return { ...inner, sentOn: [...inner.sentOn, sent] };
}

function withinFull(opt: string): ReadFull | undefined {
  const token = readToken(opt) ?? readPlain(opt);
  if (token !== undefined) return { token, sentOn: [] };
  const sent = readSent(opt);
  return sent === undefined ? readFull(opt) : { sentOn: [sent] };
}

function sentOf(read: Signed): ReadSent | undefined {
  const common = commonOf(read.claims, read.x5u);
  const div = isObject(read.claims.div) ? numberOf(read.claims.div.tn) : undefined;
  if (common === undefined || div === undefined) return undefined;
  return { passport: { ...common, div }, input: read.input, signature: read.signature };
}

interface Signed extends Pick<ReadToken, 'input' | 'signature'> {
  readonly claims: Json;
  readonly x5u: string;
}

function readSigned(token: string, kind: Kind | undefined): Signed | undefined {
  if (token.length > TOKEN_LIMIT) return undefined;
  const parts = token.split('.');
  const [head = '', body = '', sign = ''] = parts;
  const header = parts.length === 3 ? objectOf(head) : undefined;
  const claims = header === undefined ? undefined : objectOf(body);
  const signature = fromBase64Url(sign);
  if (header === undefined || claims === undefined || signature?.length !== SIGNATURE) return undefined;
  const { alg, ppt, typ, x5u } = header;
  if (alg !== 'ES256' || ppt !== kind || typ !== 'passport' || typeof x5u !== 'string') return undefined;
  // What has to be understood is not (RFC 7515 section 4.1.11).
  if (header.crit !== undefined) return undefined;
  return { claims, x5u, input: `${head}.${body}`, signature };
}

type Json = Readonly<Record<string, unknown>>;

function passportOf(claims: Json, x5u: string): Passport | undefined {
  const { attest, origid } = claims;
  if (attest !== 'A' && attest !== 'B' && attest !== 'C') return undefined;
  if (typeof origid !== 'string' || origid.length > 64) return undefined;
  const common = commonOf(claims, x5u);
  return common && { ...common, attest, origid };
}

/** A number as it has to stand there. */
const numberOf = (tn: unknown): string | undefined =>
  typeof tn === 'string' && canonicalNumber(tn) === tn ? tn : undefined;

function commonOf({ dest, iat, orig }: Json, x5u: string): Omit<Sent, 'div'> | undefined {
  const tn = isObject(orig) ? numberOf(orig.tn) : undefined;
  if (tn === undefined || !isObject(dest)) return undefined;
  if (typeof iat !== 'number' || !Number.isSafeInteger(iat) || iat < 0) return undefined;
  const [numbers, uris] = [texts(dest.tn), texts(dest.uri)];
  if (numbers === undefined || uris === undefined || numbers.length + uris.length === 0) return undefined;
  const called = { ...(numbers.length === 0 ? {} : { tn: numbers }), ...(uris.length === 0 ? {} : { uri: uris }) };
  return { x5u, dest: called, iat, orig: tn };
}

/** A list of texts, empty where there is none; undefined for anything else. */
function texts(value: unknown): string[] | undefined {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > DEST_LIMIT) return undefined;
  const list = value.filter((one) => typeof one === 'string');
  return list.length === value.length ? list : undefined;
}

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The JSON object of a part, with nothing inherited. */
function objectOf(part: string): Json | undefined {
  const octets = fromBase64Url(part);
  if (octets === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(latin1(octets));
    return isObject(value) ? Object.assign(Object.create(null), value) : undefined;
  } catch {
    return undefined;
  }
}

const urlText = (text: string): string => toBase64Url(utf8(text));

/** RFC 4648 section 5, without padding. */
function toBase64Url(octets: Uint8Array): string {
  return toBase64(octets).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function fromBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text)) return undefined;
  return fromBase64(text.replaceAll('-', '+').replaceAll('_', '/') + '='.repeat((4 - (text.length % 4)) % 4));
}
