/** Lists of messages, newest first, for whoever sees the homes that they went to or came from. */
import type { Principal } from '#cloud/bus/bus.ts';
import { visibleHomes } from '#cloud/store/directory.ts';
import type { SqlValue, Store } from '#cloud/store/store.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type MessageRow, recipientsOf, seenBy, view } from './rows.ts';

export async function listMessages(
  store: Store,
  principal: Principal,
  { home, line, session, limit = 50, after }: VerbRequest<'message.list'>,
): Promise<VerbReply<'message.list'>> {
  const homes = home === undefined ? visibleHomes(principal) : [home];
  if (homes !== 'all' && homes.length === 0) return { items: [] };
  const where = ["m.kind = 'message'"];
  const params: SqlValue[] = [];
  if (homes !== 'all') {
    const marks = homes.map(() => '?').join(', ');
    where.push(`m.position IN (SELECT position FROM message_home WHERE home IN (${marks}))`);
    params.push(...homes);
  }
  if (line !== undefined) {
    where.push('(m.from_line = ? OR m.id IN (SELECT message FROM message_recipient WHERE line = ?))');
    params.push(line, line);
  }
  if (session !== undefined) {
    where.push('m.session = ?');
    params.push(session);
  }
  const before = Number(after);
  if (after !== undefined && Number.isSafeInteger(before)) {
    where.push('m.position < ?');
    params.push(before);
  }
  const rows = await store.all<MessageRow>(
    `SELECT m.* FROM message m WHERE ${where.join(' AND ')} ORDER BY m.position DESC LIMIT ?`,
    [...params, limit + 1],
  );
  const page = rows.slice(0, limit);
  const recipients = Map.groupBy(
    await recipientsOf(
      store,
      page.map(({ id }) => id),
    ),
    ({ message }) => message,
  );
  const items = page.map((row) => view(row, seenBy(principal, row, recipients.get(row.id) ?? [])));
  const last = page.at(-1);
  return { items, ...(rows.length > limit && last !== undefined ? { next: String(last.position) } : {}) };
}
