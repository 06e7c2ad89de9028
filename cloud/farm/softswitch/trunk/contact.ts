/** Whether the requests of a carrier's call go where its Contact or Record-Route leads (RFC 3261 section 12.2.1.1). Pure. */
import type { TrunkSettings } from '#shared/protocol/verbs/trunk.ts';

/** How far a literal address is known: nowhere, on its machine, its link, its network, everywhere. */
type Reach = 0 | 1 | 2 | 3 | 4;

/**
 * `from`: where the carrier's messages come from. An address that is known less far than that one is of the carrier's own network, and
 * leads nowhere from here; `followContact` says it otherwise, or that nothing is followed.
 */
export function followsTo({ followContact }: TrunkSettings, from: string, host: string): boolean {
  const reach = reachOf(host);
  return reach > 0 && (followContact ?? reach >= reachOf(from));
}

/** RFC 1122 section 3.2.1.3, RFC 1918, 3927, 5771 and 6598; RFC 4291 sections 2.4 and 2.5, RFC 4193. */
function reachOf(host: string): Reach {
  if (host.includes(':')) return reachOf6(host.toLowerCase());
  const [a = 0, b = 0] = host.split('.').map(Number);
  if (a === 0 || a >= 224) return 0;
  if (a === 127) return 1;
  if (a === 169 && b === 254) return 2;
  const isPrivate = a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168);
  return isPrivate || (a === 100 && b >= 64 && b <= 127) ? 3 : 4;
}

function reachOf6(host: string): Reach {
  if (host === '::' || /^ff..:/.test(host)) return 0;
  if (host === '::1') return 1;
  if (/^fe[89ab].:/.test(host)) return 2;
  return /^f[cd]..:/.test(host) ? 3 : 4;
}
