/** The names in a certificate, as the platform tells them. */
import type { X509Certificate } from 'node:crypto';
import { type CertificateNames, domainsOf } from '../sip/domain-certificate.ts';

/** Reads `DNS:a.example, URI:sip:b.example`; a value with unusual characters comes as a JSON string. */
export function namesOf({
  subject,
  subjectAltName,
}: Pick<X509Certificate, 'subject' | 'subjectAltName'>): CertificateNames {
  const common = /(?:^|\n)CN=([^\n]*)/.exec(subject)?.[1];
  const named = common === undefined ? {} : { subject: common };
  if (subjectAltName === undefined) return named;
  const uris: string[] = [];
  const dns: string[] = [];
  for (const [, kind = '', quoted, plain = ''] of subjectAltName.matchAll(ENTRY)) {
    const value = quoted === undefined ? plain : unquoted(quoted);
    if (kind === 'URI') uris.push(value);
    else if (kind === 'DNS') dns.push(value);
  }
  return { ...named, alternative: { uris, dns } };
}

/** A stranger's certificate may hold anything: what cannot be read is no name. */
function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return '';
  }
}

const ENTRY = /(?:^|, )([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,]*))/g;

/** The SIP domains that it speaks for. */
export const sipDomains = (certificate: X509Certificate): string[] => domainsOf(namesOf(certificate));
