/** For which SIP domains a certificate speaks (RFC 5922 section 7). Pure: what is read of the certificate is handed in. */
import { parseUri } from './uri.ts';

/** The names in a certificate. */
export interface CertificateNames {
  /** Values of its subjectAltName, where it has that extension. */
  readonly alternative?: { readonly uris: readonly string[]; readonly dns: readonly string[] };
  /** Common name of its subject. */
  readonly subject?: string;
}

/**
 * Its SIP domains, lower case (section 7.1): SIP URIs without a user; the DNS names only where there is no such URI; the subject only
 * where there are no alternative names at all.
 */
export function domainsOf({ alternative, subject }: CertificateNames): string[] {
  if (alternative === undefined) return subject === undefined ? [] : [subject.toLowerCase()];
  const named = alternative.uris.flatMap((text) => {
    const uri = parseUri(text);
    const domain = uri?.scheme === 'sip' && uri.user === undefined && !text.includes('@') && uri.headers === undefined;
    return domain ? [uri.host] : [];
  });
  return named.length > 0 ? named : alternative.dns.map((name) => name.toLowerCase());
}

/** Whether it speaks for that domain (section 7.2): the whole name, in any case; a wildcard fits nothing, nor does the end of a name. */
export function speaksFor(names: CertificateNames, domain: string): boolean {
  return !domain.includes('*') && domainsOf(names).includes(domain.toLowerCase());
}
