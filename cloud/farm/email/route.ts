/** Which servers take the mail of a domain (RFC 5321 section 5.1, RFC 7505). Pure but for the lookup that is handed in. */
import type { Delivery } from './retry.ts';

export interface Mx {
  readonly exchange: string;
  readonly priority: number;
}

/** Servers of one domain that are asked. */
const SERVER_LIMIT = 10;

/** The servers in the order in which they are asked, or what comes of the mail where there are none. */
export async function exchangers(
  domain: string,
  resolveMx: (domain: string) => Promise<readonly Mx[]>,
): Promise<{ readonly hosts: readonly string[] } | { readonly delivery: Delivery }> {
  let records: readonly Mx[];
  try {
    records = await resolveMx(domain);
  } catch (error) {
    const code = (error as { code?: string }).code;
    // No MX: the domain's own address takes its mail.
    if (code === 'ENODATA') return { hosts: [domain] };
    if (code === 'ENOTFOUND') return { delivery: { is: 'permanent', reply: '550 5.1.2 There is no such domain' } };
    return { delivery: { is: 'temporary', reply: `451 4.4.3 The domain could not be looked up (${code ?? 'error'})` } };
  }
  const named = records.filter(({ exchange }) => exchange !== '' && exchange !== '.');
  if (records.length > 0 && named.length === 0)
    return { delivery: { is: 'permanent', reply: '556 5.1.10 The domain takes no mail' } };
  if (named.length === 0) return { hosts: [domain] };
  const hosts = named.toSorted((a, b) => a.priority - b.priority || (a.exchange < b.exchange ? -1 : 1));
  return { hosts: hosts.slice(0, SERVER_LIMIT).map(({ exchange }) => exchange) };
}
