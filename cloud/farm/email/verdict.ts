/** What SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 9989) said of a mail. Pure. */

export const VERDICTS = ['pass', 'fail', 'softfail', 'neutral', 'none', 'policy', 'temperror', 'permerror'] as const;
export type Verdict = (typeof VERDICTS)[number];

export interface Checks {
  readonly spf: Verdict;
  readonly dkim: Verdict;
  readonly dmarc: Verdict;
  /** What the domain in From asks to be done with a mail that fails. */
  readonly policy: 'none' | 'quarantine' | 'reject';
  /** Domains with a good signature on the mail, lower case. */
  readonly dkimDomains: readonly string[];
}

/** Where nothing was checked. */
export const UNCHECKED: Checks = { spf: 'none', dkim: 'none', dmarc: 'none', policy: 'none', dkimDomains: [] };

/** The Authentication-Results field (RFC 8601) that says so in the mail. */
export function spoken(domain: string, { spf, dkim, dmarc, dkimDomains }: Checks, sender: string): string {
  const signed = dkimDomains.map((name) => ` header.d=${name}`).join('');
  const from = /^[!-~]{1,254}$/.test(sender) && !/[;()"\\]/.test(sender) ? ` smtp.mailfrom=${sender}` : '';
  return `Authentication-Results: ${domain};\r\n spf=${spf}${from};\r\n dkim=${dkim}${signed};\r\n dmarc=${dmarc}\r\n`;
}

/** One of the words, or `none` for any other. */
export function toVerdict(word: string | undefined): Verdict {
  return VERDICTS.find((one) => one === word) ?? 'none';
}
