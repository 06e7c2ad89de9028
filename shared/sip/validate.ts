/**
 * What a parsed message must satisfy before anything acts on it: one table of rules for the header values, one for the whole
 * message. The same rules hold for datagrams and streams. A request that breaks one is answered with the rule's status; of
 * a response that breaks one `plainFinal` decides.
 */
import { HEADERS, headerKind } from './headers.ts';
import type { SipMessage } from './message.ts';
import { decimal, isDigits, isToken, parseParams, splitList } from './params.ts';
import { deltaSeconds } from './scalars.ts';
import { type NameAddr, parseNameAddr, parseUri } from './uri.ts';
import { isCallIdAt, isUsualMessage, type LineRule, VALUE_LIMIT } from './usual-message.ts';

export { VALUE_LIMIT } from './usual-message.ts';

export interface Verdict {
  readonly status: number;
  readonly reason: string;
}

export interface MessageRule {
  readonly status: number;
  readonly reason: string;
  /** Where the rule comes from. */
  readonly source: string;
  readonly of: 'request' | 'response' | 'both';
  broken(message: SipMessage): boolean;
}

/** `good` judges one value: of a list header each one, else the line. `whole`: the line, though it may be a list. */
export interface ValueRule extends LineRule {
  readonly header: string;
  readonly source: string;
}

const readable = (address: NameAddr | undefined): boolean =>
  address !== undefined && parseUri(address.uri) !== undefined && address.params.get('tag') !== '';

const isService = (uri: string): boolean => uri.toLowerCase().startsWith('urn:service:sos');

/** A hop: name-addr with a sip or sips URI. */
function isHop(value: string): boolean {
  const address = value.includes('<') ? parseNameAddr(value) : undefined;
  const uri = address && parseUri(address.uri);
  return uri?.scheme === 'sip' || uri?.scheme === 'sips';
}

/** Call-ID and two tags, of Join (RFC 3911 section 7.1) and Replaces (RFC 3891 section 6.1). */
function isDialogId(value: string): boolean {
  const at = value.indexOf(';');
  const params = at > 0 ? parseParams(value, at) : undefined;
  return params?.get('to-tag') !== undefined && params.get('from-tag') !== undefined;
}

function isMediaType(value: string): boolean {
  if (value === 'application/sdp') return true;
  const semicolon = value.indexOf(';');
  const slash = value.indexOf('/');
  const end = semicolon < 0 ? value.length : semicolon;
  if (slash < 0 || slash > end) return false;
  if (semicolon >= 0 && parseParams(value, semicolon) === undefined) return false;
  return isToken(value.slice(0, slash).trim()) && isToken(value.slice(slash + 1, end).trim());
}

/** Option tags and methods: tokens separated by commas, or nothing at all. */
function isTokenList(line: string): boolean {
  if (!line.includes(',') && !line.includes(' ') && !line.includes('\t')) return line === '' || isToken(line);
  return splitList(line).every((value) => value === '' || isToken(value));
}

/** Header values beyond those of the message rules. Absent headers are no fault here. */
export const VALUE_RULES: readonly ValueRule[] = [
  { header: 'Route', source: 'RFC 3261 section 20.34', good: isHop },
  { header: 'Record-Route', source: 'RFC 3261 section 20.30', good: isHop },
  { header: 'Path', source: 'RFC 3327 section 4', good: isHop },
  { header: 'Service-Route', source: 'RFC 3608 section 5', good: isHop },
  {
    header: 'Max-Forwards',
    source: 'RFC 3261 section 20.22',
    good: (value) => decimal(value, 255) !== undefined,
  },
  {
    header: 'Max-Breadth',
    source: 'RFC 5393 section 5.2',
    good: isDigits,
  },
  {
    header: 'Expires',
    source: 'RFC 3261 section 20.19',
    good: (value) => deltaSeconds(value) !== undefined,
  },
  { header: 'Content-Type', source: 'RFC 3261 section 20.15', good: isMediaType },
  { header: 'Require', source: 'RFC 3261 section 20.32', whole: true, good: isTokenList },
  { header: 'Proxy-Require', source: 'RFC 3261 section 20.29', whole: true, good: isTokenList },
  { header: 'Supported', source: 'RFC 3261 section 20.37', whole: true, good: isTokenList },
  { header: 'Allow', source: 'RFC 3261 section 20.5', whole: true, good: isTokenList },
  { header: 'Join', source: 'RFC 3911 section 7.1', good: isDialogId },
  { header: 'Replaces', source: 'RFC 3891 section 6.1', good: isDialogId },
  { header: 'Refer-To', source: 'RFC 3515 section 2.1', good: (value) => readable(parseNameAddr(value)) },
  { header: 'Referred-By', source: 'RFC 3892 section 3', good: (value) => readable(parseNameAddr(value)) },
  {
    header: 'P-Asserted-Identity',
    source: 'RFC 3325 section 9.1',
    good: (value) => readable(parseNameAddr(value)),
  },
];

const ruleOf: (ValueRule | undefined)[] = [];
for (const rule of VALUE_RULES) {
  const kind = headerKind(rule.header);
  if (kind === undefined) throw new Error(`no header ${rule.header}`);
  ruleOf[kind.id] = rule;
}

function contactsBroken(message: SipMessage): boolean {
  const values = message.headerAll('contact');
  if (values.includes('*')) return message.method !== 'REGISTER' || values.length !== 1;
  return values.length !== message.contacts.length || !message.contacts.every(readable);
}

/** Rules over the whole message, judged in this order; the first that is broken gives the verdict. */
export const MESSAGE_RULES: readonly MessageRule[] = [
  {
    status: 400,
    reason: 'Missing Or Malformed Via',
    source: 'RFC 3261 sections 8.1.1, 20.42',
    of: 'both',
    broken: (m) => !m.viasWhole,
  },
  {
    status: 400,
    reason: 'Via Of Another Protocol',
    source: 'RFC 3261 section 20.42',
    of: 'both',
    broken: (m) => m.vias.some((via) => via.protocol !== 'SIP/2.0'),
  },
  {
    status: 400,
    reason: 'Missing Or Malformed From',
    source: 'RFC 3261 sections 8.1.1.3, 20.20',
    of: 'both',
    broken: (m) => !readable(m.from),
  },
  {
    status: 400,
    reason: 'Missing Or Malformed To',
    source: 'RFC 3261 sections 8.1.1.2, 20.39',
    of: 'both',
    broken: (m) => !readable(m.to),
  },
  {
    status: 400,
    reason: 'Missing Or Malformed Call-ID',
    source: 'RFC 3261 sections 8.1.1.4, 20.8',
    of: 'both',
    broken: (m) => !isCallIdAt(m.callId, 0, m.callId.length),
  },
  {
    status: 400,
    reason: 'Missing Or Malformed CSeq',
    source: 'RFC 3261 sections 8.1.1.5, 20.16; RFC 4475 section 3.1.2.4',
    of: 'both',
    broken: (m) => !isToken(m.cseq.method),
  },
  {
    status: 400,
    reason: 'CSeq Of Another Method',
    source: 'RFC 3261 section 8.1.1.5; RFC 4475 section 3.1.2.17',
    of: 'request',
    broken: (m) => m.cseq.method !== m.method,
  },
  {
    status: 400,
    reason: 'Malformed Contact',
    source: 'RFC 3261 sections 10.2.2, 20.10; RFC 4475 section 3.1.2.13',
    of: 'both',
    broken: contactsBroken,
  },
  {
    status: 400,
    reason: 'Join With Replaces',
    source: 'RFC 3911 section 4',
    of: 'request',
    broken: (m) => m.header('join') !== undefined && m.header('replaces') !== undefined,
  },
  {
    status: 400,
    reason: 'Join Or Replaces Without INVITE',
    source: 'RFC 3891 section 3, RFC 3911 section 4',
    of: 'request',
    broken: (m) => m.method !== 'INVITE' && (m.header('join') !== undefined || m.header('replaces') !== undefined),
  },
  {
    status: 400,
    reason: 'Malformed Request-URI',
    source: 'RFC 3261 sections 19.1.1, 7.1; RFC 4475 sections 3.1.2.7, 3.1.2.11',
    of: 'request',
    broken: (m) => {
      const uri = parseUri(m.uri);
      return uri === undefined || uri.headers !== undefined;
    },
  },
  {
    status: 416,
    reason: 'Unsupported URI Scheme',
    source: 'RFC 3261 section 8.2.2.1',
    of: 'request',
    // Help is asked for by name (RFC 5031); its ACK and CANCEL repeat that.
    broken: (m) => !m.uri.startsWith('sip:') && !isService(m.uri) && parseUri(m.uri)?.opaque !== undefined,
  },
];

/** The verdict on a parsed message; undefined where nothing is wrong with it. For a response its status says nothing. */
export function validate(message: SipMessage): Verdict | undefined {
  return isUsualMessage(message, ruleOf) ? undefined : judge(message);
}

/** The same by every rule, one after the other. */
export function judge(message: SipMessage): Verdict | undefined {
  const inFields = judgeFields(message);
  if (inFields !== undefined) return inFields;
  for (const rule of MESSAGE_RULES) {
    if (rule.of !== 'both' && rule.of !== message.kind) continue;
    if (rule.broken(message)) return { status: rule.status, reason: rule.reason };
  }
  return undefined;
}

/** Values seen per header id in the message at hand; cleared for each. */
const counts = new Uint16Array(HEADERS.length + 1);

function commasIn(text: string, start: number, end: number): number {
  let commas = 0;
  for (let at = text.indexOf(',', start); at >= 0 && at < end; at = text.indexOf(',', at + 1)) commas += 1;
  return commas;
}

/** Numbers of values per header, malformed values, and repeated headers that may come once (RFC 4475 section 3.3.8). */
function judgeFields(message: SipMessage): Verdict | undefined {
  counts.fill(0);
  for (const { id, text, start, end } of message.fields) {
    const kind = HEADERS[id - 1];
    if (kind === undefined) continue;
    const rule = ruleOf[id];
    let values = 1;
    const commas = kind.list ? commasIn(text, start, end) : 0;
    if (rule !== undefined || commas > 0) {
      const line = text.slice(start, end);
      // Tokens hold no comma, so there every one parts two values.
      const all = commas > 0 && !rule?.whole ? splitList(line, VALUE_LIMIT) : [line];
      values = rule?.whole ? commas + 1 : all.length;
      if (values > VALUE_LIMIT) return { status: 400, reason: `Too Many Values In ${kind.name}` };
      const good = rule === undefined || (rule.whole ? rule.good(line) : all.every(rule.good));
      if (!good) return { status: 400, reason: `Malformed ${kind.name}` };
    }
    const count = (counts[id] ?? 0) + values;
    if (count > 1 && kind.single) return { status: 400, reason: `Repeated ${kind.name}` };
    if (count > VALUE_LIMIT) return { status: 400, reason: `Too Many Values In ${kind.name}` };
    counts[id] = count;
  }
  return undefined;
}
