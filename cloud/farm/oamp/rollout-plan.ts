/**
 * What a rollout does next, decided from what is known of its gateways. Pure: the same facts give the same decisions, so that a restart
 * of the cloud changes nothing.
 *
 * A stage of p per cent is that share of the gateways that can take the release, rounded up. They are asked in the order of their places;
 * one that is not connected waits and leaves its turn to the next. A stage is over when as many as it holds were asked and none of
 * them is at work; the next one begins only if some have proved themselves and no more failed than allowed.
 */
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { memberStates } from '#shared/protocol/verbs/rollout.ts';

export type MemberState = (typeof memberStates)[number];

export interface Member {
  readonly gateway: string;
  readonly state: MemberState;
  /** It is connected now. */
  readonly online: boolean;
  /** It is still somebody's gateway. */
  readonly known: boolean;
  /** Milliseconds since anything was heard of it, and since it was asked last; counted from the start of this part at the most. */
  readonly quiet: number;
  readonly asked: number;
}

export interface Course {
  readonly state: 'running' | 'paused' | 'stopped' | 'done';
  /** Rising percentages. */
  readonly stages: readonly number[];
  /** The stage it is in, counted from 1. */
  readonly stage: number;
  readonly errorRate: number;
  readonly silence: number;
}

export type Decision =
  | { readonly do: 'ask'; readonly gateway: string }
  | { readonly do: 'silent'; readonly gateway: string }
  | { readonly do: 'gone'; readonly gateway: string }
  | { readonly do: 'advance'; readonly stage: number }
  | { readonly do: 'stop'; readonly why: string }
  | { readonly do: 'done' };

/** Gateways that are at work at once. */
export const AT_ONCE = 50;
/** Milliseconds after which a gateway that never answered is asked again. */
export const ASK_AGAIN = 60_000;

const FAILED: readonly MemberState[] = ['failed', 'back', 'silent'];
const ENDED: readonly MemberState[] = ['good', 'skipped', ...FAILED];
export const isFailed = (state: MemberState): boolean => FAILED.includes(state);
export const isActive = (state: MemberState): boolean => state !== 'waiting' && !ENDED.includes(state);

/** Reasons that say nothing against a release: it was not for this gateway. */
const NOT_FOR_IT: readonly string[] = ['update_not_possible', 'update_wrong_board', 'update_too_old'];

/** What a gateway's report means for its place in the rollout. */
export function memberStateOf({ state, reason }: Pick<VerbRequest<'update.report'>, 'state' | 'reason'>): MemberState {
  return state === 'failed' && NOT_FOR_IT.includes(reason ?? '') ? 'skipped' : state;
}

/** Gateways that a stage of so many per cent holds. */
export function quota(members: readonly Pick<Member, 'state'>[], percent: number): number {
  const able = members.filter(({ state }) => state !== 'skipped').length;
  return Math.ceil((able * percent) / 100);
}

/** What to do now, in this order; `members` in the order of their places. */
export function decide(course: Course, members: readonly Member[]): Decision[] {
  if (course.state === 'stopped' || course.state === 'done') return [];
  const lost = members.flatMap((member): Decision[] => {
    if (!member.known && !ENDED.includes(member.state)) return [{ do: 'gone', gateway: member.gateway }];
    if (isActive(member.state) && member.quiet > course.silence) return [{ do: 'silent', gateway: member.gateway }];
    return [];
  });
  // What is lost changes the counts: the rest is decided on the facts that it makes.
  if (lost.length > 0 || course.state === 'paused') return lost;
  return proceed(course, members);
}

function proceed(course: Course, members: readonly Member[]): Decision[] {
  const size = quota(members, course.stages[course.stage - 1] ?? 100);
  const started = members.filter(({ state }) => state !== 'waiting' && state !== 'skipped');
  const failed = started.filter(({ state }) => isFailed(state)).length;
  if (failed > course.errorRate * size)
    return [
      {
        do: 'stop',
        why: `${failed} of the ${size} gateways of stage ${course.stage} failed; ${allowed(course, size)}.`,
      },
    ];
  const active = started.filter(({ state }) => isActive(state));
  if (started.length >= size && active.length === 0) return next(course, started);
  const room = Math.max(0, Math.min(size - started.length, AT_ONCE - active.length));
  const fresh = members.filter(({ state, online }) => state === 'waiting' && online).slice(0, room);
  const unheard = active.filter(({ state, online, asked }) => state === 'asked' && online && asked > ASK_AGAIN);
  return [...unheard, ...fresh].map(({ gateway }) => ({ do: 'ask', gateway }));
}

function allowed({ errorRate }: Course, size: number): string {
  const most = Math.floor(errorRate * size);
  return most === 0 ? 'none may' : `at most ${most} may`;
}

/** The stage is over. */
function next(course: Course, started: readonly Member[]): Decision[] {
  if (started.length > 0 && !started.some(({ state }) => state === 'good'))
    return [{ do: 'stop', why: `No gateway of stage ${course.stage} has proved itself.` }];
  return course.stage < course.stages.length ? [{ do: 'advance', stage: course.stage + 1 }] : [{ do: 'done' }];
}
