/** How updates end, and what speaks against one. Pure. */
import { compareVersions } from '#shared/protocol/version.ts';
import type { BundleFacts, Refusal, Wreck } from './board.ts';
import type { Before, Job, Output, Report, UpdaterState } from './states.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
/** Outcomes that are remembered. */
export const HISTORY = 20;
/** Octets that an update leaves free on the data partition. */
export const MARGIN = 16 * 1024 * 1024;
const LINES = 50;
const LINE = 200;

/** A report on the job of a step. */
export function owned(
  step: {
    readonly job: Job;
    readonly version?: string;
    readonly from?: string;
    readonly before?: Before;
    readonly bundle?: BundleFacts;
  },
  state: Report['state'],
): Omit<Report, 'at'> {
  const version = step.version ?? step.bundle?.version ?? step.job.version;
  const from = step.from ?? step.before?.version;
  return {
    job: step.job.id,
    state,
    ...(version === undefined ? {} : { version }),
    ...(from === undefined ? {} : { from }),
  };
}

/** The bundle is fetched beside its copy that the installer makes: both must fit, and something must be left. */
export function roomFor(size: number | undefined, free: number | undefined, here: number): Refusal | undefined {
  if (size === undefined || free === undefined) return undefined;
  const needed = Math.max(0, size - here) + size + MARGIN;
  if (free >= needed) return undefined;
  const mega = (octets: number) => Math.ceil(octets / 1e6);
  return { code: 'update_no_room', detail: `It needs ${mega(needed)} MB; ${mega(free)} MB are free.` };
}

/** What speaks against a bundle whose signature is believed. */
export function badBundle(job: Job, bundle: BundleFacts, floor: string | undefined): Refusal | undefined {
  const damaged = (job.sha256 ?? bundle.sha256) !== bundle.sha256 || (job.size ?? bundle.size) !== bundle.size;
  if (damaged) return { code: 'update_damaged', detail: 'Its size or SHA-256 is not that of the release.' };
  if (job.board !== undefined && job.board !== bundle.board)
    return { code: 'update_wrong_board', detail: `The bundle is for ${bundle.board}.` };
  if (job.version !== undefined && job.version !== bundle.version)
    return {
      code: 'update_wrong_version',
      detail: `The bundle is ${bundle.version}; the release says ${job.version}.`,
    };
  if (floor !== undefined && compareVersions(bundle.version, floor) < 0)
    return { code: 'update_too_old', detail: `It is ${bundle.version}; ${floor} has run here already.` };
  return undefined;
}

/** The update did not come about; the running system is the one that ran before. */
export function failed(state: UpdaterState, out: Output[], { code, detail }: Refusal): void {
  const { step } = state;
  if (step.at === 'idle') return;
  if (step.job === undefined) {
    state.step = { at: 'idle' };
    out.push({ do: 'save' });
    return;
  }
  const report = {
    ...owned({ ...step, job: step.job }, 'failed'),
    reason: code,
    ...(detail === undefined ? {} : { text: detail.slice(0, 512) }),
  };
  over(state, out, report, step.job);
}

/** The running system has proved itself. */
export function good(
  state: UpdaterState,
  out: Output[],
  { job, version, before }: { readonly job?: Job; readonly version: string; readonly before?: Before },
): void {
  if (state.floor === undefined || compareVersions(version, state.floor) > 0) state.floor = version;
  if (job === undefined) {
    state.step = { at: 'idle' };
    out.push({ do: 'save' });
    return;
  }
  over(state, out, owned({ job, version, ...(before === undefined ? {} : { before }) }, 'good'), job);
}

/** The board runs the system from before again. */
export function back(
  state: UpdaterState,
  step: { readonly job: Job; readonly version: string; readonly before: Before },
  reason: 'update_not_started' | 'update_not_proved',
  wreck: Wreck | undefined,
  out: Output[],
): void {
  const started = wreck !== undefined && (wreck.stage === 'agent' || wreck.stage === 'session');
  const report = {
    ...owned(step, 'back'),
    reason: started ? 'update_not_proved' : reason,
    ...(wreck === undefined
      ? {}
      : {
          stage: wreck.stage,
          attempts: Math.min(100, wreck.attempts),
          lines: wreck.lines.slice(-LINES).map((line) => line.slice(0, LINE)),
        }),
  };
  over(state, out, report, step.job);
}

function over(state: UpdaterState, out: Output[], report: Omit<Report, 'at'>, job: Job): void {
  // A machine knows no wall clock: whoever saves the report puts the time in.
  const one = { ...report, at: 0 };
  state.history = [one, ...state.history.filter(({ job: id }) => id !== report.job)].slice(0, HISTORY);
  state.untold = [...state.untold, one].slice(-HISTORY);
  state.step = { at: 'idle' };
  out.push({ do: 'save' }, { do: 'clean', job });
}
