/**
 * One trunk's standing as a pure machine: its registration (refreshed at half of its time, and anew after a silence, for a carrier that
 * started again knows nobody), OPTIONS now and then, and what calls on it came to. A trunk that failed is `down` until it answers
 * something; it is asked at growing intervals.
 */
import { type Machine, NEVER, type Tick } from '#shared/kernel/machine.ts';

/** Milliseconds: first and longest wait before a trunk that failed is asked again. */
export const FIRST_WAIT = 2_000;
export const LAST_WAIT = 120_000;
/** Milliseconds after which a trunk that is never asked counts as worth a try again. */
export const FORGIVEN_AFTER = 60_000;
/** Milliseconds: the longest rest that a carrier is given which asks for one (Retry-After), and the least between two registrations after lost connections. */
export const REST_LIMIT = 600_000;
export const REGISTERED_FOR = 30_000;
/** Seconds: the longest registration that a carrier may ask for (Min-Expires). */
const EXPIRES_LIMIT = 86_400;

export interface TrunkHealth {
  readonly registers: boolean;
  /** Seconds that are asked for; more where the carrier wants more (423). */
  expires: number;
  /** Milliseconds between OPTIONS; 0: none. */
  readonly probeEvery: number;
  at: 'unknown' | 'up' | 'down';
  cause: string | undefined;
  registered: boolean;
  /** When it was registered the last time. */
  registeredAt: number;
  /** It said nothing for a while: whether it still knows the registration nobody can tell. */
  silent: boolean;
  /** It asked for a rest until then (RFC 3261 section 21.5.4). */
  restUntil: number;
  /** Failures in a row. */
  failures: number;
  registerDue: number;
  probeDue: number;
  forgiveDue: number;
}

export type HealthInput =
  | { readonly on: 'start' }
  /** The answer to REGISTER; `seconds`: granted. `least`: seconds that are the least there (423). */
  | ({ readonly on: 'registered'; readonly seconds: number; readonly least?: number } & Heard)
  /** The answer to OPTIONS. */
  | ({ readonly on: 'probed' } & Heard)
  /** What a call on it showed: it answers; or it failed. */
  | { readonly on: 'works' }
  | ({ readonly on: 'failed' } & Heard)
  /** The connection by which it was reached is gone. */
  | { readonly on: 'lost' };

interface Heard {
  /** 408 for silence, 503 for a broken connection. */
  readonly status: number;
  /** Why, where that is known better. */
  readonly why?: string;
  /** Milliseconds for which it wants to be left alone. */
  readonly rest?: number;
}

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
    registeredAt: 0,
    silent: false,
    restUntil: 0,
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
      else answers(state, now, out);
      state.probeDue = Math.max(state.restUntil, now + (state.at === 'down' ? wait(state) : state.probeEvery));
      return;
    case 'works':
      state.restUntil = 0;
      works(state, out);
      return;
    case 'failed':
      failed(state, input, now, out);
      if (state.probeEvery > 0) state.probeDue = Math.max(state.restUntil, Math.min(state.probeDue, now + FIRST_WAIT));
      return;
    case 'lost':
      // It may be the only way back to us (RFC 5626 section 4.5).
      if (state.registered) {
        const soon = Math.max(now + FIRST_WAIT, state.registeredAt + REGISTERED_FOR);
        state.registerDue = Math.min(state.registerDue, soon);
      }
      return;
    case 'tick':
      tick(state, now, out);
  }
}

function registered(
  state: TrunkHealth,
  { seconds, least = 0, ...heard }: Heard & { readonly seconds: number; readonly least?: number },
  now: number,
  out: HealthOutput[],
): void {
  const { status } = heard;
  if (status >= 200 && status < 300) {
    state.registered = true;
    state.registeredAt = now;
    state.silent = false;
    state.registerDue = now + Math.max(10, seconds) * 500;
    answers(state, now, out);
    if (state.probeEvery > 0) state.probeDue = Math.max(state.restUntil, now + state.probeEvery);
    return;
  }
  if (status === 423 && least > state.expires && least <= EXPIRES_LIMIT) {
    // RFC 3261 section 10.2.8: at once, for longer.
    state.expires = least;
    register(state, out);
    return;
  }
  state.registered = false;
  failed(state, heard, now, out);
  state.registerDue = Math.max(state.restUntil, now + wait(state));
}

/** It said something to a question of ours. */
function answers(state: TrunkHealth, now: number, out: HealthOutput[]): void {
  if (state.registered && state.silent) {
    state.silent = false;
    register(state, out);
  }
  if (now >= state.restUntil) works(state, out);
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

function failed(state: TrunkHealth, { status, why, rest = 0 }: Heard, now: number, out: HealthOutput[]): void {
  const [was, before] = [state.at, state.cause];
  state.failures++;
  state.at = 'down';
  state.cause = why ?? (status === 408 ? 'no answer' : `answered ${status}`);
  state.silent ||= status === 408;
  state.restUntil = Math.max(state.restUntil, now + Math.min(rest, REST_LIMIT));
  const forgiven = Math.max(state.restUntil, now + FORGIVEN_AFTER);
  state.forgiveDue = state.registers || state.probeEvery > 0 ? NEVER : forgiven;
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
