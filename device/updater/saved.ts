/** `update.json`: where the updater stands, read back with care. A damaged file costs the update under way and the history, never the gateway. */
import { NEVER } from '#shared/kernel/machine.ts';
import { isVersion } from '#shared/protocol/version.ts';
import type { Report, Step, UpdaterState } from './states.ts';

const STEPS = ['idle', 'checking', 'downloading', 'verifying', 'installing', 'rebooting', 'proving'];
/** Fields without which a step is none. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  idle: [],
  checking: ['job'],
  downloading: ['job', 'from'],
  verifying: ['job', 'from'],
  installing: ['job', 'from', 'bundle'],
  rebooting: ['job', 'version', 'before'],
  proving: ['version', 'starts'],
};

export function freshState(): UpdaterState {
  return { step: { at: 'idle' }, floor: undefined, history: [], untold: [] };
}

/** The state as text. Times of a machine mean nothing after a restart. */
export function writeSaved(state: UpdaterState): string {
  return JSON.stringify(state, (name, value: unknown) => (name === 'until' || name === 'next' ? undefined : value));
}

/** The state that a file holds; what is not as it was written is as if nothing had been. Deadlines are set anew by `booted`. */
export function readSaved(file: Uint8Array | undefined): UpdaterState {
  const state = freshState();
  const value = file === undefined ? undefined : parse(file);
  if (!isObject(value)) return state;
  const { floor, history, untold, step } = value;
  if (typeof floor === 'string' && isVersion(floor)) state.floor = floor;
  if (Array.isArray(history)) state.history = history.filter(isReport);
  if (Array.isArray(untold)) state.untold = untold.filter(isReport);
  if (isStep(step)) state.step = step;
  return state;
}

function parse(file: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(file));
  } catch {
    return undefined;
  }
}

function isStep(value: unknown): value is Step {
  if (!isObject(value) || typeof value.at !== 'string' || !STEPS.includes(value.at)) return false;
  const { at } = value;
  if ((NEEDED[at] ?? []).some((name) => value[name] === undefined)) return false;
  if (
    value.job !== undefined &&
    !(isObject(value.job) && typeof value.job.id === 'string' && isObject(value.job.source))
  )
    return false;
  if (value.before !== undefined && !(isObject(value.before) && typeof value.before.slot === 'string')) return false;
  Object.assign(value, { until: NEVER, next: NEVER });
  return true;
}

function isReport(value: unknown): value is Report {
  return (
    isObject(value) && typeof value.job === 'string' && typeof value.state === 'string' && typeof value.at === 'number'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
