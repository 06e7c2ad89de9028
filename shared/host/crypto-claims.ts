/** What a certificate permits in the PASSporTs that it signs: the extension JWTClaimConstraints (RFC 8226 section 8), read. */
import type { ClaimLimits } from '../kernel/world.ts';
import { contextTag, DerReader } from './der.ts';

/** Of id-pe-JWTClaimConstraints. */
export const CLAIM_LIMITS = '1.3.6.1.5.5.7.1.27';
/** Names in one list of an extension, and values of one name. */
export const CLAIMS = 100;

/** The extension's value, whose tags are explicit; a throw means malformed. */
export function readClaimLimits(value: Uint8Array): ClaimLimits {
  const all = new DerReader(value);
  const limits = all.inside('sequence');
  all.end();
  const included = limits.peek() === contextTag(0) ? only(limits, 0, claimName) : [];
  const permitted = limits.peek() === contextTag(1) ? only(limits, 1, permittedOf) : [];
  limits.end();
  if (included.length + permitted.length === 0) throw new RangeError('constraints that constrain nothing');
  return { included, permitted };
}

/** The list that `[n]` holds. */
function only<T>(limits: DerReader, n: number, read: (reader: DerReader) => T): T[] {
  const tagged = limits.inside(contextTag(n));
  const list = listOf(tagged, read);
  tagged.end();
  return list;
}

function listOf<T>(reader: DerReader, read: (reader: DerReader) => T): T[] {
  const inner = reader.inside('sequence');
  const list: T[] = [];
  while (inner.peek() !== undefined) {
    if (list.length === CLAIMS) throw new RangeError('too many constraints');
    list.push(read(inner));
  }
  if (list.length === 0) throw new RangeError('an empty list');
  return list;
}

function permittedOf(reader: DerReader): ClaimLimits['permitted'][number] {
  const one = reader.inside('sequence');
  const claim = claimName(one);
  const values = listOf(one, (value) => text(value, 'utf8String'));
  one.end();
  return { claim, values };
}

const claimName = (reader: DerReader): string => text(reader, 'ia5String');

const text = (reader: DerReader, kind: 'ia5String' | 'utf8String'): string =>
  new TextDecoder('utf-8', { fatal: true }).decode(reader.next(kind).content);
