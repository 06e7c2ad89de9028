/** Idempotency keys: the first outcome is kept in the same commit as its effect, and given again to every repetition. */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName } from '#shared/protocol/verbs/index.ts';
import { type Statement, type Store, sql } from './store.ts';

/**
 * The outcome that a repeated command gets, or undefined for a new one. Handlers call it first; the open API and the
 * gateways' edge keep two of the same key from running at once.
 */
export async function repeated<V extends VerbName>(store: Store, context: Context): Promise<Outcome<V> | undefined> {
  const key = context.idempotency;
  if (key === undefined) return undefined;
  const row = await store.one<{ body_hash: string; reply: string }>(
    'SELECT body_hash, reply FROM idempotency WHERE scope = ? AND key = ?',
    [key.scope, key.key],
  );
  if (row === undefined) return undefined;
  if (row.body_hash !== key.bodyHash) return err(fault('idempotency_mismatch'));
  const kept = JSON.parse(row.reply) as { value?: unknown; fault?: Fault };
  return kept.fault === undefined ? (ok(kept.value) as Outcome<V>) : err(kept.fault);
}

/** The statement that keeps an outcome; goes into the commit that holds the effect. Empty without a key. */
export function remember<V extends VerbName>(context: Context, outcome: Outcome<V>, wall: number): Statement[] {
  const key = context.idempotency;
  if (key === undefined) return [];
  const reply = JSON.stringify(outcome.ok ? { value: outcome.value } : { fault: outcome.fault });
  return [
    sql(
      'INSERT INTO idempotency (scope, key, body_hash, reply, at) VALUES (?, ?, ?, ?, ?)',
      key.scope,
      key.key,
      key.bodyHash,
      reply,
      wall,
    ),
  ];
}
