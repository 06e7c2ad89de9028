/** How far a long piece of work is: a bar on a terminal, a line now and then elsewhere, events for programs. Pure. */
import { told } from './target.ts';

export interface Step {
  readonly phase: 'check' | 'write' | 'verify';
  /** Octets. */
  readonly done: number;
  readonly total: number | undefined;
  /** Milliseconds since the phase began. */
  readonly elapsed: number;
}

const NAMES = { check: 'Checking', write: 'Writing', verify: 'Reading back' } as const;
const WIDTH = 24;
/** Milliseconds between two signs of life, by kind. */
export const EVERY = { bar: 200, line: 5_000, json: 1_000 } as const;

/** Octets a second, and the seconds that are left at that rate; undefined while nobody can know, or where the end is not known. */
export function pace({ done, total, elapsed }: Step): { rate: number; left: number | undefined } | undefined {
  if (elapsed < 500 || done === 0) return undefined;
  const rate = (done * 1000) / elapsed;
  return { rate, left: total === undefined ? undefined : Math.ceil(Math.max(0, total - done) / rate) };
}

/** One line without its end: `Writing  [#####-----]  52 %  0.7 of 1.4 GB  21.3 MB/s  0:32 left`. */
export function progressLine(step: Step, bar: boolean): string {
  const now = pace(step);
  const speed = now === undefined ? '' : `  ${told(now.rate)}/s`;
  const name = NAMES[step.phase].padEnd(12);
  if (step.total === undefined) return `${name} ${told(step.done)}${speed}`;
  const part = step.total === 0 ? 1 : Math.min(1, step.done / step.total);
  const full = Math.floor(part * WIDTH);
  const drawn = bar ? ` [${'#'.repeat(full)}${'-'.repeat(WIDTH - full)}]` : '';
  const percent = `${Math.floor(part * 100)} %`.padStart(5);
  const left = now?.left === undefined ? '' : `  ${clock(now.left)} left`;
  return `${name}${drawn} ${percent}  ${told(step.done)} of ${told(step.total)}${speed}${left}`;
}

/** The same as an event for programs. */
export function progressEvent(step: Step): Readonly<Record<string, unknown>> {
  const now = pace(step);
  return {
    event: 'progress',
    phase: step.phase,
    done: step.done,
    ...(step.total === undefined ? {} : { total: step.total }),
    ...(now === undefined ? {} : { rate: Math.round(now.rate) }),
    ...(now?.left === undefined ? {} : { secondsLeft: now.left }),
  };
}

function clock(seconds: number): string {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${String(seconds % 60).padStart(2, '0')}`;
}
