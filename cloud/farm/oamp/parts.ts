/** What the oamp server's handlers share: the part's surroundings, idempotent commands, pages, ids. */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { homeById, sees } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import type { CommitResult, SqlValue, Statement, Store } from '#cloud/store/store.ts';
import { type IdPrefix, newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply } from '#shared/protocol/verbs/index.ts';

export interface Oamp extends PartContext {
  /** Starts work that nobody waits for; a failure is logged, and `stop` waits for it. */
  readonly background: (work: Promise<unknown>) => void;
  /**
   * Runs one after the other what must not overlap: claims, as each counts wrong tries; changes of lines, as each writes a number
   * and a document that the next one reads; parts of a bundle and steps of rollouts.
   */
  readonly oneByOne: <T>(lane: 'claims' | 'lines' | 'releases' | 'rollouts', work: () => Promise<T>) => Promise<T>;
}

/** The context in which the oamp server itself asks others. */
export const AS_OAMP: Context = { principal: { kind: 'part', part: 'oamp' } };

export function makeId(world: Pick<World, 'clock' | 'random'>, prefix: IdPrefix): string {
  return newId(prefix, world.clock.wall(), world.random.bytes(10));
}

/** What a command wants written and answered; or the fault that ends it without a trace. */
export type Plan<V extends VerbName> = Result<
  { readonly reply: VerbReply<V>; readonly statements: Statement[] },
  Fault
>;

/** Tries of a commit whose expectations another commit has overtaken. */
const TRIES = 20;

/**
 * Runs a command once per idempotency key: `plan` reads and decides, the effect and the key's outcome are one commit.
 * `refused` turns a failed commit into a fault, or into undefined to have it planned anew.
 */
export async function command<V extends VerbName>(
  { store, world }: Pick<Oamp, 'store' | 'world'>,
  context: Context,
  plan: () => Promise<Plan<V>>,
  refused: (failure: Extract<CommitResult, { ok: false }>) => Fault | undefined = () => undefined,
): Promise<Outcome<V>> {
  const first = await repeated<V>(store, context);
  if (first !== undefined) return first;
  for (let i = 0; i < TRIES; i++) {
    const planned = await plan();
    if (!planned.ok) return planned;
    const outcome: Outcome<V> = ok(planned.value.reply);
    const kept = remember<V>(context, outcome, world.clock.wall());
    const done = await store.commit([...planned.value.statements, ...kept]);
    if (done.ok) return outcome;
    const why = refused(done);
    if (why !== undefined) return err(why);
  }
  return err(fault('conflict', 'Others change the same thing all the time; try again.'));
}

/** `not_found` unless the home exists and the principal may see it: both get one answer. */
export async function visibleHome(store: Store, context: Context, home: string): Promise<Fault | undefined> {
  if (!sees(context.principal, home) || (await homeById(store, home)) === undefined) return fault('not_found');
  return undefined;
}

const PAGE = 100;

export interface PageRequest {
  readonly limit?: number;
  readonly after?: string;
}

/** Asks for one row more than the page holds and tells by it whether there is a next page. `select` ends in WHERE …. */
export async function page<T extends { readonly id: string }>(
  store: Store,
  select: string,
  params: readonly SqlValue[],
  { limit = PAGE, after }: PageRequest,
  order: 'ASC' | 'DESC' = 'ASC',
): Promise<{ rows: T[]; next?: string }> {
  const from = after === undefined ? '' : ` AND id ${order === 'ASC' ? '>' : '<'} ?`;
  const rows = await store.all<T>(`${select}${from} ORDER BY id ${order} LIMIT ?`, [
    ...params,
    ...(after === undefined ? [] : [after]),
    limit + 1,
  ]);
  const last = rows[limit - 1];
  return rows.length > limit && last !== undefined ? { rows: rows.slice(0, limit), next: last.id } : { rows };
}
