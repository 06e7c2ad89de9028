/** Where a call goes that its callee's line does not take: forwarding (CFU, CFB, CFNR, CFNRc) and the lines that follow in a hunt. */
import { type LineFeatures, NO_ANSWER_AFTER } from './document.ts';

/** Times that one call is sent on; then it ends as the last line left it. */
export const FORWARD_LIMIT = 5;

/** Where every call goes; undefined: to the line itself. Do not disturb keeps the phones quiet and lets forwarding be. */
export function forwardAlways(features: LineFeatures): string | undefined {
  return features.forward?.always;
}

/** Where a call goes that has ended so (a fault code) before anybody answered. `tried`: lines that were rung, by name as set. */
export function forwardAfter(features: LineFeatures, reason: string, tried: readonly string[]): string | undefined {
  const { forward, hunt = [] } = features;
  const next = hunt.find((line) => !tried.includes(line));
  switch (reason) {
    case 'callee_busy':
      return next ?? forward?.busy;
    case 'no_answer':
      return next ?? forward?.noAnswer;
    case 'callee_offline':
      return next ?? forward?.offline;
    default:
      return undefined;
  }
}

/** True where a call that is not taken may go on to somebody else. */
export function mayGoOn({ forward, hunt = [] }: LineFeatures): boolean {
  return hunt.length > 0 || [forward?.busy, forward?.noAnswer, forward?.offline].some((to) => to !== undefined);
}

/** Milliseconds for which the line's phones ring; undefined: as long as they may. */
export function ringsFor({ forward, hunt = [], noAnswerAfter = NO_ANSWER_AFTER }: LineFeatures): number | undefined {
  return forward?.noAnswer === undefined && hunt.length === 0 ? undefined : noAnswerAfter * 1000;
}
