/** The asserted identity of a request (RFC 3325 section 9.1, RFC 5876 section 4.5). Whether its sender is believed is judged before. Pure. */
import type { SipMessage } from './message.ts';
import { type NameAddr, parseNameAddr, parseUri } from './uri.ts';

/**
 * The identities in P-Asserted-Identity, in their order: at most one SIP or SIPS URI and one TEL URI; a second of a kind, any other scheme
 * and what is malformed is ignored.
 */
export function assertedIdentities(message: SipMessage): NameAddr[] {
  const found = new Map<string, NameAddr>();
  for (const value of message.headerAll('P-Asserted-Identity')) {
    const address = parseNameAddr(value);
    const scheme = address === undefined ? undefined : parseUri(address.uri)?.scheme;
    const kind = scheme === 'sips' ? 'sip' : scheme;
    if (address !== undefined && (kind === 'sip' || kind === 'tel') && !found.has(kind)) found.set(kind, address);
  }
  return [...found.values()];
}
