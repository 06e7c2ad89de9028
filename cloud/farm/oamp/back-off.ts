/** Wrong pairing codes: five in a row are free, each further one doubles the wait: 1, 2, 4 … 64 minutes. Pure. */

export const FREE_TRIES = 5;
const MINUTE = 60_000;
const LONGEST = 64 * MINUTE;
/** After so long without a wrong try (ms) the count begins anew. */
export const FORGET_AFTER = 24 * 60 * MINUTE;

export interface Tries {
  /** Wrong codes in a row. */
  readonly wrong: number;
  /** Wall clock (ms) before which no further code is looked at. */
  readonly until: number;
  /** When the last wrong one came. */
  readonly at: number;
}

export const NO_TRIES: Tries = { wrong: 0, until: 0, at: 0 };

/** The tries after one more wrong code at wall time `now`. */
export function wrongTry(before: Tries, now: number): Tries {
  const wrong = (now - before.at > FORGET_AFTER ? 0 : before.wrong) + 1;
  const over = wrong - FREE_TRIES;
  return { wrong, until: over < 0 ? now : now + Math.min(LONGEST, MINUTE * 2 ** over), at: now };
}

/** Milliseconds for which no code may be tried; 0 when one may. A clock set back never makes the wait longer than it was. */
export function waitOf(tries: Tries, now: number): number {
  const whole = tries.until - tries.at;
  return Math.max(0, Math.min(whole, tries.until - now));
}
