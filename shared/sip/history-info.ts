/** The History-Info header field (RFC 7044) as far as it tells who sent a call on, with the causes of RFC 4458. Pure. */
import {
  CAUSES,
  type DiversionReason,
  type Diverted,
  ENTRIES,
  NOBODY,
  readDiversion,
  type Teller,
  timesOf,
  USER_LIMIT,
  userPart,
} from './diversion.ts';
import type { SipMessage } from './message.ts';
import { decimal } from './params.ts';
import { privacyOf } from './privacy.ts';
import { type NameAddr, parseNameAddr, parseUri, type SipUri, unescapeUri, writeNameAddr, writeUri } from './uri.ts';

interface Entry {
  readonly index: readonly number[];
  /** Index of the entry that this one was made from, as it was said. */
  readonly from?: string;
  readonly user: string;
  readonly cause?: number;
  /** Another user than that of the entry it was made from. */
  readonly moved: boolean;
  /** Why the user of this entry did not take the call: the response that came from there. */
  readonly responded?: DiversionReason;
  readonly hidden: boolean;
}

/** Numbers of an index, and the highest of each. */
const DEPTH = 16;
const HIGHEST = 999;

/** What RFC 7544 section 4.2 makes of a cause. */
const REASONS: ReadonlyMap<number, DiversionReason> = new Map([
  [302, 'unconditional'],
  [486, 'user-busy'],
  [408, 'no-answer'],
  [480, 'deflection'],
  [487, 'deflection'],
  [503, 'unavailable'],
]);

/** What a response makes of it, where no cause says more. */
function reasonFor(status: number): DiversionReason {
  if (status < 400) return 'deflection';
  if (status === 486 || status === 600) return 'user-busy';
  if (status === 408 || status === 480 || status === 487) return 'no-answer';
  return status === 503 ? 'unavailable' : 'unknown';
}

/** Who sent the call on, the oldest first; malformed values are left out. */
export function readHistory(message: SipMessage): Diverted[] {
  const { history: wholly } = privacyOf(message);
  const entries = message.headerAll('History-Info').slice(0, ENTRIES).flatMap(readEntry);
  const byIndex = new Map(entries.map((entry) => [entry.index.join('.'), entry]));
  const sorted = entries.toSorted((a, b) => order(a.index, b.index));
  return sorted.flatMap(({ index, from, cause, moved }, at): Diverted[] => {
    const who = byIndex.get(from ?? '') ?? byIndex.get(index.slice(0, -1).join('.'));
    if (who === undefined || (cause === undefined && !moved)) return [];
    const reason = cause === undefined ? respondedAt(sorted.slice(0, at), who) : REASONS.get(cause);
    return [{ number: who.user, reason: reason ?? 'unknown', ...(wholly || who.hidden ? { hidden: true } : {}) }];
  });
}

/** The last response from where the user of an entry was rung: its own, or that of an entry below it. */
function respondedAt(before: readonly Entry[], { index }: Entry): DiversionReason | undefined {
  return before.findLast((one) => one.responded !== undefined && index.every((n, i) => one.index[i] === n))?.responded;
}

function readEntry(value: string): Entry[] {
  const address = parseNameAddr(value);
  const uri = address === undefined ? undefined : parseUri(address.uri);
  const index = indexOf(address?.params.get('index'));
  if (address === undefined || uri === undefined || index === undefined) return [];
  const user = userPart(uri.user ?? uri.host);
  if (user.length > USER_LIMIT) return [];
  const cause = decimal(uri.params.get('cause') ?? '', 699);
  const mapped = address.params.get('mp');
  const from = mapped ?? address.params.get('rc');
  const status = /(?:^|&)reason=sip\s*;[^&]*?cause=(\d{3})(?!\d)/.exec(headersOf(uri))?.[1];
  return [
    {
      ...{ index, user, hidden: hides(uri, address), moved: mapped !== undefined },
      ...(status === undefined ? {} : { responded: reasonFor(Number(status)) }),
      ...(cause === undefined ? {} : { cause }),
      ...(from === undefined ? {} : { from }),
    },
  ];
}

/** `Privacy` among the headers of the URI (RFC 7044 section 10.1.2); an entry that was made anonymous has nobody's name. */
function hides(uri: SipUri, { params }: NameAddr): boolean {
  return /(?:^|&)privacy=(?!none)/.test(headersOf(uri)) || params.has('privacy') || uri.host === 'anonymous.invalid';
}

const headersOf = (uri: SipUri): string => unescapeUri(uri.headers ?? '')?.toLowerCase() ?? '';

/** `1.2.1`; undefined for anything else. */
function indexOf(text = ''): number[] | undefined {
  const parts = text.split('.');
  if (parts.length > DEPTH) return undefined;
  const numbers = parts.flatMap((part) => decimal(part, HIGHEST) ?? []);
  return numbers.length === parts.length ? numbers : undefined;
}

function order(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? -1) - (b[i] ?? -1);
    if (difference !== 0) return difference;
  }
  return 0;
}

export interface HistoryTarget extends Teller {
  /** Who is called now. */
  readonly called: string;
}

/** Values of History-Info, in order; none where nobody sent the call on. */
export function writeHistory(list: readonly Diverted[], { called, domain, trusted }: HistoryTarget): string[] {
  const [first] = list;
  if (first === undefined) return [];
  const [address, plain] = [entryUri(domain, trusted), { number: called }];
  const values = [writeEntry(address(first), new Map([['index', '1']]))];
  let [index, children] = ['1', 0];
  list.forEach(({ number, reason }, i) => {
    const next = list[i + 1];
    children += 1;
    // Who sends a call on again: whom it rang in between is its own affair (RFC 7044 section 10.3 lets an index be missing).
    if (next !== undefined && next.number === number) return;
    const made = `${index}.${children}`;
    const params = new Map([['index', made] as const, ['mp', index] as const]);
    values.push(writeEntry(address(next ?? plain, CAUSES[reason]), params));
    [index, children] = [made, 0];
  });
  return values;
}

/** All that came with a call, the oldest first: by History-Info, or by Diversion where that tells of more times, or of more reasons. */
export function diversionsOf(message: SipMessage): Diverted[] {
  const [diversion, history] = [readDiversion(message), readHistory(message)];
  const more = timesOf(diversion) - timesOf(history) || reasons(diversion) - reasons(history);
  return more > 0 ? diversion : history;
}

const reasons = (list: readonly Diverted[]): number => list.filter(({ reason }) => reason !== 'unknown').length;

/** Reasons that a response gave, with its status: they stand in the URI of who gave it (RFC 7044 section 10.2). */
const RESPONDED: ReadonlyMap<DiversionReason, number> = new Map([
  ['user-busy', 486],
  ['no-answer', 408],
  ['deflection', 302],
  ['unavailable', 503],
]);

type Named = Pick<Diverted, 'number' | 'hidden'> & { readonly reason?: DiversionReason };

/** The URI of somebody in the history; `cause` is why the call came to it. */
function entryUri(domain: string, trusted: boolean) {
  return ({ number, hidden, reason }: Named, cause?: number): string => {
    const params = new Map(cause === undefined ? [] : [['cause', String(cause)]]);
    if (hidden === true && !trusted) return writeUri({ ...NOBODY, params });
    const privacy = hidden === true ? ['Privacy=history'] : [];
    const status = reason === undefined ? undefined : RESPONDED.get(reason);
    const responded = status === undefined ? [] : [`Reason=SIP%3Bcause%3D${status}`];
    const headers = [...privacy, ...responded];
    const uri = { scheme: 'sip', user: number, host: domain, params };
    return writeUri({ ...uri, ...(headers.length === 0 ? {} : { headers: headers.join('&') }) });
  };
}

const writeEntry = (uri: string, params: Map<string, string>): string => writeNameAddr({ display: '', uri, params });
