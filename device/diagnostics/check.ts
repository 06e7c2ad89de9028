/** What a check is: a pure judge over the gathered facts, with its place in the order of causes. */
import type { Facts } from './facts.ts';

export type Result = 'ok' | 'warn' | 'fail' | 'skipped';

export interface Verdict {
  readonly result: Result;
  /** What was seen. */
  readonly evidence: string;
  /** The likely cause and what to do next, for `warn` and `fail`. */
  readonly cause?: string;
  readonly next?: string;
}

export interface Check {
  /** `group.name`. */
  readonly id: string;
  /** The question that it answers. */
  readonly about: string;
  /** Checks without whose success this one says nothing; they stand before it in the table. */
  readonly needs?: readonly string[];
  judge(facts: Facts): Verdict;
}

export const ok = (evidence: string): Verdict => ({ result: 'ok', evidence });
export const warn = (evidence: string, cause: string, next: string): Verdict => ({
  result: 'warn',
  evidence,
  cause,
  next,
});
export const fail = (evidence: string, cause: string, next: string): Verdict => ({
  result: 'fail',
  evidence,
  cause,
  next,
});
/** It does not apply here, or was not asked for. */
export const skip = (evidence: string): Verdict => ({ result: 'skipped', evidence });

/** Milliseconds for people: `3 s`, `5 min`, `2 days`. */
export function span(ms: number): string {
  const s = Math.abs(ms) / 1000;
  if (s < 10) return `${Math.round(s * 10) / 10} s`;
  if (s < 120) return `${Math.round(s)} s`;
  if (s < 7_200) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3_600)} h`;
  return `${Math.round(s / 86_400)} days`;
}

export const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;

/** Octets for people. */
export const size = (octets: number): string =>
  octets < 1_048_576 ? `${Math.round(octets / 1024)} KiB` : `${Math.round(octets / 1_048_576)} MiB`;
