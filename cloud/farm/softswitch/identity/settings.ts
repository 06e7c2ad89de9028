/** What callers' numbers are signed with and whose signatures are believed: the operator's one document, read, judged and shown. Pure. */
import type { ChainFacts, Crypto, TnEntry } from '#shared/kernel/world.ts';
import type { IdentitySettings } from '#shared/protocol/verbs/identity.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

/** As it stands in the store; keys are sealed. */
export interface IdentityRow extends IdentitySettings {
  readonly key?: string;
  /** A key whose certificate was asked for and has not come yet. */
  readonly pending?: string;
}

/** What the softswitch signs with. */
export interface Signer {
  readonly x5u: string;
  /** PEM. */
  readonly key: string;
}

/** True where a certificate, and all of its issuers, may speak for this number (digits): a provider's code speaks for all of its provider's. */
export function speaksFor(
  { numbers = [], limits = [] }: Pick<ChainFacts, 'numbers' | 'limits'>,
  number: string,
): boolean {
  return [numbers, ...limits].every((entries) => entries.some((entry) => 'spc' in entry || isWithin(number, entry)));
}

/** True where a PASSporT may say this under a certificate that permits so much (RFC 8226 section 8). */
export function permits(limits: ChainFacts['claims'], said: Readonly<Record<string, unknown>>): boolean {
  const { included = [], permitted = [] } = limits ?? {};
  const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return (
    included.every((name) => said[name] !== undefined) &&
    permitted.every(({ claim, values }) => said[claim] === undefined || values.includes(textOf(said[claim])))
  );
}

/** RFC 8226 section 9: `count` numbers of the same length from `start` on. */
function isWithin(number: string, { start, count }: Extract<TnEntry, { start: string }>): boolean {
  if (count === 1) return number === start;
  if (number.length !== start.length || !/^\d+$/.test(number + start)) return false;
  const place = Number(number) - Number(start);
  return place >= 0 && place < count;
}

/** `spc:1234`, `15550100000`, `15550100000-15550100999`. */
export function writeEntry(entry: TnEntry): string {
  if ('spc' in entry) return `spc:${entry.spc}`;
  const { start, count } = entry;
  return count === 1 ? start : `${start}-${String(Number(start) + count - 1).padStart(start.length, '0')}`;
}

/** The same the other way; undefined where the range is none. */
export function readEntry(text: string): TnEntry | undefined {
  if (text.startsWith('spc:')) return { spc: text.slice(4) };
  const [start = '', end = start] = text.split('-');
  const count = Number(end) - Number(start) + 1;
  return end.length === start.length && count >= 1 ? { start, count } : undefined;
}

/** True for the key of this certificate. */
export async function fits(
  crypto: Pick<Crypto, 'sign' | 'verify'>,
  key: string,
  publicKey: Uint8Array,
): Promise<boolean> {
  const data = new TextEncoder().encode('whose key is this?');
  try {
    return await crypto.verify(publicKey, data, await crypto.sign(key, data));
  } catch {
    return false;
  }
}

/** Why nothing can be signed; undefined where it can. */
export function whyNot(row: IdentityRow, facts: ChainFacts | undefined, wall: number): string | undefined {
  if (row.chain === undefined || row.key === undefined) return 'There is no certificate with its key.';
  if (row.x5u === undefined) return 'Nobody would know where the certificate is: x5u is missing.';
  if (facts === undefined || facts.notAfter < wall) return 'The certificate is over.';
  return undefined;
}

/** How it is shown; `facts` of the chain, even when it is over. */
export function shown(row: IdentityRow, facts: ChainFacts | undefined, wall: number): VerbReply<'identity.get'> {
  const why = whyNot(row, facts, wall);
  return {
    signs: why === undefined,
    ...(why === undefined ? {} : { why }),
    ...(row.x5u === undefined ? {} : { x5u: row.x5u }),
    ...(facts === undefined ? {} : { subject: facts.subject, expiresAt: facts.notAfter }),
    ...(facts?.numbers === undefined ? {} : { numbers: facts.numbers.map(writeEntry) }),
    authorities: row.authorities?.split('-----BEGIN CERTIFICATE-----').slice(1).length ?? 0,
    hosts: [...(row.hosts ?? [])],
  };
}
