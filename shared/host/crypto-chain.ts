/** Chains of certificates (RFC 5280 section 6, as much of it as signers of calls need): issuers, times, rights, and the numbers of the first. */
import { X509Certificate } from 'node:crypto';
import type { ChainFacts } from '../kernel/world.ts';
import { CLAIM_LIMITS, readClaimLimits } from './crypto-claims.ts';
import { readNumbers, TN_AUTH_LIST } from './crypto-numbers.ts';
import { readPublicKey } from './crypto-x509.ts';
import { contextTag, DerReader, oid } from './der.ts';

/** Certificates of one chain, and characters of it; authorities beside it. */
export const CHAIN_LENGTH = 5;
export const CHAIN_LIMIT = 16_384;
export const AUTHORITIES = 100;

const NUMBERS = hexOf(oid(TN_AUTH_LIST));
const CLAIMS = hexOf(oid(CLAIM_LIMITS));
const CONSTRAINTS = hexOf(oid('2.5.29.19'));
const USAGE = hexOf(oid('2.5.29.15'));
/** Extensions that may be critical: what they say is kept here, or does not touch the signing of calls. */
const UNDERSTOOD: ReadonlySet<string> = new Set([
  ...[NUMBERS, CLAIMS, CONSTRAINTS, USAGE],
  ...['2.5.29.17', '2.5.29.32', '2.5.29.37'].map((id) => hexOf(oid(id))),
]);

/** See `Crypto.readChain`. */
export function readChain(chain: string, authorities: string, wall: number): ChainFacts | undefined {
  try {
    const links = certificatesIn(chain, CHAIN_LIMIT, CHAIN_LENGTH);
    const roots = certificatesIn(authorities, CHAIN_LIMIT * AUTHORITIES, AUTHORITIES);
    const [leaf] = links;
    const root = isLinked(links) ? rootOf(links, roots, wall) : undefined;
    if (leaf === undefined || root === undefined) return undefined;
    // Reading them all refuses a critical extension that nobody here knows.
    for (const one of links) extensionsOf(one);
    return links.every((one) => inTime(one, wall)) ? factsOf(leaf, [...links.slice(1), root]) : undefined;
  } catch {
    return undefined;
  }
}

/** `issuers`: those of the chain and its root, perhaps the same. */
function factsOf(leaf: X509Certificate, issuers: readonly X509Certificate[]): ChainFacts | undefined {
  const publicKey = Uint8Array.from(leaf.publicKey.export({ type: 'spki', format: 'der' }));
  const extensions = extensionsOf(leaf);
  if (readPublicKey(publicKey) === undefined || !maySign(extensions.get(USAGE))) return undefined;
  const [value, claims] = [extensions.get(NUMBERS), extensions.get(CLAIMS)];
  const others = new Map(issuers.map((one) => [one.fingerprint256, one]));
  others.delete(leaf.fingerprint256);
  const limits = [...others.values()].flatMap((one) => extensionsOf(one).get(NUMBERS) ?? []).map(readNumbers);
  return {
    subject: /(?:^|\n)CN=([^\n]*)/.exec(leaf.subject)?.[1] ?? '',
    ...{ publicKey, notAfter: leaf.validToDate.getTime() },
    ...(value === undefined ? {} : { numbers: readNumbers(value) }),
    ...(limits.length === 0 ? {} : { limits }),
    ...(claims === undefined ? {} : { claims: readClaimLimits(claims) }),
  };
}

/** digitalSignature, where key usage is said at all (RFC 5280 section 4.2.1.3). */
function maySign(usage: Uint8Array | undefined): boolean {
  if (usage === undefined) return true;
  const [, first = 0] = new DerReader(usage).next('bitString').content;
  return (first & 0x80) !== 0;
}

function certificatesIn(text: string, limit: number, most: number): X509Certificate[] {
  const found =
    text.length > limit ? [] : (text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []);
  return found.length > most ? [] : found.map((one) => new X509Certificate(one));
}

/** Each is issued by the next, which may issue. */
function isLinked(links: readonly X509Certificate[]): boolean {
  return links.every((link, i) => {
    const issuer = links[i + 1];
    return issuer === undefined || isIssued(link, issuer, i);
  });
}

/** `below`: certificates between the issuer and the first that are issuers themselves. */
function isIssued(link: X509Certificate, issuer: X509Certificate, below: number): boolean {
  if (!issuer.ca || !link.checkIssued(issuer) || !link.verify(issuer.publicKey)) return false;
  const limit = pathOf(issuer);
  return limit === undefined || below <= limit;
}

/** The authority that the last is itself, or that issued it and is in its time. */
function rootOf(
  links: readonly X509Certificate[],
  roots: readonly X509Certificate[],
  wall: number,
): X509Certificate | undefined {
  const last = links.at(-1);
  return roots.find((root) => {
    if (last === undefined) return false;
    if (root.fingerprint256 === last.fingerprint256) return true;
    return inTime(root, wall) && isIssued(last, root, links.length - 1);
  });
}

function inTime(one: X509Certificate, wall: number): boolean {
  return one.validFromDate.getTime() <= wall && wall <= one.validToDate.getTime();
}

/** pathLenConstraint; undefined where there is none. */
function pathOf(issuer: X509Certificate): number | undefined {
  const value = extensionsOf(issuer).get(CONSTRAINTS);
  if (value === undefined) return undefined;
  const fields = new DerReader(value).inside('sequence');
  if (fields.peek() === 0x01) fields.next('boolean');
  return fields.peek() === undefined ? undefined : fields.next('integer').content.at(-1);
}

/** Values of the extensions by the DER of their ids. Throws where a critical one is not understood. */
function extensionsOf(certificate: X509Certificate): Map<string, Uint8Array> {
  const body = new DerReader(certificate.raw).inside('sequence').inside('sequence');
  const found = new Map<string, Uint8Array>();
  for (let tag = body.peek(); tag !== undefined; tag = body.peek()) {
    const { content } = body.next(tag);
    if (tag !== contextTag(3)) continue;
    const list = new DerReader(content).inside('sequence');
    while (list.peek() !== undefined) {
      const one = list.inside('sequence');
      const id = hexOf(one.next('oid').whole);
      const critical = one.peek() === 0x01 && one.next('boolean').content[0] !== 0;
      if (critical && !UNDERSTOOD.has(id)) throw new RangeError('a critical extension that nobody here knows');
      found.set(id, one.next('octetString').content);
    }
  }
  return found;
}

function hexOf(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
