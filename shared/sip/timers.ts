/** The timers of RFC 3261 section 17 and table 4, in milliseconds. */

/** Round-trip estimate. */
export const T1 = 500;
/** Largest gap between retransmissions of non-INVITE requests and of INVITE responses. */
export const T2 = 4000;
/** Longest time that a message stays in the network. */
export const T4 = 5000;
/** Timers B, F, H, J, L and M: how long a transaction tries, or stays to absorb what is late. */
export const TRY_TIME = 64 * T1;
/** How long the user may take to answer an offer in UPDATE, PRACK or a reliable response: their sender waits twice as long (timer F). */
export const ANSWER_WITHIN = TRY_TIME / 2;
/** Timer D: at least 32 s over an unreliable transport. */
export const TIMER_D = 32_000;

/** A request other than INVITE gets 100 once its sender's timer E has grown to T2, and none before (RFC 4320 section 4.1). */
export const TRYING_AFTER = 7 * T1;

/** The next gap of timers E and G: doubled, at most T2. */
export function nextGap(gap: number): number {
  return Math.min(2 * gap, T2);
}
