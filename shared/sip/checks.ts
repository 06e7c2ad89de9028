/** What a user agent server checks before it looks at a request's meaning: RFC 3261 section 8.2, in its order. */
import type { HeaderLine } from './build.ts';
import type { SipMessage } from './message.ts';
import { isMethod } from './methods.ts';
import { PIDF, partOf, readMultipart } from './multipart.ts';

export interface Refusal {
  readonly status: number;
  readonly headers: readonly HeaderLine[];
}

export interface Abilities {
  /** Methods served. */
  readonly allow: readonly string[];
  /** Option tags understood. */
  readonly supported: readonly string[];
  /** True for an element that sends calls on: then Max-Forwards 0 is refused with 483 (RFC 7332 section 3). */
  readonly backToBack: boolean;
}

/** RFC 4475 section 3.3.15. */
const NO_FORM: HeaderLine = ['Warning', '399 hl "No answer in the formats of Accept"'];

/** Bodies that an INVITE or UPDATE may carry. */
const SESSION_BODY = 'application/sdp';

/** The first fault of a request, or undefined. CANCEL and ACK are not for this check. */
export function check(message: SipMessage, abilities: Abilities): Refusal | undefined {
  return (
    checkMethod(message, abilities) ??
    checkUri(message) ??
    checkRequire(message, abilities) ??
    checkRest(message, abilities)
  );
}

function checkMethod(message: SipMessage, abilities: Abilities): Refusal | undefined {
  if (abilities.allow.includes(message.method)) return undefined;
  // One that is known but not served gets 405 and not 501; either way it is told what is served (RFC 4475 section 3.1.1.2).
  return { status: isMethod(message.method) ? 405 : 501, headers: [['Allow', abilities.allow.join(', ')]] };
}

function checkUri(message: SipMessage): Refusal | undefined {
  const scheme = message.uri.slice(0, message.uri.indexOf(':')).toLowerCase();
  if (scheme === 'sip' || scheme === 'sips' || scheme === 'tel') return undefined;
  // Help is asked for by name (RFC 5031): it must not fail for its writing.
  if (message.method === 'INVITE' && message.uri.toLowerCase().startsWith('urn:service:sos')) return undefined;
  return { status: 416, headers: [] };
}

/** Sections 8.2.2.3 and 16.3: `Proxy-Require` counts too, for we stand where a proxy would. */
function checkRequire(message: SipMessage, abilities: Abilities): Refusal | undefined {
  if (message.header('Require') === undefined && message.header('Proxy-Require') === undefined) return undefined;
  // Whoever stands between two calls tells nothing of the one to the other but what it means to (RFC 3323 section 5).
  const passing = message
    .headerAll('Proxy-Require')
    .filter((one) => !abilities.backToBack || one.toLowerCase() !== 'privacy');
  const wanted = [...message.headerAll('Require'), ...passing];
  const unknown = wanted.filter((option) => !abilities.supported.includes(option.toLowerCase()));
  if (unknown.length === 0) return undefined;
  return { status: 420, headers: [['Unsupported', unknown.join(', ')]] };
}

function checkRest(message: SipMessage, abilities: Abilities): Refusal | undefined {
  if (
    abilities.backToBack &&
    message.maxForwards === 0 &&
    message.method !== 'OPTIONS' &&
    message.method !== 'REGISTER'
  ) {
    return { status: 483, headers: [] };
  }
  if (message.method === 'INVITE' && !acceptsDescription(message)) return { status: 406, headers: [NO_FORM] };
  return checkBody(message);
}

/** Nobody here has asked for a package, and one that is passed on without its name means something else (RFC 6086 section 4.2.2). */
export function checkPackage(message: SipMessage): Refusal | undefined {
  if (message.method !== 'INFO' || message.header('Info-Package') === undefined) return undefined;
  return { status: 469, headers: [['Recv-Info', '']] };
}

/** Section 20.1: our answer is a session description; a caller that lists what it takes has to take that. */
function acceptsDescription(message: SipMessage): boolean {
  const accepted = message.headerAll('Accept');
  if (accepted.length === 0) return true;
  return accepted.some((value) => {
    const type = (value.split(';')[0] ?? '').trim().toLowerCase();
    return type === SESSION_BODY || type === 'application/*' || type === '*/*';
  });
}

/** Section 8.2.3. A body whose handling is optional may be of any type; a location alone leaves the offer to us (RFC 6442). */
function checkBody(message: SipMessage): Refusal | undefined {
  if (message.body.length === 0) return undefined;
  const coding = (message.header('Content-Encoding') ?? 'identity').toLowerCase();
  if (coding !== 'identity') return { status: 415, headers: [['Accept-Encoding', 'identity']] };
  if (message.method !== 'INVITE' && message.method !== 'UPDATE') return undefined;
  const type = (message.header('Content-Type') ?? '').toLowerCase();
  if (type.startsWith(SESSION_BODY) || type.startsWith(PIDF) || isOptional(message)) return undefined;
  const parts = readMultipart(message.header('Content-Type') ?? '', message.body);
  if (partOf(parts, SESSION_BODY) ?? partOf(parts, PIDF)) return undefined;
  return { status: 415, headers: [['Accept', SESSION_BODY]] };
}

function isOptional(message: SipMessage): boolean {
  const disposition = (message.header('Content-Disposition') ?? '').toLowerCase();
  return disposition.includes('handling=optional');
}
