/** Alarms: the same cause of the same source is one alarm until it is cleared. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import { homeOfGateway } from '#cloud/store/directory.ts';
import { type SqlValue, sql, sqlOne } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { command, makeId, type Oamp } from './parts.ts';

/** Alarms of one source that may be open at once. */
export const OPEN_ALARMS = 100;
const PAGE = 100;

interface AlarmRow {
  readonly id: string;
  readonly home: string | null;
  readonly gateway: string | null;
  readonly severity: string;
  readonly cause: string;
  readonly text: string;
  readonly raised_at: number;
  readonly cleared_at: number | null;
}

interface Source {
  readonly source: string;
  readonly home: string | null;
  readonly gateway: string | null;
}

type Named = { readonly home?: string; readonly gateway?: string };

/** Where an alarm comes from: a gateway speaks for itself alone, a part for whatever it names. */
async function sourceOf({ store }: Oamp, { principal }: Context, named: Named): Promise<Source | undefined> {
  if (principal.kind === 'gateway') {
    return { source: principal.gateway, home: principal.home, gateway: principal.gateway };
  }
  if (principal.kind !== 'part') return undefined;
  const home = named.home ?? (named.gateway === undefined ? undefined : await homeOfGateway(store, named.gateway));
  return { source: principal.part, home: home ?? null, gateway: named.gateway ?? null };
}

const SAME = "source = ? AND cause = ? AND COALESCE(home, '') = ? AND COALESCE(gateway, '') = ? AND cleared_at IS NULL";

function same(source: Source, cause: string): SqlValue[] {
  return [source.source, cause, source.home ?? '', source.gateway ?? ''];
}

export function alarmHandlers(oamp: Oamp): Pick<Handlers<'oamp'>, 'alarm.raise' | 'alarm.clear' | 'alarm.list'> {
  const { store, world } = oamp;
  return {
    async 'alarm.raise'(request, context) {
      const source = await sourceOf(oamp, context, request);
      if (source === undefined) return err(fault('forbidden'));
      const plan = async () => ok({ reply: {}, statements: await raise(oamp, source, request) });
      return command<'alarm.raise'>(oamp, context, plan, () => tooMany());
    },
    async 'alarm.clear'(request, context) {
      const source = await sourceOf(oamp, context, request);
      if (source === undefined) return err(fault('forbidden'));
      const statement = sql(
        `UPDATE alarm SET cleared_at = ? WHERE ${SAME}`,
        world.clock.wall(),
        ...same(source, request.cause),
      );
      return command<'alarm.clear'>(oamp, context, async () => ok({ reply: {}, statements: [statement] }));
    },
    async 'alarm.list'({ limit = PAGE, after, open }, context) {
      const where = [...openFilter(open), ...homeFilter(context), ...afterFilter(after)];
      const rows = await store.all<AlarmRow>(
        `SELECT * FROM alarm WHERE ${['1 = 1', ...where.map((part) => part.sql)].join(' AND ')}
         ORDER BY CASE WHEN cleared_at IS NULL THEN 0 ELSE 1 END, id DESC LIMIT ?`,
        [...where.flatMap((part) => part.params), limit + 1],
      );
      const last = rows[limit - 1];
      const next =
        rows.length > limit && last !== undefined ? `${last.cleared_at === null ? 0 : 1}.${last.id}` : undefined;
      return ok({ items: rows.slice(0, limit).map(toAlarm), ...(next === undefined ? {} : { next }) });
    },
  };
}

function tooMany(): Fault {
  return fault('limit_reached', `One source has at most ${OPEN_ALARMS} open alarms.`);
}

type Raised = { readonly cause: string; readonly severity: string; readonly text: string };

/** An open alarm of this cause gets the newest words; otherwise a new one, unless its source has too many. */
async function raise({ store, world }: Oamp, source: Source, { cause, severity, text }: Raised) {
  const key = same(source, cause);
  const open = await store.one<{ id: string }>(`SELECT id FROM alarm WHERE ${SAME}`, key);
  if (open !== undefined) return [sql('UPDATE alarm SET severity = ?, text = ? WHERE id = ?', severity, text, open.id)];
  return [
    sqlOne(
      `INSERT INTO alarm (id, source, home, gateway, severity, cause, text, raised_at)
       SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM alarm WHERE source = ? AND cleared_at IS NULL) < ?`,
      makeId(world, 'alm'),
      source.source,
      source.home,
      source.gateway,
      severity,
      cause,
      text,
      world.clock.wall(),
      source.source,
      OPEN_ALARMS,
    ),
  ];
}

interface Filter {
  readonly sql: string;
  readonly params: readonly SqlValue[];
}

function openFilter(open: boolean | undefined): Filter[] {
  return open === undefined ? [] : [{ sql: `cleared_at IS ${open ? '' : 'NOT '}NULL`, params: [] }];
}

/** Alarms of the cloud itself and of the homes that the account may see. */
function homeFilter({ principal }: Context): Filter[] {
  if (principal.kind === 'part' || (principal.kind === 'account' && principal.homes === 'all')) return [];
  const homes = principal.kind === 'account' && principal.homes !== 'all' ? principal.homes : [];
  return [{ sql: `(home IS NULL OR home IN (${homes.map(() => '?').join(', ') || 'NULL'}))`, params: homes }];
}

function afterFilter(after: string | undefined): Filter[] {
  const found = /^([01])\.(.+)$/.exec(after ?? '');
  if (found === null) return [];
  const cleared = 'CASE WHEN cleared_at IS NULL THEN 0 ELSE 1 END';
  const [, group = '', id = ''] = found;
  return [{ sql: `(${cleared} > ? OR (${cleared} = ? AND id < ?))`, params: [Number(group), Number(group), id] }];
}

function toAlarm(row: AlarmRow): VerbReply<'alarm.list'>['items'][number] {
  return {
    id: row.id,
    ...(row.home === null ? {} : { home: row.home }),
    ...(row.gateway === null ? {} : { gateway: row.gateway }),
    severity: row.severity as 'critical' | 'major' | 'minor' | 'warning',
    cause: row.cause,
    text: row.text,
    raisedAt: row.raised_at,
    ...(row.cleared_at === null ? {} : { clearedAt: row.cleared_at }),
  };
}
