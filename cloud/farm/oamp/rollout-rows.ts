/** The rows of rollouts and how they are shown. */
import { eventRow } from '#cloud/store/event-log.ts';
import { type Statement, type Store, sql, sqlOne } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { isActive, isFailed, type MemberState, quota } from './rollout-plan.ts';

export interface RolloutRow {
  readonly id: string;
  readonly release: string;
  readonly state: 'running' | 'paused' | 'stopped' | 'done';
  readonly why: string | null;
  readonly stage: number;
  readonly stages: string;
  readonly error_rate: number;
  readonly silence: number;
  readonly homes: string | null;
  readonly created_at: number;
  readonly changed_at: number;
  /** Of the release. */
  readonly version: string;
  readonly board: string;
  readonly sha256: string;
  readonly size: number;
}

export interface MemberRow {
  readonly gateway: string;
  readonly home: string;
  readonly place: number;
  readonly state: MemberState;
  readonly stage: number | null;
  readonly reason: string | null;
  readonly text: string | null;
  readonly heard_at: number | null;
}

export type Rollout = VerbReply<'rollout.get'>;

/** Ends in no WHERE. */
export const SELECT_ROLLOUT =
  'SELECT r.*, l.version, l.board, l.sha256, l.size FROM rollout r JOIN release l ON l.id = r.release';

export function rolloutById(store: Store, id: string): Promise<RolloutRow | undefined> {
  return store.one<RolloutRow>(`${SELECT_ROLLOUT} WHERE r.id = ?`, [id]);
}

export function membersOf(store: Store, rollout: string): Promise<MemberRow[]> {
  return store.all<MemberRow>('SELECT * FROM rollout_gateway WHERE rollout = ? ORDER BY place', [rollout]);
}

export const stagesOf = (row: Pick<RolloutRow, 'stages'>): number[] => JSON.parse(row.stages) as number[];

export function toRollout(row: RolloutRow, members: readonly Pick<MemberRow, 'state' | 'stage'>[]): Rollout {
  const count = (test: (state: MemberState) => boolean) => members.filter(({ state }) => test(state)).length;
  return {
    id: row.id,
    release: row.release,
    version: row.version,
    board: row.board,
    state: row.state,
    ...(row.why === null ? {} : { why: row.why }),
    stage: row.stage,
    stages: stagesOf(row).map((percent, i) => {
      // Stages add up: the later one holds the gateways of those before it.
      const own = members.filter(({ stage, state }) => stage !== null && stage <= i + 1 && state !== 'skipped');
      const begun = i < row.stage ? own : [];
      return {
        percent,
        gateways: quota(members, percent),
        started: begun.length,
        good: begun.filter(({ state }) => state === 'good').length,
        failed: begun.filter(({ state }) => isFailed(state)).length,
      };
    }),
    errorRate: row.error_rate,
    silence: row.silence,
    ...(row.homes === null ? {} : { homes: JSON.parse(row.homes) as string[] }),
    gateways: {
      all: members.length,
      waiting: count((state) => state === 'waiting'),
      active: count(isActive),
      good: count((state) => state === 'good'),
      failed: count(isFailed),
      skipped: count((state) => state === 'skipped'),
    },
    createdAt: row.created_at,
    changedAt: row.changed_at,
  };
}

/** A rollout's new state, with the event that tells of it; the commit fails where another one has changed it meanwhile. */
export function changeRollout(
  world: World,
  row: RolloutRow,
  next: { readonly state: RolloutRow['state']; readonly stage?: number; readonly why?: string },
): Statement[] {
  const open = next.state === 'running' || next.state === 'paused';
  const stage = next.stage ?? row.stage;
  return [
    sqlOne(
      'UPDATE rollout SET state = ?, stage = ?, why = ?, open_board = ?, changed_at = ? WHERE id = ? AND state = ? AND stage = ?',
      next.state,
      stage,
      next.why ?? null,
      open ? row.board : null,
      Math.floor(world.clock.wall()),
      row.id,
      row.state,
      row.stage,
    ),
    rolloutEvent(world, row, stage === row.stage ? next.state : 'stage', {
      stage,
      ...(next.why === undefined ? {} : { why: next.why }),
    }),
  ];
}

export function rolloutEvent(
  world: World,
  { id, release, version, board }: Pick<RolloutRow, 'id' | 'release' | 'version' | 'board'>,
  what: string,
  more: object,
): Statement {
  return eventRow(world, {
    type: `home.rollout.v1.${what}`,
    subject: id,
    data: { rollout: id, release, version, board, ...more },
  });
}

/** Where a member stands now. `heard` is the wall clock of its last word. */
export function changeMember(
  rollout: string,
  gateway: string,
  next: {
    readonly state: MemberState;
    readonly stage?: number | null;
    readonly reason?: string;
    readonly text?: string;
    readonly heard?: number;
  },
): Statement {
  return sql(
    'UPDATE rollout_gateway SET state = ?, stage = COALESCE(?, stage), reason = ?, text = ?, heard_at = COALESCE(?, heard_at) WHERE rollout = ? AND gateway = ?',
    next.state,
    next.stage ?? null,
    next.reason ?? null,
    next.text ?? null,
    next.heard ?? null,
    rollout,
    gateway,
  );
}
