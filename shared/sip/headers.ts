/**
 * The header fields that the stack knows: canonical spelling, compact form, and whether values may be joined by commas or
 * may come only once. Numbers stand for names inside the parser; 0 is a name not in this table, which is carried as it came.
 */

import { own } from './params.ts';

/** One known header field. `id` is its place in the table, from 1. */
export interface HeaderKind {
  readonly id: number;
  readonly name: string;
  readonly lower: string;
  /** Values may stand in one line, separated by commas (RFC 3261 section 7.3.1). */
  readonly list: boolean;
  /** More than one value is a fault (RFC 3261 section 20, RFC 4475 section 3.3.8). */
  readonly single: boolean;
}

type Rule = 'single' | 'list' | 'lines';

/** Those read in the hot path come first. Compact forms are those of IANA's SIP header registry. */
const TABLE: readonly (readonly [name: string, rule: Rule, compact?: string])[] = [
  ['Via', 'list', 'v'],
  ['From', 'single', 'f'],
  ['To', 'single', 't'],
  ['Call-ID', 'single', 'i'],
  ['CSeq', 'single'],
  ['Max-Forwards', 'single'],
  ['Contact', 'list', 'm'],
  ['Content-Length', 'single', 'l'],
  ['Content-Type', 'single', 'c'],
  ['Route', 'list'],
  ['Record-Route', 'list'],
  ['Expires', 'single'],
  ['Content-Disposition', 'single'],
  ['Date', 'single'],
  ['Event', 'single', 'o'],
  ['MIME-Version', 'single'],
  ['Min-Expires', 'single'],
  ['Min-SE', 'single'],
  ['Organization', 'single'],
  ['Priority', 'single'],
  ['RAck', 'single'],
  ['RSeq', 'single'],
  ['Refer-To', 'single', 'r'],
  ['Referred-By', 'single', 'b'],
  ['Reply-To', 'single'],
  ['Retry-After', 'single'],
  ['Server', 'single'],
  ['Session-Expires', 'single', 'x'],
  ['Subject', 'single', 's'],
  ['Timestamp', 'single'],
  ['User-Agent', 'single'],
  ['Join', 'single'],
  ['Replaces', 'single'],
  ['Subscription-State', 'single'],
  ['SIP-ETag', 'single'],
  ['SIP-If-Match', 'single'],
  ['Max-Breadth', 'single'],
  ['Identity', 'lines', 'y'],
  ['Accept', 'list'],
  ['Accept-Contact', 'list', 'a'],
  ['Accept-Encoding', 'list'],
  ['Accept-Language', 'list'],
  ['Alert-Info', 'list'],
  ['Allow', 'list'],
  ['Allow-Events', 'list', 'u'],
  ['Authentication-Info', 'lines'],
  ['Authorization', 'lines'],
  ['Call-Info', 'list'],
  ['Content-Encoding', 'list', 'e'],
  ['Content-Language', 'list'],
  ['Diversion', 'list'],
  ['Error-Info', 'list'],
  ['Geolocation', 'list'],
  ['History-Info', 'list'],
  ['In-Reply-To', 'list'],
  ['P-Asserted-Identity', 'list'],
  ['P-Preferred-Identity', 'list'],
  ['Path', 'list'],
  ['Privacy', 'lines'],
  ['Proxy-Authenticate', 'lines'],
  ['Proxy-Authorization', 'lines'],
  ['Proxy-Require', 'list'],
  ['Reason', 'list'],
  ['Reject-Contact', 'list', 'j'],
  ['Request-Disposition', 'list', 'd'],
  ['Require', 'list'],
  ['Service-Route', 'list'],
  ['Supported', 'list', 'k'],
  ['Unsupported', 'list'],
  ['WWW-Authenticate', 'lines'],
  ['Warning', 'list'],
];

/** Every known header field, in the order of their ids. */
export const HEADERS: readonly HeaderKind[] = TABLE.map(([name, rule], index) => ({
  id: index + 1,
  name,
  lower: name.toLowerCase(),
  list: rule === 'list',
  single: rule === 'single',
}));

const byLower = new Map<string, HeaderKind>();
for (const kind of HEADERS) {
  byLower.set(kind.lower, kind);
  const compact = TABLE[kind.id - 1]?.[2];
  if (compact !== undefined) byLower.set(compact, kind);
}

/** Spellings seen of known names, so that the usual ones cost one look-up; a hostile sender cannot make it grow further. */
const SPELLINGS = 512;
const bySpelling = new Map<string, HeaderKind>(byLower);
for (const kind of HEADERS) bySpelling.set(kind.name, kind);

/** The header field of that name in any case, long or compact; undefined where it is not in the table. */
export function headerKind(name: string): HeaderKind | undefined {
  const seen = bySpelling.get(name);
  if (seen !== undefined) return seen;
  const kind = byLower.get(name.toLowerCase());
  if (kind !== undefined && bySpelling.size < SPELLINGS) bySpelling.set(own(name), kind);
  return kind;
}

function idOf(name: string): number {
  const kind = byLower.get(name);
  if (kind === undefined) throw new Error(`no header ${name}`);
  return kind.id;
}

/** Ids of the fields that the stack itself reads. */
export const VIA = idOf('via');
export const FROM = idOf('from');
export const TO = idOf('to');
export const CALL_ID = idOf('call-id');
export const CSEQ = idOf('cseq');
export const MAX_FORWARDS = idOf('max-forwards');
export const CONTACT = idOf('contact');
export const CONTENT_LENGTH = idOf('content-length');
export const ROUTE = idOf('route');
export const RECORD_ROUTE = idOf('record-route');
export const EXPIRES = idOf('expires');
