/** Rollouts as the operator sees and steers them. What they do by themselves is in `rollout-drive.ts`. */
import type { Context, Handlers, Outcome } from '#cloud/bus/bus.ts';
import { type SqlValue, type Statement, sql } from '#cloud/store/store.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import { command, makeId, type Oamp, type Plan, page } from './parts.ts';
import { releaseById } from './releases.ts';
import type { RolloutDrive } from './rollout-drive.ts';
import {
  changeRollout,
  type MemberRow,
  membersOf,
  type RolloutRow,
  rolloutById,
  rolloutEvent,
  SELECT_ROLLOUT,
  toRollout,
} from './rollout-rows.ts';
import { reportOf } from './updates.ts';

const STAGES = [1, 10, 100];
const ERROR_RATE = 0.1;
const SILENCE = 30 * 60_000;
const MEMBERS = 100;

type Verbs =
  | 'rollout.create'
  | 'rollout.list'
  | 'rollout.get'
  | 'rollout.gateways'
  | 'rollout.pause'
  | 'rollout.resume'
  | 'rollout.stop';

export function rolloutHandlers(oamp: Oamp, drive: RolloutDrive): Pick<Handlers<'oamp'>, Verbs> {
  const { store } = oamp;
  /** The commit first, then whatever follows from it. */
  const moved = async <V extends Verbs>(rollout: string | undefined, outcome: Promise<Outcome<V>>) => {
    const done = await outcome;
    if (!done.ok) return done;
    oamp.bus.publish('event.appended', {});
    drive.go(rollout ?? (done.value as { id: string }).id);
    return done;
  };
  return {
    'rollout.create': (request, context) =>
      moved(
        undefined,
        command<'rollout.create'>(
          oamp,
          context,
          () => create(oamp, request),
          ({ why }) => (why === 'unique' ? fault('rollout_running') : undefined),
        ),
      ),

    async 'rollout.list'(request) {
      const found = await page<RolloutRow>(
        store,
        `SELECT * FROM (${SELECT_ROLLOUT}) AS all_rollouts WHERE 1 = 1`,
        [],
        request,
        'DESC',
      );
      const items = await Promise.all(found.rows.map(async (row) => toRollout(row, await membersOf(store, row.id))));
      return ok({ items, ...(found.next === undefined ? {} : { next: found.next }) });
    },

    async 'rollout.get'({ rollout }) {
      const row = await rolloutById(store, rollout);
      return row === undefined ? err(noRollout()) : ok(toRollout(row, await membersOf(store, rollout)));
    },

    'rollout.gateways': (request) => members(oamp, request),

    'rollout.pause': ({ rollout }, context) => moved(rollout, change(oamp, rollout, context, 'paused')),
    'rollout.resume': ({ rollout }, context) => moved(rollout, change(oamp, rollout, context, 'running')),
    'rollout.stop': async ({ rollout }, context) => {
      const outcome = await moved(rollout, change(oamp, rollout, context, 'stopped'));
      if (outcome.ok) oamp.background(drive.recall(rollout));
      return outcome;
    },
  };
}

/** What ends with a release that is withdrawn. */
export function stopRolloutsOf(oamp: Pick<Oamp, 'world'>, release: string): Statement[] {
  return [
    sql(
      "UPDATE rollout SET state = 'stopped', why = 'The release was withdrawn.', open_board = NULL, changed_at = ? WHERE release = ? AND state IN ('running', 'paused')",
      Math.floor(oamp.world.clock.wall()),
      release,
    ),
  ];
}

const noRollout = (): Fault => fault('not_found', 'There is no such rollout.');

async function create(oamp: Oamp, request: VerbRequest<'rollout.create'>): Promise<Plan<'rollout.create'>> {
  const { store, world } = oamp;
  const release = await releaseById(store, request.release);
  if (release === undefined) return err(fault('not_found', 'There is no such release.'));
  if (release.state !== 'ready') return err(fault('release_not_ready'));
  const { homes, stages = STAGES, errorRate = ERROR_RATE, silence = SILENCE } = request;
  if (stages.some((percent, i) => percent <= (stages[i - 1] ?? 0)))
    return err(fault('bad_request', 'Stages must rise, such as 1, 10, 100.', { pointer: '/stages' }));
  const id = makeId(world, 'rol');
  const now = Math.floor(world.clock.wall());
  const row: RolloutRow = {
    id,
    release: release.id,
    state: 'running',
    why: null,
    stage: 1,
    stages: JSON.stringify(stages),
    error_rate: errorRate,
    silence,
    homes: homes === undefined ? null : JSON.stringify(homes),
    created_at: now,
    changed_at: now,
    version: release.version,
    board: release.board,
    sha256: release.sha256,
    size: release.size,
  };
  const chosen = await choose(oamp, id, homes);
  return ok({
    reply: toRollout(
      row,
      chosen.map(() => ({ state: 'waiting', stage: null })),
    ),
    statements: [...insert(row), ...chosen, rolloutEvent(world, row, 'started', { gateways: chosen.length })],
  });
}

function insert(row: RolloutRow): Statement[] {
  return [
    sql(
      'INSERT INTO rollout (id, release, state, open_board, stage, stages, error_rate, silence, homes, created_at, changed_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      ...[row.id, row.release, row.state, row.board, row.stage, row.stages, row.error_rate, row.silence],
      ...[row.homes, row.created_at, row.changed_at],
    ),
  ];
}

/** The gateways in an order that nobody can favour and everybody can compute again: by the hash of rollout and gateway. */
async function choose(
  { store, world }: Oamp,
  rollout: string,
  homes: readonly string[] | undefined,
): Promise<Statement[]> {
  const rows = await store.all<{ id: string; home: string }>(
    "SELECT id, home FROM gateway WHERE state = 'paired' ORDER BY id",
  );
  const wanted = homes === undefined ? undefined : new Set(homes);
  return rows
    .filter(({ home }) => wanted?.has(home) ?? true)
    .map((row) => ({ ...row, key: hex(world.crypto.hash('sha256', utf8(`${rollout} ${row.id}`))) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ id, home }, place) =>
      sql(
        "INSERT INTO rollout_gateway (rollout, gateway, home, place, state) VALUES (?, ?, ?, ?, 'waiting')",
        ...[rollout, id, home, place],
      ),
    );
}

/** The same command again changes nothing and answers the same; one that is over takes none. */
async function change(
  oamp: Oamp,
  rollout: string,
  context: Context,
  state: 'running' | 'paused' | 'stopped',
): Promise<Outcome<'rollout.pause'>> {
  return command<'rollout.pause'>(oamp, context, async () => {
    const row = await rolloutById(oamp.store, rollout);
    if (row === undefined) return err(noRollout());
    const all = await membersOf(oamp.store, rollout);
    if (row.state === state) return ok({ reply: toRollout(row, all), statements: [] });
    if (row.state === 'stopped' || row.state === 'done') return err(fault('rollout_over'));
    const why = { running: undefined, paused: 'Paused by hand.', stopped: 'Stopped by hand.' }[state];
    const next = { state, ...(why === undefined ? {} : { why }) };
    return ok({
      reply: toRollout({ ...row, state, why: why ?? null }, all),
      statements: changeRollout(oamp.world, row, next),
    });
  });
}

/** Pages by place, so that the order is that of their turns. */
async function members(
  { store }: Oamp,
  { rollout, limit = MEMBERS, after, state }: VerbRequest<'rollout.gateways'>,
): Promise<Outcome<'rollout.gateways'>> {
  if ((await rolloutById(store, rollout)) === undefined) return err(noRollout());
  const where: { readonly sql: string; readonly params: readonly SqlValue[] } =
    state === undefined ? { sql: '', params: [] } : { sql: ' AND m.state = ?', params: [state] };
  const rows = await store.all<MemberRow & { readonly body: string | null }>(
    `SELECT m.*, u.body FROM rollout_gateway m LEFT JOIN gateway_update u ON u.gateway = m.gateway AND u.job = m.rollout
     WHERE m.rollout = ? AND m.place > ?${where.sql} ORDER BY m.place LIMIT ?`,
    [rollout, /^\d{1,9}$/.test(after ?? '') ? Number(after) : -1, ...where.params, limit + 1],
  );
  const last = rows[limit - 1];
  return ok({
    items: rows.slice(0, limit).map(toMember),
    ...(rows.length > limit && last !== undefined ? { next: String(last.place) } : {}),
  });
}

function toMember(row: MemberRow & { readonly body: string | null }): VerbReply<'rollout.gateways'>['items'][number] {
  const said = row.body === null ? undefined : reportOf(row.body);
  return {
    gateway: row.gateway,
    home: row.home,
    state: row.state,
    ...(row.stage === null ? {} : { stage: row.stage }),
    ...(said?.from === undefined ? {} : { from: said.from }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.text === null ? {} : { text: row.text }),
    ...(said?.stage === undefined ? {} : { reached: said.stage }),
    ...(said?.attempts === undefined ? {} : { attempts: said.attempts }),
    ...(said?.lines === undefined ? {} : { lines: said.lines }),
    ...(row.heard_at === null ? {} : { heardAt: row.heard_at }),
  };
}
