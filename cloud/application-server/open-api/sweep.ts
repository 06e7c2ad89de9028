/** Removes once an hour what has run out: tokens, idempotency keys of HTTP requests, old events and deliveries. */
import type { PartContext } from '#cloud/bus/part.ts';
import { sql } from '#cloud/store/store.ts';
import type { Timer } from '#shared/kernel/world.ts';
import { KEY_LIFE, KEY_SCOPE } from './once.ts';

/** Milliseconds between two removals. */
export const SWEEP = 3600 * 1000;

/** Milliseconds that events, deliveries and consents that ran out are kept. */
export const EVENTS_KEPT = 30 * 24 * 3600 * 1000;

/** Starts sweeping; the result stops it. */
export function sweep({ store, world }: Pick<PartContext, 'store' | 'world'>): () => void {
  let timer: Timer | undefined;
  const arm = () => {
    timer = world.clock.at(world.clock.mono() + SWEEP, run);
  };
  const run = () => {
    const now = world.clock.wall();
    const statements = [
      sql('DELETE FROM token WHERE expires_at < ?', now),
      sql('DELETE FROM event WHERE at < ?', now - EVENTS_KEPT),
      sql('DELETE FROM delivery WHERE created_at < ?', now - EVENTS_KEPT),
      sql('DELETE FROM technician_consent WHERE until < ?', now - EVENTS_KEPT),
      sql('DELETE FROM oauth_item WHERE expires_at < ?', now),
      sql('DELETE FROM idempotency WHERE scope LIKE ? AND at < ?', `${KEY_SCOPE} %`, now - KEY_LIFE),
    ];
    void store.commit(statements).catch((error: unknown) => {
      world.log.error('api.sweep-failed', { error: String(error) });
    });
    arm();
  };
  arm();
  return () => timer?.cancel();
}
