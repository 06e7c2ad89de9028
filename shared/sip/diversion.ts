/**
 * Who sent a call on before it came here: the Diversion header field (RFC 5806), and what it has in common with History-Info
 * (`history-info.ts`). Pure.
 */
import type { SipMessage } from './message.ts';
import { decimal } from './params.ts';
import { privacyOf } from './privacy.ts';
import { parseNameAddr, parseUri, writeNameAddr, writeUri } from './uri.ts';

/** Each reason with its `cause` in History-Info (RFC 4458 section 3.2, RFC 7544 section 4). */
export const CAUSES = {
  unconditional: 302,
  'user-busy': 486,
  'no-answer': 408,
  deflection: 480,
  unavailable: 503,
  unknown: 404,
  'do-not-disturb': 404,
  'time-of-day': 404,
  'follow-me': 404,
  'out-of-service': 404,
  away: 404,
} as const;

export type DiversionReason = keyof typeof CAUSES;

/** One time that a call was sent on. */
export interface Diverted {
  /** Who sent it on; a number, or another user as it came. */
  readonly number: string;
  readonly reason: DiversionReason;
  /** The number is withheld from those who are called. */
  readonly hidden?: boolean;
  /** Times for which it stands; default 1. */
  readonly count?: number;
}

/** Entries of a header field that are read, characters of a user, and the highest count of one entry. */
export const ENTRIES = 20;
export const USER_LIMIT = 64;
const COUNT_LIMIT = 100;

export function isReason(text: string): text is DiversionReason {
  return Object.hasOwn(CAUSES, text);
}

/** The same, with every number withheld. */
export function withheld(list: readonly Diverted[]): Diverted[] {
  return list.map((one) => ({ ...one, hidden: true }));
}

/** Times that a call was sent on. */
export function timesOf(list: readonly Diverted[]): number {
  return list.reduce((sum, { count = 1 }) => sum + count, 0);
}

/** The Diversion header fields, the oldest first; malformed values are left out. */
export function readDiversion(message: SipMessage): Diverted[] {
  const { history: wholly } = privacyOf(message);
  const values = message.headerAll('Diversion').slice(0, ENTRIES);
  return values
    .flatMap((value): Diverted[] => {
      const address = parseNameAddr(value);
      const user = address === undefined ? undefined : parseUri(address.uri)?.user;
      if (address === undefined || user === undefined || user.length > USER_LIMIT) return [];
      const reason = address.params.get('reason')?.toLowerCase() ?? '';
      const privacy = address.params.get('privacy')?.toLowerCase() ?? 'off';
      const count = decimal(address.params.get('counter') ?? '1', COUNT_LIMIT) ?? COUNT_LIMIT;
      return [
        {
          ...{ number: userPart(user), reason: isReason(reason) ? reason : 'unknown' },
          ...(privacy === 'off' && !wholly ? {} : { hidden: true }),
          ...(count > 1 ? { count } : {}),
        },
      ];
    })
    .reverse();
}

export interface Teller {
  readonly domain: string;
  /** Withheld numbers may be told: the next hop is believed to keep them (RFC 3325 section 5). */
  readonly trusted: boolean;
}

/** Instead of a number that is withheld (RFC 3323 section 4.1.1.3, RFC 7044 section 10.1.2). */
export const NOBODY = { scheme: 'sip', user: 'anonymous', host: 'anonymous.invalid' };

/** Values of Diversion, in the order of the header field: the newest first. */
export function writeDiversion(list: readonly Diverted[], { domain, trusted }: Teller): string[] {
  return list
    .map(({ number, reason, hidden, count }) => {
      const who = hidden === true && !trusted ? NOBODY : { scheme: 'sip', user: number, host: domain };
      const uri = writeUri({ ...who, params: new Map() });
      const params = new Map([['reason', reason as string]]);
      if (count !== undefined) params.set('counter', String(count));
      if (hidden === true) params.set('privacy', 'full');
      return writeNameAddr({ display: '', uri, params });
    })
    .reverse();
}

/** The number without the parameters that may stand in the user part of a SIP URI (RFC 3261 section 19.1.6). */
export function userPart(user: string): string {
  const semicolon = user.indexOf(';');
  return semicolon < 0 ? user : user.slice(0, semicolon);
}
