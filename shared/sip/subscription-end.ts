/** What ends subscriptions, and what refuses them. */

import type { HeaderLine } from './build.ts';

/** Answers to a SUBSCRIBE or NOTIFY that end the subscription it was sent in (RFC 6665 sections 4.1.2.2 and 4.2.2). */
const ENDS: ReadonlySet<number> = new Set([
  ...[0, 404, 405, 408, 410, 416],
  ...[480, 481, 482, 483, 484, 485, 489],
  ...[501, 604],
]);

/** False for an answer that speaks of that one request alone; 0 stands for silence. */
export const endsSubscription = (status: number): boolean => ENDS.has(status);

/** Goes with the 403 for a subscription in the dialog of a call or of another one (RFC 6665 section 4.5.2). */
export const NO_SHARING: HeaderLine = ['Warning', '399 hl "A subscription needs a dialog of its own"'];
