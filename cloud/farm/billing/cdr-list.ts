/** Listing of call detail records, newest end first, to those whose home the leg went to or who paid for it. */
import type { Principal } from '#cloud/bus/bus.ts';
import { visibleHomes } from '#cloud/store/directory.ts';
import type { SqlValue, Store } from '#cloud/store/store.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';

type List = VerbReply<'cdr.list'>;

interface CdrRow {
  readonly id: string;
  readonly session: string;
  readonly leg: string;
  readonly home: string | null;
  readonly party_from: string;
  readonly party_to: string;
  readonly start_at: number;
  readonly answer_at: number | null;
  readonly end_at: number;
  readonly seconds: number;
  readonly reason: string;
  readonly price: number;
  readonly verstat: NonNullable<List['items'][number]['verstat']> | null;
}

export async function listCdrs(store: Store, principal: Principal, request: VerbRequest<'cdr.list'>): Promise<List> {
  const { session, home, limit = 50, after } = request;
  const where: string[] = [];
  const params: SqlValue[] = [];
  const homes = home === undefined ? visibleHomes(principal) : [home];
  if (homes !== 'all') {
    if (homes.length === 0) return { items: [] };
    const marks = homes.map(() => '?').join(', ');
    where.push(`(home IN (${marks}) OR payer IN (${marks}))`);
    params.push(...homes, ...homes);
  }
  if (session !== undefined) {
    where.push('session = ?');
    params.push(session);
  }
  const dot = after?.indexOf('.') ?? -1;
  if (after !== undefined && dot > 0) {
    const at = Number(after.slice(0, dot)) || 0;
    where.push('(end_at < ? OR (end_at = ? AND id < ?))');
    params.push(at, at, after.slice(dot + 1));
  }
  const filter = where.length === 0 ? '' : `WHERE ${where.join(' AND ')}`;
  const rows = await store.all<CdrRow>(`SELECT * FROM cdr ${filter} ORDER BY end_at DESC, id DESC LIMIT ?`, [
    ...params,
    limit + 1,
  ]);
  const items = rows.slice(0, limit).map(view);
  const last = items.at(-1);
  return { items, ...(rows.length > limit && last !== undefined ? { next: `${last.end}.${last.id}` } : {}) };
}

function view(row: CdrRow): List['items'][number] {
  return {
    id: row.id,
    session: row.session,
    leg: row.leg,
    ...(row.home === null ? {} : { home: row.home }),
    from: row.party_from,
    to: row.party_to,
    start: row.start_at,
    ...(row.answer_at === null ? {} : { answer: row.answer_at }),
    end: row.end_at,
    seconds: row.seconds,
    reason: row.reason,
    price: row.price,
    ...(row.verstat === null ? {} : { verstat: row.verstat }),
  };
}
