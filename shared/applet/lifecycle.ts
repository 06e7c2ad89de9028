/**
 * Life of a guest as a pure machine: what its ends cost it, when it starts again, when it is throttled and when it is put away.
 * Times are monotonic milliseconds.
 */
import type { GuestEnd } from './sandbox.ts';

/** Milliseconds of CPU that a guest has per minute; unused ones are kept up to this much. */
export const CPU_PER_MINUTE = 1000;
/** Strikes within the window that put a guest into quarantine. */
export const STRIKES = 3;
export const STRIKE_WINDOW = 600_000;
/** A guest that has ended starts again after this long, twice as long after each strike. */
const RESTART_AFTER = 200;
/** CPU (ms) that a throttled guest must have earned before it goes on. */
const RESUME_AT = 100;

export type GuestState = 'starting' | 'running' | 'throttled' | 'crashed' | 'quarantined' | 'stopped';

export interface Life {
  readonly at: GuestState;
  /** Milliseconds of CPU left, as of `asOf`. */
  readonly allowance: number;
  readonly asOf: number;
  /** When it struck. */
  readonly strikes: readonly number[];
  /** Starts again then. */
  readonly restartAt?: number;
  /** May go on then. */
  readonly resumeAt?: number;
  /** Why it is as it is, for people. */
  readonly why?: string;
}

export function newLife(now: number): Life {
  return { at: 'starting', allowance: CPU_PER_MINUTE, asOf: now, strikes: [] };
}

function earned(life: Life, now: number): number {
  return Math.min(CPU_PER_MINUTE, life.allowance + ((now - life.asOf) * CPU_PER_MINUTE) / 60_000);
}

/** A turn took `ms` of CPU. */
export function afterTurn(life: Life, ms: number, now: number): Life {
  const allowance = earned(life, now) - ms;
  const { resumeAt: _, why: __, ...rest } = life;
  if (allowance > 0) return { ...rest, at: 'running', allowance, asOf: now };
  const wait = Math.ceil(((RESUME_AT - allowance) * 60_000) / CPU_PER_MINUTE);
  return {
    ...rest,
    at: 'throttled',
    allowance,
    asOf: now,
    resumeAt: now + wait,
    why: `it used more than ${CPU_PER_MINUTE} ms of CPU in a minute`,
  };
}

/** A throttled guest goes on. */
export function afterRest(life: Life, now: number): Life {
  const { resumeAt: _, why: __, ...rest } = life;
  return { ...rest, at: 'running', allowance: earned(life, now), asOf: now };
}

/** A guest has ended by itself. Another's fault costs it nothing. */
export function afterEnd(life: Life, why: GuestEnd, detail: string, now: number): Life {
  const strikes = life.strikes.filter((at) => now - at < STRIKE_WINDOW);
  const { resumeAt: _, ...rest } = life;
  if (why === 'host-lost') return { ...rest, at: 'crashed', strikes, restartAt: now, why: detail };
  strikes.push(now);
  const told = `${why}: ${detail}`;
  if (strikes.length >= STRIKES) {
    const { restartAt: __, ...still } = rest;
    return { ...still, at: 'quarantined', strikes, why: `${told} (${STRIKES} times within 10 minutes)` };
  }
  return { ...rest, at: 'crashed', strikes, restartAt: now + RESTART_AFTER * 2 ** (strikes.length - 1), why: told };
}

export function afterRestart(life: Life): Life {
  const { restartAt: _, ...rest } = life;
  return { ...rest, at: 'starting' };
}
