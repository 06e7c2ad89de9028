/** Where a call goes that its callee's line does not take: forwarding (CFU, CFB, CFNR, CFNRc) and the lines that follow in a hunt. */
import { type Forwards, type LineFeatures, NO_ANSWER_AFTER } from './document.ts';

/** Times that one call is sent on; then it ends as the last line left it. */
export const FORWARD_LIMIT = 5;

/** The forward that a call takes which ended so. */
const WAYS: ReadonlyMap<string, keyof Forwards> = new Map([
  ['callee_busy', 'busy'],
  ['no_answer', 'noAnswer'],
  ['callee_offline', 'offline'],
]);

/** Where every call goes; undefined: to the line itself. Do not disturb keeps the phones quiet and lets forwarding be. */
export function forwardAlways(features: LineFeatures): string | undefined {
  return features.forward?.always;
}

/**
 * Where a call goes that has ended so (a fault code) before anybody answered, one after the other: the lines of a hunt, then the forward.
 * Who declines a call does so for one line alone, and the hunt goes on; there is no forward for that.
 */
export function onward({ forward, hunt = [] }: LineFeatures, reason: string): string[] {
  if (reason === 'callee_declined') return [...new Set(hunt)];
  const way = WAYS.get(reason);
  if (way === undefined) return [];
  const last = forward?.[way];
  return [...new Set(last === undefined ? hunt : [...hunt, last])];
}

/** True where a call that is not taken may go on to somebody else. */
export function mayGoOn({ forward, hunt = [] }: LineFeatures): boolean {
  return hunt.length > 0 || [forward?.busy, forward?.noAnswer, forward?.offline].some((to) => to !== undefined);
}

/** Milliseconds for which the line's phones ring; undefined: as long as they may. */
export function ringsFor({ forward, hunt = [], noAnswerAfter = NO_ANSWER_AFTER }: LineFeatures): number | undefined {
  return forward?.noAnswer === undefined && hunt.length === 0 ? undefined : noAnswerAfter * 1000;
}
