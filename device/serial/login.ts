/** The lock of the serial console: the gateway's own code, with a brake on guessing. Pure. */

/** Wrong codes after which it waits, and for how long, ms: doubled up to the last. */
export const TRIES = 5;
export const FIRST_BRAKE = 30_000;
export const LAST_BRAKE = 15 * 60_000;

export interface Login {
  wrong: number;
  /** Monotonic ms before which no code is looked at. */
  until: number;
  brake: number;
}

export const newLogin = (): Login => ({ wrong: 0, until: 0, brake: FIRST_BRAKE });

/** Milliseconds that a person has to wait; 0: the next code is looked at. */
export const waitOf = (login: Login, now: number): number => Math.max(0, login.until - now);

/** Takes the verdict on a code; true opens. */
export function judgeLogin(login: Login, right: boolean, now: number): boolean {
  if (right) {
    Object.assign(login, newLogin());
    return true;
  }
  if (++login.wrong >= TRIES) {
    login.wrong = 0;
    login.until = now + login.brake;
    login.brake = Math.min(LAST_BRAKE, login.brake * 2);
  }
  return false;
}
