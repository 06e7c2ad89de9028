/**
 * One trunk's standing as a pure machine: its registration (refreshed at half of its time), OPTIONS now and then, and what calls on it
 * came to. A trunk that failed is `down` until it answers something; it is asked at growing intervals.
 */
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';

/** Milliseconds: first and longest wait before a trunk that failed is asked again. */
export const FIRST_WAIT = 2_000;
export const LAST_WAIT = 120_000;
/** Milliseconds after which a trunk that is never asked counts as worth a try again. */
export const FORGIVEN_AFTER = 60_000;

export interface TrunkHealth {
  readonly registers: boolean;
  /** Seconds that are asked for. */
  readonly expires: number;
  /** Milliseconds between OPTIONS; 0: none. */
  readonly probeEvery: number;
  at: 'unknown' | 'up' | 'down';
  cause: string | undefined;
  registered: boolean;
  /** Failures in a row. */
  failures: number;
  registerDue: number;
  probeDue: number;
  forgiveDue: number;
}

export type HealthInput =
  | { readonly on: 'start' }
  /** The answer to REGISTER or OPTIONS; 408 for silence, 503 for a broken connection, `why` where that is known. `seconds`: granted. */
  | { readonly on: 'registered'; readonly status: number; readonly seconds: number; readonly why?: string }
  | { readonly on: 'probed'; readonly status: number; readonly why?: string }
  /** What a call on it showed: it answers; or it failed with that status. */
  | { readonly on: 'works' }
  | { readonly on: 'failed'; readonly status: number; readonly why?: string };

export type HealthOutput =
  | { readonly do: 'register'; readonly expires: number }
  | { readonly do: 'probe' }
  /** It came up or went down. */
  | { readonly do: 'changed' };

export function newHealth(settings: {
  readonly registers: boolean;
  readonly expires: number;
  readonly probeEvery: number;
}): TrunkHealth {
  return {
    ...settings,
    at: 'unknown',
    cause: undefined,
    registered: false,
    failures: 0,
    registerDue: NEVER,
    probeDue: NEVER,
    forgiveDue: NEVER,
  };
}

function step(state: TrunkHealth, input: HealthInput | Tick, now: number, out: HealthOutput[]): void {
  switch (input.on) {
    case 'start':
      if (state.registers) register(state, out);
      else if (state.probeEvery > 0) probe(state, out);
      return;
    case 'registered':
      registered(state, input, now, out);
      return;
    case 'probed':
      // Any answer is a sign of life, but one that says that it cannot serve.
      if (input.status === 408 || input.status >= 500) failed(state, input, now, out);
      else works(state, out);
      state.probeDue = now + (state.at === 'down' ? wait(state) : state.probeEvery);
      return;
    case 'works':
      works(state, out);
      return;
    case 'failed':
      failed(state, input, now, out);
      if (state.probeEvery > 0) state.probeDue = Math.min(state.probeDue, now + FIRST_WAIT);
      return;
    case 'tick':
      tick(state, now, out);
  }
}

type Heard = { readonly status: number; readonly why?: string };

function registered(
  state: TrunkHealth,
  { seconds, ...heard }: Heard & { readonly seconds: number },
  now: number,
  out: HealthOutput[],
): void {
  const { status } = heard;
  if (status >= 200 && status < 300) {
    state.registered = true;
    state.registerDue = now + Math.max(10, seconds) * 500;
    works(state, out);
    if (state.probeEvery > 0) state.probeDue = now + state.probeEvery;
    return;
  }
  state.registered = false;
  failed(state, heard, now, out);
  state.registerDue = now + wait(state);
}

function works(state: TrunkHealth, out: HealthOutput[]): void {
  const was = state.at;
  state.failures = 0;
  state.cause = undefined;
  state.forgiveDue = NEVER;
  if (state.registers && !state.registered) return;
  state.at = 'up';
  if (was !== 'up') out.push({ do: 'changed' });
}

function failed(state: TrunkHealth, { status, why }: Heard, now: number, out: HealthOutput[]): void {
  const [was, before] = [state.at, state.cause];
  state.failures++;
  state.at = 'down';
  state.cause = why ?? (status === 408 ? 'no answer' : `answered ${status}`);
  state.forgiveDue = state.registers || state.probeEvery > 0 ? NEVER : now + FORGIVEN_AFTER;
  // Another cause is news too, where it says whose fault it is.
  if (was !== 'down' || (why !== undefined && before !== why)) out.push({ do: 'changed' });
}

const wait = (state: TrunkHealth): number => Math.min(LAST_WAIT, FIRST_WAIT * 2 ** Math.min(state.failures - 1, 10));

function tick(state: TrunkHealth, now: number, out: HealthOutput[]): void {
  if (state.registerDue <= now) register(state, out);
  if (state.probeDue <= now) probe(state, out);
  if (state.forgiveDue <= now) {
    state.forgiveDue = NEVER;
    state.at = 'unknown';
    out.push({ do: 'changed' });
  }
}

function register(state: TrunkHealth, out: HealthOutput[]): void {
  state.registerDue = NEVER;
  out.push({ do: 'register', expires: state.expires });
}

function probe(state: TrunkHealth, out: HealthOutput[]): void {
  state.probeDue = NEVER;
  out.push({ do: 'probe' });
}

function due(state: TrunkHealth): number {
  return Math.min(state.registerDue, state.probeDue, state.forgiveDue);
}

export const trunkHealth: Machine<TrunkHealth, HealthInput, HealthOutput> = { name: 'trunk.health', step, due };
