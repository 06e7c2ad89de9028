/** Removes once an hour what has run out: tokens, idempotency keys of HTTP requests, old events and deliveries. */
import type { PartContext } from '#cloud/bus/part.ts';
import { type OldRows, passes, removeOld } from '#cloud/store/old-rows.ts';
import { sql } from '#cloud/store/store.ts';
import { KEY_LIFE, KEY_SCOPE } from './once.ts';

/** Milliseconds between two removals. */
export const SWEEP = 3600 * 1000;

/** Milliseconds that events, deliveries and consents that ran out are kept. */
export const EVENTS_KEPT = 30 * 24 * 3600 * 1000;

/** Starts sweeping; the result stops it. */
export function sweep({ store, world }: Pick<PartContext, 'store' | 'world'>): () => void {
  const run = async (goesOn: () => boolean) => {
    const now = world.clock.wall();
    // Of these there are few.
    await store.commit([
      sql('DELETE FROM token WHERE expires_at < ?', now),
      sql('DELETE FROM technician_consent WHERE until < ?', now - EVENTS_KEPT),
      sql('DELETE FROM oauth_item WHERE expires_at < ?', now),
    ]);
    for (const old of grown(now)) await removeOld(store, world.clock, old, goesOn);
  };
  return passes(world.clock, SWEEP, run, (work) => {
    work.catch((error: unknown) => world.log.error('api.sweep-failed', { error: String(error) }));
  });
}

/** What grows with whatever happens, as it is old at wall time `now`. */
const grown = (now: number): OldRows[] => [
  { table: 'event', age: 'at', key: ['position'], before: now - EVENTS_KEPT },
  { table: 'delivery', age: 'created_at', key: ['position'], before: now - EVENTS_KEPT },
  {
    ...{ table: 'idempotency', age: 'at', key: ['scope', 'key'], before: now - KEY_LIFE },
    where: `scope LIKE '${KEY_SCOPE} %'`,
  },
];
