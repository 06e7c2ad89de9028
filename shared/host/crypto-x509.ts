/**
 * Certificates (RFC 5280) and certificate requests (PKCS #10, RFC 2986) on P-256 keys. Only what we issue can be written;
 * requests come from strangers, so they are read strictly: length first, DER only, one common name, one curve.
 */
import { createHash, createPublicKey, type KeyObject, randomBytes, sign, verify, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import type { CertificateFacts, IssueOptions, KeyPair, TnEntry } from '../kernel/world.ts';
import { TN_AUTH_LIST, writeNumbers } from './crypto-numbers.ts';
import { bitString, context, DerReader, element, integer, oid, time } from './der.ts';

/** Characters of a PEM certificate request that are looked at, at the most. */
export const REQUEST_LIMIT = 4096;
/** Characters of a common name (RFC 5280 appendix A.1, ub-common-name). */
const NAME_LIMIT = 64;

const COMMON_NAME = oid('2.5.4.3');
const ECDSA_SHA256 = element('sequence', oid('1.2.840.10045.4.3.2'));
const EXTENSION = {
  subjectKey: '2.5.29.14',
  keyUsage: '2.5.29.15',
  names: '2.5.29.17',
  constraints: '2.5.29.19',
  authorityKey: '2.5.29.35',
  extendedUsage: '2.5.29.37',
} as const;
const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14');
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** SHA-256 of a SubjectPublicKeyInfo, lower-case hex. */
export function keyHashOf(publicKey: Uint8Array): string {
  return createHash('sha256').update(publicKey).digest('hex');
}

/** A P-256 public key from its DER; undefined for anything else. */
export function readPublicKey(publicKey: Uint8Array): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    return key.asymmetricKeyDetails?.namedCurve === 'prime256v1' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** A PKCS #10 request for the common name `subject`, PEM; with `numbers` it asks for the extension of RFC 8226 (RFC 2985 section 5.4.2). */
export function createRequest(
  key: Pick<KeyPair, 'privateKey' | 'publicKey'>,
  subject: string,
  numbers: readonly TnEntry[] = [],
): string {
  const wanted = element('sequence', extension(TN_AUTH_LIST, false, writeNumbers(numbers)));
  const attributes = numbers.length === 0 ? [] : [element('sequence', EXTENSION_REQUEST, element('set', wanted))];
  const info = element('sequence', integer(0), commonName(subject), key.publicKey, context(0, false, ...attributes));
  return pem('CERTIFICATE REQUEST', signed(info, key.privateKey));
}

/** What a request asks for; undefined where it is malformed, not of P-256, or not signed by the key that it asks for. */
export function readRequest(
  request: string,
): { subject: string; publicKey: Uint8Array<ArrayBuffer>; keyHash: string } | undefined {
  const octets = fromPem('CERTIFICATE REQUEST', request);
  if (octets === undefined) return undefined;
  try {
    const all = new DerReader(octets);
    const outer = all.inside('sequence');
    all.end();
    const info = outer.next('sequence');
    if (!Buffer.from(outer.next('sequence').whole).equals(ECDSA_SHA256)) return undefined;
    const [unused, ...signature] = outer.next('bitString').content;
    outer.end();
    const fields = new DerReader(info.content);
    if (fields.next('integer').content[0] !== 0) return undefined;
    const subject = readCommonName(fields.inside('sequence'));
    const publicKey = Uint8Array.from(fields.next('sequence').whole);
    const key = readPublicKey(publicKey);
    if (unused !== 0 || key === undefined) return undefined;
    if (!verify('sha256', info.whole, key, Uint8Array.from(signature))) return undefined;
    return { subject, publicKey, keyHash: keyHashOf(publicKey) };
  } catch {
    return undefined;
  }
}

/** Issues a version 3 certificate with a random serial number, PEM. Throws for a key that is not of P-256. */
export function issue(options: IssueOptions): string {
  if (readPublicKey(options.publicKey) === undefined) throw new TypeError('only P-256 keys get certificates');
  const info = element(
    'sequence',
    context(0, false, integer(2)),
    integer(...newSerial()),
    ECDSA_SHA256,
    commonName(options.issuer === undefined ? options.subject : issuerName(options.issuer)),
    element('sequence', time(options.notBefore), time(options.notAfter)),
    commonName(options.subject),
    options.publicKey,
    context(3, false, element('sequence', ...extensions(options))),
  );
  return pem('CERTIFICATE', signed(info, options.signer));
}

/** What stands in a certificate (PEM or DER); undefined where it is none. The transport asks it about a peer, too. */
export function certificateFacts(
  certificate: string | Uint8Array,
): (CertificateFacts & { readonly selfSigned: boolean }) | undefined {
  try {
    const read = new X509Certificate(certificate);
    return {
      subject: /(?:^|\n)CN=([^\n]*)/.exec(read.subject)?.[1] ?? '',
      keyHash: keyHashOf(read.publicKey.export({ type: 'spki', format: 'der' })),
      serial: read.serialNumber.toLowerCase(),
      notBefore: read.validFromDate.getTime(),
      notAfter: read.validToDate.getTime(),
      selfSigned: read.issuer === read.subject && read.verify(read.publicKey),
    };
  } catch {
    return undefined;
  }
}

function issuerName(certificate: string): string {
  const facts = certificateFacts(certificate);
  if (facts === undefined) throw new TypeError('the issuer is named by its certificate, PEM');
  return facts.subject;
}

function signed(info: Uint8Array, privateKey: string): Uint8Array<ArrayBuffer> {
  return element('sequence', info, ECDSA_SHA256, bitString(sign('sha256', info, privateKey)));
}

function commonName(subject: string): Uint8Array<ArrayBuffer> {
  if (subject.length < 1 || subject.length > NAME_LIMIT) throw new RangeError('a common name has 1 to 64 characters');
  const value = element('utf8String', new TextEncoder().encode(subject));
  return element('sequence', element('set', element('sequence', COMMON_NAME, value)));
}

function readCommonName(name: DerReader): string {
  const relative = name.inside('set');
  name.end();
  const attribute = relative.inside('sequence');
  relative.end();
  if (!Buffer.from(attribute.next('oid').whole).equals(COMMON_NAME)) throw new RangeError('not a common name');
  const value = attribute.next(attribute.peek() === 0x13 ? 'printableString' : 'utf8String').content;
  attribute.end();
  const text = new TextDecoder('utf-8', { fatal: true }).decode(value);
  if (text.length < 1 || text.length > NAME_LIMIT) throw new RangeError('a common name has 1 to 64 characters');
  return text;
}

/** 126 random bits; the first octet is 0x40 to 0x7f, so number and hexadecimal form have always the same length. */
function newSerial(): number[] {
  const [first = 0, ...rest] = randomBytes(16);
  return [(first & 0x3f) | 0x40, ...rest];
}

function extensions(options: IssueOptions): Uint8Array[] {
  const authority = options.use === 'authority';
  const signer = createPublicKey(options.signer).export({ type: 'spki', format: 'der' });
  const list = [
    extension(EXTENSION.constraints, true, element('sequence', ...(authority ? [TRUE, integer(0)] : []))),
    // keyCertSign and cRLSign, or digitalSignature
    extension(
      EXTENSION.keyUsage,
      true,
      authority ? bitString(Uint8Array.of(0x06), 1) : bitString(Uint8Array.of(0x80), 7),
    ),
    extension(EXTENSION.subjectKey, false, element('octetString', keyIdentifier(options.publicKey))),
    extension(EXTENSION.authorityKey, false, element('sequence', context(0, true, keyIdentifier(signer)))),
  ];
  if (!authority) {
    const uses = { server: [SERVER_AUTH], client: [CLIENT_AUTH], domain: [SERVER_AUTH, CLIENT_AUTH] }[options.use];
    list.push(extension(EXTENSION.extendedUsage, false, element('sequence', ...uses.map(oid))));
  }
  const names = options.names ?? [];
  if (names.length > 0) list.push(extension(EXTENSION.names, false, element('sequence', ...names.map(generalName))));
  const numbers = options.numbers ?? [];
  if (numbers.length > 0) list.push(extension(TN_AUTH_LIST, false, writeNumbers(numbers)));
  return list;
}

const TRUE = element('boolean', Uint8Array.of(0xff));

function extension(id: string, critical: boolean, value: Uint8Array): Uint8Array<ArrayBuffer> {
  return element('sequence', oid(id), ...(critical ? [TRUE] : []), element('octetString', value));
}

/** dNSName [2], uniformResourceIdentifier [6] or iPAddress [7] (RFC 5280 section 4.2.1.6). */
function generalName(name: string): Uint8Array<ArrayBuffer> {
  if (name.startsWith('sip:')) return context(6, true, new TextEncoder().encode(name));
  const version = isIP(name);
  if (version === 0) return context(2, true, new TextEncoder().encode(name));
  return context(7, true, Uint8Array.from(version === 4 ? name.split('.').map(Number) : ipv6Octets(name)));
}

/** The 16 octets of a literal IPv6 address that `isIP` has accepted; the URL parser writes it in hexadecimal groups. */
function ipv6Octets(name: string): number[] {
  const [head = '', tail] = new URL(`http://[${name}]`).hostname.slice(1, -1).split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const front = groups(head);
  const back = groups(tail ?? '');
  const all = [...front, ...new Array<number>(8 - front.length - back.length).fill(0), ...back];
  return all.flatMap((group) => [group >> 8, group & 255]);
}

/** RFC 7093 section 2, method 1: the leftmost 160 bits of the SHA-256 of the key's bit string (65 octets on P-256). */
function keyIdentifier(publicKey: Uint8Array): Uint8Array {
  return createHash('sha256').update(publicKey.subarray(-65)).digest().subarray(0, 20);
}

function pem(label: string, octets: Uint8Array): string {
  const lines =
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function fromPem(label: string, text: string): Uint8Array | undefined {
  if (text.length > REQUEST_LIMIT) return undefined;
  const body = text.trim().split(/\r?\n/);
  if (body.shift() !== `-----BEGIN ${label}-----` || body.pop() !== `-----END ${label}-----`) return undefined;
  if (!body.every((line) => /^[A-Za-z0-9+/]{1,76}={0,2}$/.test(line))) return undefined;
  return Buffer.from(body.join(''), 'base64');
}
