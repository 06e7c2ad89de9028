/** What waited too long, and what is old: looked for every so often, a bounded number at a time. */
import type { PartContext } from '#cloud/bus/part.ts';
import { sql } from '#cloud/store/store.ts';
import { every } from '#shared/kernel/time.ts';
import type { Outcomes } from './outcomes.ts';

/** Milliseconds between two looks. */
export const LOOK_EVERY = 10_000;
/** Milliseconds for which a message is kept after it was accepted; longer than any may wait. */
export const KEPT = 90 * 86_400_000;
const AT_ONCE = 500;

/** Begins to look; the returned function ends it. */
export function watchExpiry({ store, world }: PartContext, outcomes: Outcomes): () => void {
  let looking = false;
  const look = async () => {
    const now = Math.floor(world.clock.wall());
    const late = await store.all<{ message: string; line: string | null; n: number }>(
      "SELECT message, line, n FROM message_recipient WHERE state = 'waiting' AND expires_at <= ? ORDER BY expires_at LIMIT ?",
      [now, AT_ONCE],
    );
    for (const { message, line, n } of late) {
      await outcomes.tell(message, line ?? n, { fate: 'expired', at: now, reason: 'message_expired' });
    }
    const copies = await store.one(
      "SELECT line FROM message_copy WHERE state = 'waiting' AND expires_at <= ? LIMIT 1",
      [now],
    );
    const change =
      "UPDATE message_copy SET state = 'expired', reason = 'message_expired' WHERE state = 'waiting' AND expires_at <= ?";
    if (copies !== undefined) await store.commit([sql(change, now)]);
    const old = await store.all<{ id: string; position: number }>(
      'SELECT id, position FROM message WHERE created_at < ? ORDER BY created_at LIMIT ?',
      [now - KEPT, AT_ONCE],
    );
    for (const { id } of old) await store.commit(removal(id));
  };
  return every(world.clock, LOOK_EVERY, () => {
    if (looking) return;
    looking = true;
    look()
      .catch((error: unknown) => world.log.error('messaging.expiry-failed', { error: String(error) }))
      .finally(() => {
        looking = false;
      });
  });
}

function removal(id: string) {
  return ['message_copy', 'message_recipient', 'message_home']
    .map((table) => sql(`DELETE FROM ${table} WHERE message = ?`, id))
    .concat(sql('DELETE FROM message WHERE id = ?', id));
}
