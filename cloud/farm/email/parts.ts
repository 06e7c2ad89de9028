/** What the e-mail server's files share: surroundings, ids, rows, idempotent commands. */
import type { Context, Outcome } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { visibleHomes } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import type { SqlValue, Statement, Store } from '#cloud/store/store.ts';
import { type IdPrefix, newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbName, VerbReply } from '#shared/protocol/verbs/index.ts';

/** The e-mail server's surroundings. */
export interface Office extends Pick<PartContext, 'world' | 'store' | 'bus' | 'config'> {
  /** The domain of our mailboxes, lower case. */
  readonly domain: string;
  /** Whether mail can leave: a relay, or other domains' own servers. */
  readonly hasRoute: boolean;
  /** There is something to look at in the queue. */
  readonly wakeQueue: () => void;
}

export interface MailboxRow {
  readonly id: string;
  readonly home: string | null;
  readonly line: string | null;
  readonly kind: 'home' | 'line' | 'application' | 'operator';
  readonly name: string;
  readonly notices: number;
  readonly salt: string | null;
  readonly password_hash: string | null;
  readonly used: number;
  readonly quota: number;
  readonly created_at: number;
}

export interface MailRow {
  readonly id: string;
  readonly mailbox: string;
  readonly home: string | null;
  readonly folder: 'inbox' | 'sent';
  readonly sender: string;
  /** JSON list. */
  readonly recipients: string;
  readonly subject: string;
  readonly message_id: string;
  readonly at: number;
  readonly size: number;
  readonly seen: number;
  readonly raw: string;
  /** JSON of the verdicts on a mail from outside. */
  readonly checks: string | null;
}

export function makeId(world: Pick<World, 'clock' | 'random'>, prefix: IdPrefix): string {
  return newId(prefix, world.clock.wall(), world.random.bytes(10));
}

/** What a command writes and answers; or the fault that ends it without a trace. */
export type Plan<V extends VerbName> = Result<
  { readonly reply: VerbReply<V>; readonly statements: readonly Statement[] },
  Fault
>;

/** Tries of a commit that others overtake. */
const TRIES = 8;

/**
 * Runs a command once per idempotency key, effect and outcome in one commit. A commit that another one has overtaken is planned
 * anew: the plan sees then what stood in the way.
 */
export async function command<V extends VerbName>(
  { store, world }: Pick<Office, 'store' | 'world'>,
  context: Context,
  plan: () => Promise<Plan<V>>,
): Promise<Outcome<V>> {
  for (let i = 0; i < TRIES; i++) {
    const first = await repeated<V>(store, context);
    if (first !== undefined) return first;
    const planned = await plan();
    if (!planned.ok) return planned;
    const outcome: Outcome<V> = ok(planned.value.reply);
    const done = await store.commit([
      ...planned.value.statements,
      ...remember<V>(context, outcome, world.clock.wall()),
    ]);
    if (done.ok) return outcome;
  }
  return err(fault('conflict', 'Others change the same thing all the time; try again.'));
}

/** A condition on the column `home` for what a principal may see, or for one home of it; undefined: it sees nothing. */
export function homesClause(
  { principal }: Context,
  home: string | undefined,
): { readonly where: string; readonly params: readonly SqlValue[] } | undefined {
  const seen = visibleHomes(principal);
  if (home !== undefined)
    return seen === 'all' || seen.includes(home) ? { where: 'home = ?', params: [home] } : undefined;
  if (seen === 'all') return { where: '1 = 1', params: [] };
  if (seen.length === 0) return undefined;
  return { where: `home IN (${seen.map(() => '?').join(', ')})`, params: seen };
}

/** A row of no home is the operator's. */
export function seesRow({ principal }: Context, home: string | null): boolean {
  const seen = visibleHomes(principal);
  return seen === 'all' || (home !== null && seen.includes(home));
}

const PAGE = 50;

/** A page of rows by id: asks for one more than it holds, and tells by it whether another page follows. */
export async function page<T extends { readonly id: string }>(
  store: Store,
  select: string,
  params: readonly SqlValue[],
  { limit = PAGE, after }: { readonly limit?: number; readonly after?: string },
  order: 'ASC' | 'DESC',
): Promise<{ readonly rows: T[]; readonly next?: string }> {
  const behind = after === undefined ? '' : ` AND id ${order === 'ASC' ? '>' : '<'} ?`;
  const rows = await store.all<T>(`${select}${behind} ORDER BY id ${order} LIMIT ?`, [
    ...params,
    ...(after === undefined ? [] : [after]),
    limit + 1,
  ]);
  const last = rows[limit - 1];
  return rows.length > limit && last !== undefined ? { rows: rows.slice(0, limit), next: last.id } : { rows };
}
