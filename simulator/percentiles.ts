/** Percentiles of what was measured, and the gates that a run has to pass. Pure. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type MeasureName, measureNames } from './scenario.ts';

export interface Summary {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** The nearest-rank percentiles of some durations, ms. */
export function summary(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}

export interface Gate {
  readonly rank: 'p50' | 'p99' | 'max';
  /** Undefined: every measure. */
  readonly measure: MeasureName | undefined;
  /** Milliseconds. */
  readonly limit: number;
}

/** Reads `300` or `call-setup=300,pairing=5000`. */
export function readGates(rank: Gate['rank'], text: string): Result<Gate[], string> {
  const gates: Gate[] = [];
  for (const part of text.split(',')) {
    const match = /^(?:([a-z-]+)=)?([0-9]+(?:\.[0-9]+)?)$/.exec(part);
    const measure = measureNames.find((name) => name === match?.[1]);
    if (match === null || (match[1] !== undefined && measure === undefined))
      return err(`"${part}" is no gate: write MS or MEASURE=MS, with ${measureNames.join(', ')}`);
    gates.push({ rank, measure, limit: Number(match[2]) });
  }
  return ok(gates);
}

/** What the gates say to a run: failures where a measure is over its limit, warnings where a gate found nothing to judge. */
export function judge(
  gates: readonly Gate[],
  measured: ReadonlyMap<MeasureName, readonly number[]>,
): { readonly failures: string[]; readonly warnings: string[] } {
  const failures: string[] = [];
  const warnings: string[] = [];
  for (const { rank, measure, limit } of gates) {
    const names = measure === undefined ? [...measured.keys()] : [measure];
    for (const name of names) {
      const samples = measured.get(name) ?? [];
      if (samples.length === 0) {
        warnings.push(`${name} was not measured, so its ${rank} could not be judged`);
        continue;
      }
      const value = summary(samples)[rank];
      if (value > limit) failures.push(`${rank} of ${name} is ${value.toFixed(0)} ms, more than ${limit} ms`);
    }
    if (names.length === 0) warnings.push(`nothing was measured that a ${rank} could be judged of`);
  }
  return { failures, warnings };
}
