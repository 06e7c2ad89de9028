/** Removes once an hour what has run out of what the oamp server keeps beside sessions and records (`retention-drive.ts`). */
import { removeOld } from '#cloud/store/old-rows.ts';
import { sql } from '#cloud/store/store.ts';
import { ALARMS_KEPT, AUDIT_KEPT, dropLines, GATEWAY_IDS_KEPT, KEYS_KEPT } from './audit.ts';
import { FORGET_AFTER } from './back-off.ts';
import { claimHousekeeping } from './claims.ts';
import type { Oamp } from './parts.ts';

/** One pass: what there may be much of goes in small commits. */
export async function clean(oamp: Pick<Oamp, 'store' | 'world'>, goesOn: () => boolean): Promise<void> {
  const { store, world } = oamp;
  const now = world.clock.wall();
  // Of these there are few.
  await store.commit([
    sql('DELETE FROM alarm WHERE cleared_at < ?', now - ALARMS_KEPT),
    sql('DELETE FROM pairing_code WHERE expires_at <= ?', now),
    sql('DELETE FROM pairing_tries WHERE at < ?', now - FORGET_AFTER),
    ...claimHousekeeping(now),
  ]);
  await dropLines(oamp, now - AUDIT_KEPT, goesOn);
  for (const { where, kept } of OLD_KEYS) {
    const old = { table: 'idempotency', age: 'at', key: ['scope', 'key'], before: now - kept, where };
    await removeOld(store, world.clock, old, goesOn);
  }
}

const OLD_KEYS = [
  {
    // A gateway that was cut off for longer than that may still repeat itself (`told.ts`).
    where: `scope LIKE 'gw:%' AND NOT EXISTS (
      SELECT 1 FROM gateway g LEFT JOIN gateway_told t ON t.gateway = g.id
      WHERE g.id = substr(idempotency.scope, 4) AND COALESCE(t.told_at, 0) <= idempotency.at)`,
    kept: GATEWAY_IDS_KEPT,
  },
  // Of applications, applicants and the messages that go by mail; those of HTTP requests go earlier, with their tokens.
  { where: "scope NOT LIKE 'gw:%'", kept: KEYS_KEPT },
] as const;
