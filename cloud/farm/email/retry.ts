/** When a mail is tried again, and what an SMTP reply means for it. Pure. */

const MINUTE = 60_000;
/** Milliseconds before the second try; each further pause is twice the one before. */
export const FIRST_PAUSE = 5 * MINUTE;
export const LONGEST_PAUSE = 240 * MINUTE;
/** Milliseconds after which a mail that could not be delivered goes back (RFC 5321 section 4.5.4.1 asks for 4 to 5 days). */
export const GIVE_UP = 4 * 24 * 60 * MINUTE;

/** What came of one recipient of a delivery. */
export type Delivery =
  | { readonly is: 'delivered'; readonly reply: string; readonly server: string }
  | { readonly is: 'temporary'; readonly reply: string; readonly server?: string }
  | { readonly is: 'permanent'; readonly reply: string; readonly server?: string };

/** The moment of the next try after `attempts` tries, or undefined where the mail is given up. Wall clock, ms. */
export function nextTry(createdAt: number, attempts: number, now: number): number | undefined {
  if (now - createdAt >= GIVE_UP) return undefined;
  const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(attempts - 1, 10));
  return Math.min(now + pause, createdAt + GIVE_UP);
}

/** The enhanced status code of a reply (RFC 3463); where it has none, the class of its code says how bad it is. */
export function statusOf(reply: string, is: 'temporary' | 'permanent'): string {
  const found = /^\d{3}[ -]([245]\.\d{1,3}\.\d{1,3})\b/.exec(reply)?.[1];
  if (found !== undefined) return found;
  return is === 'permanent' ? '5.0.0' : '4.0.0';
}
