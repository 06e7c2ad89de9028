/** What a phone is told of who calls: asserted identity, whether the number was checked, and who transferred the call or sent it on. Pure. */
import { writeHistory } from '#shared/sip/history-info.ts';
import { referredBy } from '#shared/sip/refer.ts';
import { checkedAddress, type Live, type Shown } from './live.ts';

type Headers = (readonly [string, string])[];

interface Told {
  /** The caller as this phone shows it. */
  readonly caller: Shown;
  /** Its From. */
  readonly from: string;
  /** The number that rings. */
  readonly called: string;
  readonly domain: string;
  /** The phone is behind a gateway. */
  readonly gateway: boolean;
}

/** Headers of the INVITE to a phone. A gateway is its owner's: what is withheld is not told to it either (RFC 3325 section 7). */
export function toldTo(live: Pick<Live, 'hidden' | 'verstat' | 'diverted' | 'referredBy'>, told: Told): Headers {
  const { called, domain } = told;
  if (live.diverted === undefined && live.referredBy === undefined) return identity(live, told);
  const history = writeHistory(live.diverted ?? [], { called, domain, trusted: false });
  return [
    ...identity(live, told),
    ...referredBy(live.referredBy, domain),
    ...history.map((value) => ['History-Info', value] as const),
  ];
}

function identity(
  { hidden, verstat }: Pick<Live, 'hidden' | 'verstat'>,
  { caller, from, domain, gateway }: Told,
): Headers {
  if (hidden === true) return [['Privacy', 'id']];
  if (verstat !== undefined) return [['P-Asserted-Identity', checkedAddress(caller, verstat, domain)]];
  // To a gateway the number is vouched for (RFC 3325); a direct phone need not know that we did.
  return gateway ? [['P-Asserted-Identity', from]] : [];
}
