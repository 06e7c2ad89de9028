/** When to try again: exponential with full jitter, so that a fleet that lost its cloud together comes back spread out. Pure. */

/** Upper end of the first wait, ms. */
export const BACKOFF_FIRST = 1000;
/** Upper end of every later wait, ms: a cloud that is back has its gateways within a minute. */
export const BACKOFF_LAST = 60_000;
/** Lower end of every wait, ms. */
export const BACKOFF_LEAST = 100;
/** A connection that was good for so long (ms) makes the next wait short again. */
export const BACKOFF_FORGET = 30_000;
/** As many failures count, at the most, after a connection that was good for less: a cloud that came back and fell again is near. */
export const BACKOFF_SERVED = 2;

/** Milliseconds to wait before try number `failures + 1`; `fraction` is a random number in [0, 1). */
export function backoff(failures: number, fraction: number): number {
  const ceiling = Math.min(BACKOFF_LAST, BACKOFF_FIRST * 2 ** Math.min(Math.max(failures, 1) - 1, 20));
  return BACKOFF_LEAST + fraction * (ceiling - BACKOFF_LEAST);
}
