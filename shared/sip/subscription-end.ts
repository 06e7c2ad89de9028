/** Which answers to a SUBSCRIBE or NOTIFY end the subscription that it was sent in (RFC 6665 sections 4.1.2.2 and 4.2.2). */

const ENDS: ReadonlySet<number> = new Set([
  ...[0, 404, 405, 408, 410, 416],
  ...[480, 481, 482, 483, 484, 485, 489],
  ...[501, 604],
]);

/** False for an answer that speaks of that one request alone; 0 stands for silence. */
export const endsSubscription = (status: number): boolean => ENDS.has(status);
