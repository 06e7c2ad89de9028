/** Privacy that a caller asks for (RFC 3323 section 4.2, RFC 3325 section 9.3). */
import type { SipMessage } from './message.ts';
import { parseUri } from './uri.ts';

/** Priv-values that withhold who calls. */
const WITHHOLD: ReadonlySet<string> = new Set(['id', 'user', 'header']);

/** True where the callee is not to know who calls: by the Privacy header, or by an anonymous From. `none` beats all others. */
export function wantsPrivacy(message: SipMessage): boolean {
  const values = message
    .headerAll('Privacy')
    .flatMap((value) => value.split(';').map((one) => one.trim().toLowerCase()));
  if (values.includes('none')) return false;
  return values.some((value) => WITHHOLD.has(value)) || isAnonymous(message.from.uri);
}

/** An address that names nobody (RFC 3323 section 4.1.1.3). */
export function isAnonymous(text: string): boolean {
  return parseUri(text)?.host === 'anonymous.invalid';
}
