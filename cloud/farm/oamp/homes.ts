/** Homes. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import { type HomeRow, homeById } from '#cloud/store/directory.ts';
import { sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { firstDocuments } from './desired.ts';
import { command, makeId, type Oamp, page, visibleHome } from './parts.ts';

export function homeHandlers(oamp: Oamp): Pick<Handlers<'oamp'>, 'home.create' | 'home.list' | 'home.get'> {
  const { store, world, config } = oamp;
  return {
    'home.create': (request, context) =>
      command<'home.create'>(oamp, context, async () => {
        const home: HomeRow = { id: makeId(world, 'home'), name: request.name, created_at: world.clock.wall() };
        const insert = sql(
          'INSERT INTO home (id, name, created_at) VALUES (?, ?, ?)',
          home.id,
          home.name,
          home.created_at,
        );
        return ok({ reply: toHome(home), statements: [insert, ...firstDocuments(config, home)] });
      }),
    async 'home.list'(request, context) {
      const seen = visibleIds(context);
      const where = seen === undefined ? '1 = 1' : `id IN (${seen.map(() => '?').join(', ') || 'NULL'})`;
      const found = await page<HomeRow>(store, `SELECT * FROM home WHERE ${where}`, seen ?? [], request);
      return ok({ items: found.rows.map(toHome), ...(found.next === undefined ? {} : { next: found.next }) });
    },
    async 'home.get'(request, context) {
      const hidden = await visibleHome(store, context, request.home);
      const row = hidden === undefined ? await homeById(store, request.home) : undefined;
      return row === undefined ? err(fault('not_found')) : ok(toHome(row));
    },
  };
}

/** The homes that a list is confined to; undefined for all. */
function visibleIds({ principal }: Context): readonly string[] | undefined {
  switch (principal.kind) {
    case 'part':
      return undefined;
    case 'account':
      if (principal.homes !== 'all') return principal.homes;
      return principal.role === 'operator' ? undefined : [];
    case 'gateway':
      return [principal.home];
    case 'applicant':
      return [];
  }
}

function toHome(row: HomeRow): VerbReply<'home.get'> {
  return { id: row.id, name: row.name, createdAt: row.created_at };
}
