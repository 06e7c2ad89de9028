/** Groups: a name and its members, for a home. A message to a group goes to every member but its sender. */
import type { Handlers, Principal } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { homeById, sees, visibleHomes } from '#cloud/store/directory.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { type SqlValue, type Store, sql } from '#cloud/store/store.ts';
import { newId } from '#shared/kernel/ids.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

/** Groups that a home may have. */
export const GROUPS_LIMIT = 100;

type Group = VerbReply<'group.get'>;
type Verbs = 'group.create' | 'group.list' | 'group.get' | 'group.update' | 'group.delete';

interface GroupRow {
  readonly id: string;
  readonly home: string;
  readonly name: string;
  /** JSON: an array of parties. */
  readonly members: string;
  readonly created_at: number;
}

export async function groupById(store: Store, id: string): Promise<Group | undefined> {
  const row = await store.one<GroupRow>('SELECT * FROM message_group WHERE id = ?', [id]);
  return row === undefined ? undefined : groupOf(row);
}

const NOT_FOUND = err(fault('not_found', 'There is no such group, or not for this credential.'));

export function groupHandlers({ store, world }: PartContext): Pick<Handlers<'messaging'>, Verbs> {
  async function find(id: string, principal: Principal): Promise<Group | undefined> {
    const group = await groupById(store, id);
    return group !== undefined && sees(principal, group.home) ? group : undefined;
  }

  return {
    async 'group.create'({ home, name, members }, asked) {
      const before = await repeated<'group.create'>(store, asked);
      if (before !== undefined) return before;
      if (!sees(asked.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
      const row = await store.one<{ n: number }>('SELECT COUNT(*) AS n FROM message_group WHERE home = ?', [home]);
      if ((row?.n ?? 0) >= GROUPS_LIMIT)
        return err(fault('limit_reached', `A home has at most ${GROUPS_LIMIT} groups.`));
      const createdAt = Math.floor(world.clock.wall());
      const id = newId('grp', createdAt, world.random.bytes(10));
      const unique = [...new Set(members)];
      const outcome = ok({ id, home, name, members: unique, createdAt });
      await store.commit([
        sql(
          'INSERT INTO message_group (id, home, name, members, created_at) VALUES (?, ?, ?, ?, ?)',
          ...[id, home, name, JSON.stringify(unique), createdAt],
        ),
        ...remember<'group.create'>(asked, outcome, createdAt),
      ]);
      return outcome;
    },

    async 'group.list'({ home, limit = 50, after }, { principal }) {
      if (home !== undefined && !sees(principal, home)) return err(fault('not_found'));
      const homes = home === undefined ? visibleHomes(principal) : [home];
      if (homes !== 'all' && homes.length === 0) return ok({ items: [] });
      const where: string[] = [];
      const params: SqlValue[] = [];
      if (homes !== 'all') {
        where.push(`home IN (${homes.map(() => '?').join(', ')})`);
        params.push(...homes);
      }
      if (after !== undefined) {
        where.push('id > ?');
        params.push(after);
      }
      const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
      const rows = await store.all<GroupRow>(`SELECT * FROM message_group ${filter} ORDER BY id LIMIT ?`, [
        ...params,
        limit + 1,
      ]);
      const items = rows.slice(0, limit).map(groupOf);
      const last = items.at(-1);
      return ok({ items, ...(rows.length > limit && last !== undefined ? { next: last.id } : {}) });
    },

    async 'group.get'({ group: id }, { principal }) {
      const group = await find(id, principal);
      return group === undefined ? NOT_FOUND : ok(group);
    },

    async 'group.update'({ group: id, name, members }, { principal }) {
      const group = await find(id, principal);
      if (group === undefined) return NOT_FOUND;
      const changed = { ...group, name: name ?? group.name, members: members ?? group.members };
      await store.commit([
        sql(
          'UPDATE message_group SET name = ?, members = ? WHERE id = ?',
          ...[changed.name, JSON.stringify(changed.members), id],
        ),
      ]);
      return ok(changed);
    },

    async 'group.delete'({ group: id }, { principal }) {
      if ((await find(id, principal)) === undefined) return NOT_FOUND;
      await store.commit([sql('DELETE FROM message_group WHERE id = ?', id)]);
      return ok({});
    },
  };
}

function groupOf({ id, home, name, members, created_at }: GroupRow): Group {
  return { id, home, name, members: JSON.parse(members) as string[], createdAt: created_at };
}
