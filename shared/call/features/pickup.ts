/** A call that rings somewhere in the home and that another line of the home takes. */

/** A call that rings at a line. */
export interface RingingAt {
  readonly line: string;
  /** When the call began. */
  readonly since: number;
}

/** The call that has rung longest, at the line `at` or anywhere but at the taker's own. */
export function longestRinging<T extends RingingAt>(
  ringing: Iterable<T>,
  taker: string,
  at: string | undefined,
): T | undefined {
  let oldest: T | undefined;
  for (const one of ringing) {
    if (one.line === taker || (at ?? one.line) !== one.line) continue;
    if (oldest === undefined || one.since < oldest.since) oldest = one;
  }
  return oldest;
}
