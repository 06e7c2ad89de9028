import { describe, expect, it } from 'vitest';
import { type CertificateNames, domainsOf, speaksFor } from './domain-certificate.ts';

const san = (uris: string[], dns: string[] = [], subject?: string): CertificateNames => ({
  alternative: { uris, dns },
  ...(subject === undefined ? {} : { subject }),
});

describe('the SIP domains of a certificate (RFC 5922 section 7.1)', () => {
  it.each<[string, CertificateNames, string[]]>([
    ['SIP URIs', san(['sip:Example.com', 'sip:other.example']), ['example.com', 'other.example']],
    ['SIP URIs before DNS names', san(['sip:example.com'], ['dns.example']), ['example.com']],
    [
      'DNS names where no URI is of SIP',
      san(['sips:a.example', 'im:b.example', 'http://c.example'], ['D.example']),
      ['d.example'],
    ],
    ['no user', san(['sip:alice@example.com'], ['d.example']), ['d.example']],
    ['no user, however written', san(['sip:@example.com', 'sip:a%40b@c', 'sip:example.com?x=y'], []), []],
    ['the subject where nothing else is', { subject: 'Example.com' }, ['example.com']],
    ['no subject where there are other names', san([], [], 'example.com'), []],
    ['nothing', {}, []],
  ])('%s', (_name, names, domains) => {
    expect(domainsOf(names)).toEqual(domains);
  });
});

describe('a domain and a certificate (RFC 5922 section 7.2)', () => {
  it.each<[string, string, boolean]>([
    ['sip:example.com', 'EXAMPLE.com', true],
    ['sip:example.com', 'sub.example.com', false],
    ['sip:example.com', 'le.com', false],
    ['sip:*.example.com', 'sub.example.com', false],
    ['sip:*.example.com', '*.example.com', false],
    ['sip:example.com:5061', 'example.com', true],
  ])('%s for %s: %s', (uri, domain, fits) => {
    expect(speaksFor(san([uri]), domain)).toBe(fits);
  });

  it('a wildcard among the DNS names fits nothing', () => {
    expect(speaksFor(san([], ['*.example.com']), 'sip.example.com')).toBe(false);
    expect(speaksFor(san([], ['sip.example.com']), 'sip.example.com')).toBe(true);
  });
});
