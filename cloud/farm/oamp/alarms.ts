/** Alarms: the same cause of the same source is one alarm until it is cleared. Each change is an event `home.alarm.v1.*`. */
import type { Context, Handlers } from '#cloud/bus/bus.ts';
import { homeOfGateway, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { type SqlValue, type Statement, sql, sqlOne } from '#cloud/store/store.ts';
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
  readonly acknowledged_at: number | null;
  readonly acknowledged_by: string | null;
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

type Verbs = 'alarm.raise' | 'alarm.clear' | 'alarm.list' | 'alarm.get' | 'alarm.acknowledge' | 'alarm.close';

export function alarmHandlers(oamp: Oamp): Pick<Handlers<'oamp'>, Verbs> {
  const { store, world } = oamp;

  /** Tells readers of events that there is more, once it is committed. */
  async function told<T extends { readonly ok: boolean }>(outcome: Promise<T>): Promise<T> {
    const done = await outcome;
    if (done.ok) oamp.bus.publish('event.appended', {});
    return done;
  }

  async function find(alarm: string, { principal }: Context): Promise<AlarmRow | undefined> {
    const row = await store.one<AlarmRow>('SELECT * FROM alarm WHERE id = ?', [alarm]);
    return row !== undefined && (row.home === null || sees(principal, row.home)) ? row : undefined;
  }

  /** Marks one alarm, unless it is marked so already. */
  function mark<V extends 'alarm.acknowledge' | 'alarm.close'>(
    alarm: string,
    context: Context,
    change: (row: AlarmRow) => { readonly row: AlarmRow; readonly statements: Statement[] } | undefined,
  ) {
    return told(
      command<V>(oamp, context, async () => {
        const row = await find(alarm, context);
        if (row === undefined) return err(fault('not_found', 'There is no such alarm.'));
        const changed = change(row);
        return ok({ reply: toAlarm(changed?.row ?? row) as VerbReply<V>, statements: changed?.statements ?? [] });
      }),
    );
  }

  return {
    async 'alarm.raise'(request, context) {
      const source = await sourceOf(oamp, context, request);
      if (source === undefined) return err(fault('forbidden'));
      const plan = async () => ok({ reply: {}, statements: await raise(oamp, source, request) });
      return told(command<'alarm.raise'>(oamp, context, plan, () => tooMany()));
    },
    async 'alarm.clear'(request, context) {
      const source = await sourceOf(oamp, context, request);
      if (source === undefined) return err(fault('forbidden'));
      return told(
        command<'alarm.clear'>(oamp, context, async () => {
          const row = await store.one<AlarmRow>(`SELECT * FROM alarm WHERE ${SAME}`, same(source, request.cause));
          return ok({ reply: {}, statements: row === undefined ? [] : clear(oamp, row).statements });
        }),
      );
    },
    async 'alarm.get'({ alarm }, context) {
      const row = await find(alarm, context);
      return row === undefined ? err(fault('not_found', 'There is no such alarm.')) : ok(toAlarm(row));
    },
    'alarm.acknowledge': ({ alarm }, context) =>
      mark<'alarm.acknowledge'>(alarm, context, (row) => {
        const { principal } = context;
        if (row.acknowledged_at !== null || principal.kind !== 'account') return undefined;
        const next = { ...row, acknowledged_at: world.clock.wall(), acknowledged_by: principal.account };
        const update = sql(
          'UPDATE alarm SET acknowledged_at = ?, acknowledged_by = ? WHERE id = ?',
          next.acknowledged_at,
          next.acknowledged_by,
          row.id,
        );
        return { row: next, statements: [update, eventOf(oamp, 'acknowledged', next)] };
      }),
    'alarm.close': ({ alarm }, context) =>
      mark<'alarm.close'>(alarm, context, (row) => (row.cleared_at === null ? clear(oamp, row) : undefined)),
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
async function raise(oamp: Oamp, source: Source, { cause, severity, text }: Raised): Promise<Statement[]> {
  const { store, world } = oamp;
  const key = same(source, cause);
  const open = await store.one<AlarmRow>(`SELECT * FROM alarm WHERE ${SAME}`, key);
  if (open !== undefined) {
    if (open.severity === severity && open.text === text) return [];
    const update = sql('UPDATE alarm SET severity = ?, text = ? WHERE id = ?', severity, text, open.id);
    return [update, eventOf(oamp, 'changed', { ...open, severity, text })];
  }
  const row: AlarmRow = {
    id: makeId(world, 'alm'),
    home: source.home,
    gateway: source.gateway,
    severity,
    cause,
    text,
    raised_at: world.clock.wall(),
    cleared_at: null,
    acknowledged_at: null,
    acknowledged_by: null,
  };
  return [
    sqlOne(
      `INSERT INTO alarm (id, source, home, gateway, severity, cause, text, raised_at)
       SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM alarm WHERE source = ? AND cleared_at IS NULL) < ?`,
      row.id,
      source.source,
      row.home,
      row.gateway,
      severity,
      cause,
      text,
      row.raised_at,
      source.source,
      OPEN_ALARMS,
    ),
    eventOf(oamp, 'raised', row),
  ];
}

function clear(oamp: Oamp, row: AlarmRow): { readonly row: AlarmRow; readonly statements: Statement[] } {
  const next = { ...row, cleared_at: oamp.world.clock.wall() };
  const update = sql('UPDATE alarm SET cleared_at = ? WHERE id = ? AND cleared_at IS NULL', next.cleared_at, row.id);
  return { row: next, statements: [update, eventOf(oamp, 'cleared', next)] };
}

/** An alarm of a home is heard there; one of the cloud itself by the operator alone. */
function eventOf({ world }: Oamp, what: 'raised' | 'changed' | 'acknowledged' | 'cleared', row: AlarmRow): Statement {
  const { id: subject, home } = row;
  return eventRow(world, {
    type: `home.alarm.v1.${what}`,
    subject,
    ...(home === null ? {} : { home }),
    data: toAlarm(row),
  });
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
    ...(row.acknowledged_at === null ? {} : { acknowledgedAt: row.acknowledged_at }),
    ...(row.acknowledged_by === null ? {} : { acknowledgedBy: row.acknowledged_by }),
  };
}
