/** What the application server's handlers share. */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import type { SqlValue, Statement, Store } from '#cloud/store/store.ts';
import { type IdPrefix, newId } from '#shared/kernel/ids.ts';
import { ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply } from '#shared/protocol/verbs/index.ts';

/** What a command writes and answers, or the fault that ends it without a trace. */
export type Plan<V extends VerbName> = Result<
  { readonly reply: VerbReply<V>; readonly statements: readonly Statement[] },
  Fault
>;

/** Runs a command once per idempotency key: its effect and its outcome are one commit. */
export async function command<V extends VerbName>(
  { store, world }: Pick<PartContext, 'store' | 'world'>,
  asked: Context,
  plan: () => Promise<Plan<V>>,
): Promise<Outcome<V>> {
  const first = await repeated<V>(store, asked);
  if (first !== undefined) return first;
  const planned = await plan();
  if (!planned.ok) return planned;
  const outcome: Outcome<V> = ok(planned.value.reply);
  await store.commit([...planned.value.statements, ...remember<V>(asked, outcome, world.clock.wall())]);
  return outcome;
}

export function makeId(world: Pick<World, 'clock' | 'random'>, prefix: IdPrefix): string {
  return newId(prefix, world.clock.wall(), world.random.bytes(10));
}

const PAGE = 100;

/** Rows of a table, newest first, `after` being the last id of the page before. `select` ends in WHERE …. */
export async function page<T extends { readonly id: string }>(
  store: Store,
  select: string,
  params: readonly SqlValue[],
  { limit = PAGE, after }: { readonly limit?: number; readonly after?: string },
): Promise<{ readonly rows: T[]; readonly next?: string }> {
  const rows = await store.all<T>(`${select}${after === undefined ? '' : ' AND id < ?'} ORDER BY id DESC LIMIT ?`, [
    ...params,
    ...(after === undefined ? [] : [after]),
    limit + 1,
  ]);
  const last = rows[limit - 1];
  return rows.length > limit && last !== undefined ? { rows: rows.slice(0, limit), next: last.id } : { rows };
}
