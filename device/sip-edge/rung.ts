/** Whom a call inside the house rang, and what became of each; pure. The cloud makes a record of every one. */
import { better, ELSEWHERE, reasonOf } from '#shared/call/outcome.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';

/** A line of the house that was rung; without `reason` it may still answer. */
export interface Rung {
  readonly line: string;
  readonly number: string;
  /** By the `RecordClock`, ms. */
  readonly endedAt?: number;
  readonly reason?: string;
  /** The best final response of its phones so far. */
  readonly best?: number;
}

/** More lines ring. What rang before is over, for this reason. */
export function ringsNow(
  before: readonly Rung[],
  lines: readonly { readonly id: string; readonly number: string }[],
  reason: string,
  now: number,
): Rung[] {
  return [
    ...before.map((one) => (one.reason === undefined ? { ...one, endedAt: now, reason } : one)),
    ...lines.map(({ id, number }) => ({ line: id, number })),
  ];
}

/** A phone of the line refused; `last`: none of that line rings any more, so that for it the call is over. */
export function refusedBy(before: readonly Rung[], line: string, status: number, last: boolean, now: number): Rung[] {
  return before.map((one) => {
    if (one.line !== line || one.reason !== undefined) return one;
    const best = better(one.best, status);
    return last ? { ...one, best, endedAt: now, reason: reasonOf(best) } : { ...one, best };
  });
}

/** One of them answered, or somebody picked the call up: for the others it is over. */
export function answeredBy(
  before: readonly Rung[],
  by: { readonly id: string; readonly number: string },
  now: number,
): Rung[] {
  const at = before.findLastIndex((one) => one.line === by.id && one.reason === undefined);
  const others = before.map((one, n) =>
    n === at || one.reason !== undefined ? one : { ...one, endedAt: now, reason: ELSEWHERE },
  );
  return at < 0 ? [...others, { line: by.id, number: by.number }] : others;
}

/** All but the one that the call is told by, as the cloud is told of them. */
export function othersOf(
  rung: readonly Rung[],
  main: string,
  reason: string,
  now: number,
): NonNullable<VerbRequest<'voice.report'>['also']> {
  const told = rung.findLastIndex((one) => one.line === main);
  return rung
    .filter((_, n) => n !== told)
    .map((one) => ({ to: one.number, endedAt: Math.floor(one.endedAt ?? now), reason: one.reason ?? reason }));
}
