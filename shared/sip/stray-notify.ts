/** A NOTIFY that belongs to no subscription of ours (RFC 6665 section 4.1.3). Pure. */
import type { HeaderLine } from './build.ts';
import type { SipMessage } from './message.ts';

/**
 * How it is refused: 489 where its package is none of `packages` (with those that are), 400 where it does not say how the
 * subscription stands, and 481 else.
 */
export function refuseNotify(
  message: SipMessage,
  packages: readonly string[],
): { readonly status: 400 | 481 | 489; readonly headers: HeaderLine[] } {
  const event = (message.header('Event')?.split(';')[0] ?? '').trim().toLowerCase();
  if (!packages.includes(event)) return { status: 489, headers: [['Allow-Events', packages.join(', ')]] };
  return { status: message.header('Subscription-State') === undefined ? 400 : 481, headers: [] };
}
