/** What a failed attempt means: the best of several responses (RFC 3261 section 16.7), and the word under which a leg ends. */
import type { SipMessage } from '../sip/message.ts';
import type { NameAddr } from '../sip/uri.ts';

/** What tells the caller most comes first (RFC 3261 16.7 step 6); what speaks of our own request (`OURS`) tells it nothing. */
const RANK: ReadonlyMap<number, number> = new Map([
  [484, 0],
  [486, 1],
  [488, 2],
  [404, 3],
  [480, 5],
  [408, 6],
  [487, 7],
]);

function rank(status: number): number {
  const family = Math.floor(status / 100);
  if (family === 6) return 0;
  return family * 10 + (RANK.get(status) ?? 4);
}

/** The better of two final responses: any 6xx wins, else the lowest class. Of equal ones the first stays. */
export function better(a: number | undefined, b: number): number {
  return a === undefined || rank(b) < rank(a) ? b : a;
}

/**
 * Refusals that speak of the request which we wrote: challenges, and those whose meaning is in a header of the callee's (`Allow`,
 * `Unsupported`, `Require`, `Min-SE`: RFC 3261 sections 21.4.6, 21.4.15, 21.4.16), which is about us and not about the caller; so are the
 * place of the caller (424, RFC 6442), its signature (428, 436 to 438, RFC 8224) and who transferred (429, RFC 3892), which we wrote too.
 */
const OURS: ReadonlySet<number> = new Set([
  ...[401, 405, 407, 420, 421, 422, 423, 481, 487, 494],
  ...[424, 428, 429, 436, 437, 438],
]);

/**
 * What the caller is told for the callee's final response. A redirection is not handed on (the callee's phone must not
 * send a caller to any number it likes), nor what is meant for us; 503 would make the caller's phone shun us (RFC 3261 16.7).
 */
export function callerStatus(status: number): number {
  if (status < 400 || OURS.has(status)) return 480;
  // It does not take the description: in a 415 we would say what we take ourselves.
  if (status === 415) return 488;
  return status === 503 ? 500 : status;
}

/** Where a redirection leads (RFC 3261 section 8.1.3.4): the Contact that is wanted most, the first of equal ones. */
export function movedTo({ status, contacts }: SipMessage): string | undefined {
  if (status < 300 || status > 399) return undefined;
  const wanted = ({ params }: NameAddr) => Number(params.get('q') ?? 1);
  return contacts.toSorted((a, b) => wanted(b) - wanted(a))[0]?.uri;
}

/** True for a failure of the way and not of the callee: another way may lead there. */
export function isWayOut(status: number): boolean {
  return status === 401 || status === 403 || status === 407 || status === 408 || (status >= 500 && status < 600);
}

const REASONS: ReadonlyMap<number, string> = new Map([
  [404, 'callee_unknown'],
  [408, 'no_answer'],
  [433, 'caller_anonymous'],
  [480, 'callee_offline'],
  [484, 'callee_unknown'],
  [486, 'callee_busy'],
  [488, 'no_codec'],
  [503, 'server_unavailable'],
  [504, 'timeout'],
  [600, 'callee_busy'],
  [603, 'callee_declined'],
  [604, 'callee_unknown'],
  [606, 'no_codec'],
]);

/** The reason (fault code) for a final response of a phone. */
export function reasonOf(status: number): string {
  return REASONS.get(status) ?? (status >= 500 && status < 600 ? 'internal' : 'callee_offline');
}

/** Reasons beside the fault codes: `hangup` (a side ended it), `cancelled` (the caller gave up), `answered_elsewhere`, `moved` (a phone sent it on). */
export const HANGUP = 'hangup';
export const CANCELLED = 'cancelled';
export const ELSEWHERE = 'answered_elsewhere';
export const MOVED = 'moved';

/** The reason for which a party went away by itself; `why` as the endpoint says it. */
export function reasonOfEnd(why: string): string {
  if (why === 'cancel') return CANCELLED;
  if (why === 'bye') return HANGUP;
  return why === 'no-ack' || why === 'timeout' ? 'timeout' : 'lost';
}

/** Causes of ITU-T Q.850 for what ended a leg (RFC 3398 section 8.2.6.1, 3GPP TS 29.163 table 18); others: 31, normal, unspecified. */
const CAUSES: ReadonlyMap<string, number> = new Map([
  ['callee_unknown', 1],
  ['callee_busy', 17],
  ['no_answer', 19],
  ['callee_offline', 20],
  ['callee_declined', 21],
  ['destination_barred', 21],
  ['caller_anonymous', 24],
  ['server_unavailable', 41],
  ['internal', 41],
  ['no_codec', 88],
  ['timeout', 102],
]);

/** Value of a Reason header (RFC 3326) for a leg that we end. */
export function reasonHeader(reason: string): string {
  if (reason === ELSEWHERE) return 'SIP;cause=200;text="Call completed elsewhere"';
  if (reason === CANCELLED) return 'SIP;cause=487;text="Cancelled"';
  if (reason === HANGUP) return 'Q.850;cause=16;text="Normal call clearing"';
  return `Q.850;cause=${CAUSES.get(reason) ?? 31};text="${reason}"`;
}
