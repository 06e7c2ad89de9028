/** What keeps a request from going round for ever, and from growing on its way (RFC 3261 section 8.1.1.6, RFC 5393). */
import type { SipMessage } from '../sip/message.ts';
import { decimal } from '../sip/params.ts';
import type { Target } from './call-types.ts';

/** RFC 3261 section 8.1.1.6. */
export const MAX_FORWARDS = 70;
/** Branches that a request without Max-Breadth may have at once; no request gets more from us (RFC 5393 section 5.3.3.3). */
export const MAX_BREADTH = 60;

/** What an INVITE that came in still may do. */
export interface Hops {
  /** Its Max-Forwards. */
  readonly left: number;
  /** Its Max-Breadth, where it has one. */
  readonly breadth?: number | undefined;
}

export function hopsOf(message: SipMessage): Hops {
  const said = message.header('Max-Breadth');
  const breadth = said === undefined ? undefined : Math.min(MAX_BREADTH, decimal(said, MAX_BREADTH) ?? MAX_BREADTH);
  return { left: message.maxForwards ?? MAX_FORWARDS, breadth };
}

/** Branches that ring at once: of ways that are tried one after the other only one does. */
export function widthOf<T>(targets: readonly Target<T>[]): number {
  return targets.reduce(
    (sum, { branches, oneByOne }) => sum + (oneByOne && branches.length > 0 ? 1 : branches.length),
    0,
  );
}

/**
 * The breadth that each of `width` branches gets, which together have no more than the request (RFC 5393 section 5.3.3); undefined where
 * nothing need be said: the request said nothing and is not forked. 0: it may not be forked so wide.
 */
export function shareOf(breadth: number | undefined, width: number): number | undefined {
  if (breadth === undefined && width <= 1) return undefined;
  return Math.floor((breadth ?? MAX_BREADTH) / Math.max(1, width));
}

/** The headers of the INVITE that follows from one with these hops. */
export function hopHeaders(hops: Hops | undefined, share: number | undefined): (readonly [string, string])[] {
  const headers: (readonly [string, string])[] = [];
  if (hops !== undefined) headers.push(['Max-Forwards', String(Math.max(0, hops.left - 1))]);
  if (share !== undefined) headers.push(['Max-Breadth', String(share)]);
  return headers;
}
