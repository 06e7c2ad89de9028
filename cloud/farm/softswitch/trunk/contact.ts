/** Whether the requests of a carrier's call go where its Contact or Record-Route leads (RFC 3261 section 12.2.1.1). Pure. */
import type { TrunkSettings } from '#shared/protocol/verbs/trunk.ts';
import { reachOf } from '../reach.ts';

/**
 * `from`: where the carrier's messages come from. An address that is known less far than that one is of the carrier's own network, and
 * leads nowhere from here; `followContact` says it otherwise, or that nothing is followed.
 */
export function followsTo({ followContact }: TrunkSettings, from: string, host: string): boolean {
  const reach = reachOf(host);
  return reach > 0 && (followContact ?? reach >= reachOf(from));
}
