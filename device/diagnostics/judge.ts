/** Judges facts by the table of checks: a check whose ground is missing is skipped and says why; one check is the root of all. Pure. */
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import type { Check, Verdict } from './check.ts';
import { checks, groupOf } from './checks/table.ts';
import type { Facts } from './facts.ts';

export type CheckReport = VerbReply<'gateway.check.local'>;
export type CheckResult = CheckReport['items'][number];

/** Characters of a text in a result. */
const TEXT = 500;
const short = (text: string): string => (text.length > TEXT ? `${text.slice(0, TEXT - 1)}…` : text);

/** Every check's result, in the order of the table. */
export function judge(facts: Facts, table: readonly Check[] = checks): CheckResult[] {
  const done = new Map<string, CheckResult>();
  for (const check of table) {
    const lacking = (check.needs ?? []).map((id) => done.get(id)).find((one) => one !== undefined && isMissing(one));
    done.set(check.id, lacking === undefined ? result(check, check.judge(facts)) : skipped(check, lacking));
  }
  return [...done.values()];
}

/** A check that failed, or that was skipped since another failed. */
const isMissing = (one: CheckResult): boolean =>
  one.result === 'fail' || (one.result === 'skipped' && one.because !== undefined);

function skipped(check: Check, lacking: CheckResult): CheckResult {
  const because = lacking.because ?? lacking.id;
  return { ...result(check, { result: 'skipped', evidence: `skipped because ${because} failed` }), because };
}

function result({ id, about }: Check, { result: outcome, evidence, cause, next }: Verdict): CheckResult {
  return {
    id,
    group: groupOf(id),
    about,
    result: outcome,
    evidence: short(evidence),
    ...(cause === undefined ? {} : { cause: short(cause) }),
    ...(next === undefined ? {} : { next: short(next) }),
  };
}

/** The one check that explains the others: the first that failed, else the first that warns. */
export function rootOf(items: readonly CheckResult[]): CheckResult | undefined {
  return items.find((one) => one.result === 'fail') ?? items.find((one) => one.result === 'warn');
}

/** The report about some of the results: those of a group, or one; `took` in ms. */
export function reportOf(
  gateway: string,
  at: number,
  took: number,
  items: readonly CheckResult[],
  only: { readonly group?: string; readonly check?: string } = {},
): CheckReport {
  const shown = items.filter(
    (one) =>
      (only.group === undefined || one.group === only.group) && (only.check === undefined || one.id === only.check),
  );
  const count = (of: CheckResult['result']) => shown.filter((one) => one.result === of).length;
  const counts = { ok: count('ok'), warn: count('warn'), fail: count('fail'), skipped: count('skipped') };
  const root = rootOf(items)?.id;
  return {
    gateway,
    at,
    took: Math.max(0, Math.round(took)),
    result: counts.fail > 0 ? 'fail' : counts.warn > 0 ? 'warn' : 'ok',
    ...(root === undefined ? {} : { root }),
    counts,
    items: shown,
  };
}
