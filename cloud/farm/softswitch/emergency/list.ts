/** The list of emergency calls, newest first. */
import type { Outcome } from '#cloud/bus/bus.ts';
import type { Store } from '#cloud/store/store.ts';
import { ok } from '#shared/kernel/result.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';

const PAGE = 100;

interface Row {
  readonly id: string;
  readonly at: number;
  readonly home: string | null;
  readonly line: string | null;
  readonly party_from: string;
  readonly dialled: string;
  readonly service: string;
  readonly by: Item['by'];
  readonly trunk: string | null;
  readonly outcome: string | null;
  readonly ended_at: number | null;
}

type Item = VerbReply<'emergency.call.list'>['items'][number];

export async function listEmergencyCalls(
  store: Store,
  { limit = PAGE, after }: VerbRequest<'emergency.call.list'>,
): Promise<Outcome<'emergency.call.list'>> {
  const rows = await store.all<Row>(
    `SELECT * FROM emergency_call WHERE ${after === undefined ? '1 = 1' : 'id < ?'} ORDER BY id DESC LIMIT ?`,
    [...(after === undefined ? [] : [after]), limit + 1],
  );
  const items = rows.slice(0, limit).map(
    ({ id, at, home, line, party_from: from, dialled, service, by, trunk, outcome, ended_at: endedAt }): Item => ({
      ...{ id, at, from, dialled, service, by },
      ...(home === null ? {} : { home }),
      ...(line === null ? {} : { line }),
      ...(trunk === null ? {} : { trunk }),
      ...(outcome === null ? {} : { outcome }),
      ...(endedAt === null ? {} : { endedAt }),
    }),
  );
  const next = rows.length > limit ? items.at(-1)?.id : undefined;
  return ok({ items, ...(next === undefined ? {} : { next }) });
}
