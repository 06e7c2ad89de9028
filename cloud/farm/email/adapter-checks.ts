/** SPF, DKIM and DMARC of mails from outside (mailauth), over a resolver that is handed in. */
import { authenticate } from 'mailauth';
import { within } from '#shared/kernel/time.ts';
import type { Clock, Log } from '#shared/kernel/world.ts';
import type { Lookup } from './adapter-dns.ts';
import type { Checker } from './reception.ts';
import { type Checks, toVerdict, UNCHECKED } from './verdict.ts';

/** Milliseconds that all lookups for one mail may take together. */
const PATIENCE = 20_000;

/** `lookup` gives records as `node:dns` does and rejects with its codes. */
export function createChecker(clock: Clock, log: Log, domain: string, lookup: Lookup): Checker {
  return async ({ raw, sender, source, helo }) => {
    try {
      const result = await within(
        clock,
        PATIENCE,
        authenticate(Buffer.from(raw.buffer, raw.byteOffset, raw.length), {
          ip: source,
          helo,
          sender,
          mta: domain,
          resolver: lookup,
          disableArc: true,
          disableBimi: true,
        }),
        undefined,
      );
      return result === undefined ? { ...UNCHECKED, dmarc: 'temperror' } : toChecks(result);
    } catch (error) {
      log.warn('mail.checks-failed', { error: String(error) });
      return { ...UNCHECKED, dmarc: 'temperror' };
    }
  };
}

function toChecks({ spf, dkim, dmarc }: Awaited<ReturnType<typeof authenticate>>): Checks {
  const good = dkim.results.filter(({ status }) => status.result === 'pass');
  const [first] = good.length > 0 ? good : dkim.results;
  const policy = dmarc === false ? 'none' : dmarc.policy;
  return {
    spf: toVerdict(spf === false ? 'none' : spf.status.result),
    dkim: toVerdict(first?.status.result),
    dmarc: toVerdict(dmarc === false ? 'none' : dmarc.status.result),
    policy: policy === 'reject' || policy === 'quarantine' ? policy : 'none',
    dkimDomains: good.map(({ signingDomain }) => (signingDomain ?? '').toLowerCase()),
  };
}
