/** When a delivery is tried again, and when it is given up. Pure. */

const SECOND = 1000;
/** Milliseconds that a delivery is tried for. */
export const GIVE_UP_AFTER = 24 * 3600 * SECOND;
/** Longest wait between two tries of one delivery, ms. */
const LONGEST_WAIT = 600 * SECOND;
/** Longest wait before a receiver that answers nothing is tried again, ms. */
const LONGEST_REST = 60 * SECOND;
/** Failures in a row after which a receiver counts as down. */
export const DOWN_AFTER = 3;

/** Milliseconds until the next try of a delivery that has failed `attempts` times; `jitter` in [0, 1) spreads it by a fifth. */
export function waitAfter(attempts: number, jitter: number): number {
  const wait = Math.min(LONGEST_WAIT, 5 * SECOND * 3 ** Math.min(attempts - 1, 10));
  return Math.round(wait * (0.8 + 0.4 * jitter));
}

/** Milliseconds for which a receiver is left alone after `failures` in a row; 0 while it does not count as down. */
export function restAfter(failures: number, jitter: number): number {
  if (failures < DOWN_AFTER) return 0;
  const rest = Math.min(LONGEST_REST, 2 * SECOND * 2 ** Math.min(failures - DOWN_AFTER, 10));
  return Math.round(rest * (0.8 + 0.4 * jitter));
}

/** Milliseconds that a `Retry-After` header in seconds asks for, at most an hour; 0 without one that can be read. */
export function retryAfter(header: string | undefined): number {
  return /^\d{1,6}$/.test(header ?? '') ? Math.min(3600, Number(header)) * SECOND : 0;
}
