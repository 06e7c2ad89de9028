/**
 * Session timers (RFC 4028): an established call is refreshed at half its interval by the side that both agreed on, and ends when no
 * refresh comes. What stands here decides; `call-session.ts` sends.
 */
import type { HeaderLine } from './build.ts';
import type { SipMessage } from './message.ts';
import { decimal } from './params.ts';
import type { SessionTimer } from './types.ts';

/** The least interval that we take, seconds (RFC 4028 section 5 allows none below 90). */
export const MIN_SE = 90;
/** The longest that is read, seconds. */
const LONGEST = 1_000_000;

/** Session-Expires as it came: seconds, and who refreshes as seen by the sender of the request. */
interface Wish {
  readonly seconds: number;
  readonly refresher: 'uac' | 'uas' | undefined;
}

const hasTimer = (message: SipMessage): boolean =>
  [...message.headerAll('Supported'), ...message.headerAll('Require')].some(
    (tag) => tag.trim().toLowerCase() === 'timer',
  );

const takesUpdate = (message: SipMessage): boolean =>
  message.headerAll('Allow').some((method) => method.trim() === 'UPDATE');

function wishOf(message: SipMessage): Wish | undefined {
  const value = message.header('Session-Expires') ?? message.header('x');
  if (value === undefined) return undefined;
  const [number = '', ...params] = value.split(';').map((part) => part.trim().toLowerCase());
  const seconds = decimal(number, LONGEST);
  if (seconds === undefined) return undefined;
  const said = params.find((part) => part.startsWith('refresher='))?.slice('refresher='.length);
  return { seconds, refresher: said === 'uac' || said === 'uas' ? said : undefined };
}

/** True where a request wants a shorter interval than we take, from a side that can be told so: 422 (section 9). */
export function tooShort(request: SipMessage): boolean {
  const wish = wishOf(request);
  return wish !== undefined && wish.seconds < MIN_SE && hasTimer(request);
}

/** The least interval that a 422 or a request asks for, seconds; undefined where it says none that we would take. */
export function neededInterval(message: SipMessage): number | undefined {
  const least = decimal((message.header('Min-SE') ?? '').split(';')[0]?.trim() ?? '', LONGEST);
  return least !== undefined && least >= MIN_SE ? least : undefined;
}

/** The interval that a 422 to a request of ours asks for, seconds; undefined where it is none, or no more than we had said (section 7.4). */
export function lengthening(request: SipMessage | undefined, response: SipMessage): number | undefined {
  const needed = response.status === 422 ? neededInterval(response) : undefined;
  const said = request === undefined ? undefined : wishOf(request)?.seconds;
  return needed !== undefined && said !== undefined && needed > said ? needed : undefined;
}

/** What goes into an INVITE or UPDATE of ours; as refresher of a session that has a timer we say so (section 7.1). `least`: what a 422 asked for (section 7.4). */
export function offerTimer(seconds: number, current?: SessionTimer, least?: number): HeaderLine[] {
  const interval = Math.max(least ?? 0, current === undefined ? seconds : Math.round(current.interval / 1000));
  const role = current === undefined ? '' : `;refresher=${current.refresher === 'us' ? 'uac' : 'uas'}`;
  return [
    ['Session-Expires', `${interval}${role}`],
    ['Min-SE', String(least ?? MIN_SE)],
  ];
}

/**
 * What the 2xx to a request says, and the timer that runs from then on (section 9): the asker's wish where it made one, ours where it
 * did not; a side that knows no timers leaves the refreshing to us.
 */
export function answerTimer(
  request: SipMessage,
  seconds: number,
): { readonly headers: readonly HeaderLine[]; readonly timer: SessionTimer } | undefined {
  const able = hasTimer(request);
  const wish = wishOf(request);
  if (!able && wish === undefined) return undefined;
  // Never shorter than the asker takes.
  const least = neededInterval(request) ?? MIN_SE;
  const interval = Math.max(least, wish === undefined ? seconds : Math.min(wish.seconds, seconds));
  // Table 2: without support there it is always the answerer; else as asked, and the asker by default.
  const role = able ? (wish?.refresher ?? 'uac') : 'uas';
  const headers: HeaderLine[] = [['Session-Expires', `${interval};refresher=${role}`]];
  // Who does not refresh has to end a call that nobody refreshes, and so has to read it too.
  if (able) headers.push(['Require', 'timer']);
  const refresher = role === 'uas' ? 'us' : 'them';
  return { headers, timer: { interval: interval * 1000, refresher, byUpdate: takesUpdate(request) } };
}

/** The timer that a 2xx to our request agrees to; undefined where it names none: the session has no timer (section 7.2). */
export function agreedTimer(response: SipMessage): SessionTimer | undefined {
  const wish = wishOf(response);
  if (wish === undefined || wish.seconds < MIN_SE) return undefined;
  const refresher = wish.refresher === 'uas' ? 'them' : 'us';
  return { interval: wish.seconds * 1000, refresher, byUpdate: takesUpdate(response) };
}

/** When a refresher refreshes: at half the interval (section 7.2). */
export const refreshIn = ({ interval }: SessionTimer): number => interval / 2;

/** When a call without a refresh ends: before its interval is over, by a third of it but 32 s at the most (section 10). */
export const expireIn = ({ interval }: SessionTimer): number => interval - Math.min(32_000, interval / 3);
