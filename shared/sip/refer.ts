/**
 * Transfer: what a REFER asks for (RFC 3515 section 2.1, RFC 5589), the dialog that Replaces names (RFC 3891 section 3), and the
 * progress that NOTIFY tells as a fragment of a response (RFC 3420).
 */
import type { HeaderLine } from './build.ts';
import { USER_LIMIT, userPart } from './diversion.ts';
import type { SipMessage } from './message.ts';
import { decimal } from './params.ts';
import { reasonPhrase } from './status.ts';
import { NO_SHARING } from './subscription-end.ts';
import { parseNameAddr, parseUri, unescapeUri, writeNameAddr, writeUri } from './uri.ts';

/** A dialog as seen by who is to look it up: `toTag` is that one's own tag (RFC 3891 section 3). */
export interface DialogName {
  readonly callId: string;
  readonly toTag: string;
  readonly fromTag: string;
  /** Only where the dialog is still early. */
  readonly earlyOnly: boolean;
}

export interface Referral {
  /** Whom to call: the URI without its headers and method. */
  readonly uri: string;
  /** The dialog that the new call takes over: an attended transfer. */
  readonly replaces?: DialogName;
  /** The referrer wants no NOTIFY (RFC 4488). */
  readonly silent: boolean;
}

/** Reads a Replaces or Join value: `call-id;to-tag=…;from-tag=…`; undefined where a part is missing or stands twice. */
export function readDialogName(value: string): DialogName | undefined {
  const [callId = '', ...params] = value.split(';').map((part) => part.trim());
  const read = (name: string): string | undefined => {
    const found = params.filter((part) => part.toLowerCase().startsWith(`${name}=`));
    return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
  };
  const [toTag, fromTag] = [read('to-tag'), read('from-tag')];
  if (callId === '' || toTag === undefined || fromTag === undefined) return undefined;
  return { callId, toTag, fromTag, earlyOnly: params.some((part) => part.toLowerCase() === 'early-only') };
}

/** Whether a name means that tag: `0` is also an end that speaks RFC 2543 and has none (RFC 3891 section 3). */
export const isTag = (named: string, tag: string | undefined): boolean =>
  named === tag || (named === '0' && tag === '');

export function writeDialogName(name: Omit<DialogName, 'earlyOnly'>): string {
  return `${name.callId};to-tag=${name.toTag};from-tag=${name.fromTag}`;
}

/**
 * What a REFER asks for, or the status with which it is refused: exactly one Refer-To (400), a URI that we can call, by INVITE alone (else
 * 603: 404 and 416 would speak of the call that it came in, RFC 5057 section 5.1).
 */
export function readRefer(message: SipMessage): Referral | { readonly refuse: number } {
  const values = message.headerAll('Refer-To');
  const [value] = values;
  const address = value === undefined || values.length > 1 ? undefined : parseNameAddr(value);
  if (address === undefined) return { refuse: 400 };
  const uri = parseUri(address.uri);
  if (uri === undefined) return { refuse: 400 };
  if (uri.scheme !== 'sip' && uri.scheme !== 'sips' && uri.scheme !== 'tel') return { refuse: 603 };
  const method = uri.params.get('method') ?? 'INVITE';
  if (method.toUpperCase() !== 'INVITE') return { refuse: 603 };
  const silent = message.header('Refer-Sub')?.trim().toLowerCase().startsWith('false') === true;
  const wanted = replacesIn(uri.headers);
  if (wanted === null) return { refuse: 400 };
  uri.params.delete('method');
  delete uri.headers;
  return { uri: writeUri(uri), silent, ...(wanted === undefined ? {} : { replaces: wanted }) };
}

/** Headers of the 2xx to a REFER: whoever wants no NOTIFY and gets none has to be told so (RFC 4488 section 4). */
export const referAccepted = (silent: boolean): readonly HeaderLine[] => (silent ? [['Refer-Sub', 'false']] : []);

/** The dialog named by `?Replaces=…`; null where that is malformed. Other headers of the URI are none of ours to send. */
function replacesIn(headers: string | undefined): DialogName | null | undefined {
  const [named, ...more] = (headers?.split('&') ?? []).filter((pair) => /^replaces=/i.test(pair));
  if (named === undefined) return undefined;
  const value = more.length > 0 ? undefined : unescapeUri(named.slice(named.indexOf('=') + 1));
  return (value === undefined ? undefined : readDialogName(value)) ?? null;
}

/** Who transferred the call, as the one Referred-By says (RFC 3892 section 3): a number, or another user. Its word proves nothing by itself. */
export function readReferredBy(message: SipMessage): string | undefined {
  const [value, ...more] = message.headerAll('Referred-By');
  const address = value === undefined || more.length > 0 ? undefined : parseNameAddr(value);
  const user = address === undefined ? undefined : parseUri(address.uri)?.user;
  return user === undefined || user.length > USER_LIMIT ? undefined : userPart(user);
}

/** Referred-By for a number; none where nobody is to be named. */
export function referredBy(number: string | undefined, domain: string): readonly HeaderLine[] {
  if (number === undefined) return [];
  const uri = writeUri({ scheme: 'sip', user: number, host: domain, params: new Map() });
  return [['Referred-By', writeNameAddr({ display: '', uri, params: new Map() })]];
}

/** Seconds for which a transfer may be told of: longer than a call can ring that is sent on as often as it may be, a minute each time. */
export const TOLD_FOR = 600;

/** How news of a transfer stands: until its final status, or ended before by who asked for it (`timeout`, RFC 6665 section 4.1.2.3). */
const stateOf = (status: number): string =>
  status < 200 ? `active;expires=${TOLD_FOR}` : 'terminated;reason=noresource';

/**
 * Headers and body of a NOTIFY that says how far a transfer is; a final status ends the subscription. `id`: the sequence number of the
 * REFER, where it was not the first of its dialog (RFC 3515 section 2.4.6).
 */
export function referProgress(
  status: number,
  id?: number,
  state = stateOf(status),
): { readonly headers: readonly HeaderLine[]; readonly body: string } {
  return {
    headers: [
      ['Event', id === undefined ? 'refer' : `refer;id=${id}`],
      ['Subscription-State', state],
    ],
    body: `SIP/2.0 ${status} ${reasonPhrase(status)}\r\n`,
  };
}

/**
 * What a SUBSCRIBE inside a call asks of the news of a transfer, with the answer: there has to be one, known by that number (else 403, RFC
 * 3515 section 2.4.4). It lasts for as long as the transfer; who wants it for less is told so (423), and by zero it ends.
 */
export function renewsNews(
  message: SipMessage,
  told: { readonly id: number | undefined } | undefined,
): { readonly status: number; readonly headers: readonly HeaderLine[]; readonly state?: string } {
  const [event = '', ...params] = (message.header('Event') ?? '').split(';').map((part) => part.trim().toLowerCase());
  const id = params.find((one) => one.startsWith('id='))?.slice(3);
  if (event !== 'refer') return { status: 403, headers: [NO_SHARING] };
  if (told === undefined || (id !== undefined && id !== String(told.id))) return { status: 403, headers: [] };
  const expires = decimal(message.header('Expires')?.trim() ?? '', TOLD_FOR) ?? TOLD_FOR;
  if (expires === 0) return { status: 200, headers: [['Expires', '0']], state: 'terminated;reason=timeout' };
  if (expires < TOLD_FOR) return { status: 423, headers: [['Min-Expires', String(TOLD_FOR)]] };
  return { status: 200, headers: [['Expires', String(TOLD_FOR)]], state: stateOf(100) };
}

/** The content type of `referProgress`. */
export const SIPFRAG = 'message/sipfrag;version=2.0';
