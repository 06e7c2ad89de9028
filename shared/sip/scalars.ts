/** Numbers in header values. */
import { methodAt } from './methods.ts';
import { decimal, isDigits, skipSpace } from './params.ts';

/** The largest sequence number, 2^31 - 1 (RFC 3261 section 8.1.1.5). */
const CSEQ_MAX = 0x7fff_ffff;
/** Delta-seconds beyond this count as this (RFC 3261 section 20.19). */
const EXPIRES_MAX = 0xffff_ffff;

/** `number method` (RFC 3261 section 20.16); undefined where malformed or above 2^31 - 1. */
export function parseCSeq(text: string): { readonly n: number; readonly method: string } | undefined {
  let end = 0;
  while (end < text.length && text.charCodeAt(end) !== 32 && text.charCodeAt(end) !== 9) end++;
  const n = decimal(text.slice(0, end), CSEQ_MAX);
  const method = methodAt(text, skipSpace(text, end), text.length);
  return n === undefined || method === '' ? undefined : { n, method };
}

/** Seconds: strict digits, anything above 2^32 - 1 counts as that; undefined for no digits. */
export function deltaSeconds(text: string | undefined): number | undefined {
  if (text === undefined || !isDigits(text)) return undefined;
  return decimal(text, EXPIRES_MAX) ?? EXPIRES_MAX;
}
