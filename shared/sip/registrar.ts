/**
 * The registrar's table for one address of record (RFC 3261 section 10.3), with Path (RFC 3327) and instances (RFC 5626). Who may
 * register what is decided before; here a request that was let through changes the bindings as a whole or not at all.
 */

import type { SipMessage } from './message.ts';
import { decimal, own, type Params } from './params.ts';
import { deltaSeconds } from './scalars.ts';
import { type NameAddr, parseUri, type SipUri, sameUri, writeNameAddr } from './uri.ts';

/** One contact of an address of record. */
export interface Binding {
  /** Contact URI as it came. */
  readonly uri: string;
  /** Contact parameters but `expires`: q, +sip.instance, reg-id and whatever else came. */
  readonly params: Params;
  readonly callId: string;
  readonly cseq: number;
  /** The clock of `now`, ms. */
  readonly expiresAt: number;
  /** The flow over which it came. */
  readonly flow: string;
  /** Path values, topmost first. */
  readonly path: readonly string[];
}

/** A binding as plain data for a disk or a store; its time is left out, since that is of one process's clock. */
export interface PlainBinding extends Omit<Binding, 'params' | 'expiresAt'> {
  readonly params: readonly (readonly [string, string | null])[];
}

export function plainBinding({ params, expiresAt: _time, ...rest }: Binding): PlainBinding {
  return { ...rest, params: [...params].map(([name, value]) => [name, value ?? null] as const) };
}

/** The binding again; `expiresAt` on this process's clock. */
export function bindingOf({ params, ...rest }: PlainBinding, expiresAt: number): Binding {
  return { ...rest, params: new Map(params.map(([name, value]) => [name, value ?? undefined])), expiresAt };
}

/** The contacts of one address of record, oldest first. */
export type Bindings = Binding[];

/** The most contacts of one address of record. */
export const CONTACT_LIMIT = 10;
/** Seconds granted where the request names none (RFC 3261 section 10.2.1.1) or a malformed number (section 20.10). */
const DEFAULT_EXPIRES = 3600;

export interface RegisterOptions {
  readonly flow: string;
  /** Seconds; less (but not 0) is refused with 423. Default 60. */
  readonly min?: number;
  /** Seconds; more is cut to this. Default 3600. */
  readonly max?: number;
}

export interface RegisterOutcome {
  readonly status: 200 | 400 | 403 | 423 | 500;
  readonly reason: string;
  /** Values of the reply's Contact headers: all bindings with the seconds they have left. */
  readonly contacts: string[];
  /** Further headers of the reply: Min-Expires, Path. */
  readonly headers: [string, string][];
  /** A contact was added, moved to another flow, or removed; a mere refresh is no change. */
  readonly changed: boolean;
}

/** Applies a REGISTER at `now` (ms, any clock that does not run backwards). `bindings` changes in place, only with status 200. */
export function register(
  bindings: Bindings,
  request: SipMessage,
  now: number,
  options: RegisterOptions,
): RegisterOutcome {
  const scheme = parseUri(request.to.uri)?.scheme;
  if (scheme !== 'sip' && scheme !== 'sips') return refuse(400, 'Address Of Record Is No SIP URI');
  const before = bindings.filter((one) => one.expiresAt > now);
  const after = request.contactStar ? removeAll(before, request) : applyContacts(before, request, now, options);
  if (!Array.isArray(after)) return after;
  const changed = after.length !== bindings.length || after.some((one) => !bindings.some((old) => isSame(old, one)));
  bindings.splice(0, bindings.length, ...after);
  const headers: [string, string][] = request.headerAll('path').map((value) => ['Path', value]);
  return { status: 200, reason: 'OK', contacts: contactValues(bindings, now), headers, changed };
}

/** Contact values for a reply: every live binding with the whole seconds it has left, at least 1. */
export function contactValues(bindings: readonly Binding[], now: number): string[] {
  return bindings
    .filter((one) => one.expiresAt > now)
    .map(({ uri, params, expiresAt }) => {
      const left = String(Math.max(1, Math.ceil((expiresAt - now) / 1000)));
      return writeNameAddr({ display: '', uri, params: new Map([...params, ['expires', left]]) });
    });
}

/** Removes what has expired by `now`; true where something was. */
export function removeExpired(bindings: Bindings, now: number): boolean {
  return retain(bindings, (one) => one.expiresAt > now);
}

/** Removes what came over a flow that is gone; true where something was. */
export function removeFlow(bindings: Bindings, flow: string): boolean {
  return retain(bindings, (one) => one.flow !== flow);
}

function retain(bindings: Bindings, keep: (one: Binding) => boolean): boolean {
  const kept = bindings.filter(keep);
  const removed = kept.length < bindings.length;
  if (removed) bindings.splice(0, bindings.length, ...kept);
  return removed;
}

const isSame = (a: Binding, b: Binding): boolean =>
  a.uri === b.uri && a.flow === b.flow && a.path.join() === b.path.join();

function refuse(status: RegisterOutcome['status'], reason: string, headers: [string, string][] = []): RegisterOutcome {
  return { status, reason, contacts: [], headers, changed: false };
}

const OUT_OF_ORDER = 'CSeq Out Of Order';

/** A later request of the same Call-ID must have a higher CSeq, or it is an old one that came late (section 10.3 step 7). */
const isLate = (old: Binding, request: SipMessage): boolean =>
  old.callId === request.callId && request.cseq.n <= old.cseq;

function removeAll(before: Bindings, request: SipMessage): Bindings | RegisterOutcome {
  if (request.headerAll('contact').length !== 1 || request.header('expires')?.trim() !== '0') {
    return refuse(400, 'Contact Star Needs Expires 0');
  }
  return before.some((old) => isLate(old, request)) ? refuse(500, OUT_OF_ORDER) : [];
}

function applyContacts(
  before: Bindings,
  request: SipMessage,
  now: number,
  options: RegisterOptions,
): Bindings | RegisterOutcome {
  const after = [...before];
  const min = options.min ?? 60;
  for (const contact of request.contacts) {
    const uri = parseUri(contact.uri);
    if (uri === undefined) return refuse(400, 'Malformed Contact');
    const seconds = Math.min(secondsOf(contact, request), options.max ?? DEFAULT_EXPIRES);
    if (seconds > 0 && seconds < min) return refuse(423, 'Interval Too Brief', [['Min-Expires', String(min)]]);
    const at = after.findIndex((old) => isOf(old, contact, uri));
    const old = after[at];
    if (old !== undefined && before.includes(old) && isLate(old, request)) return refuse(500, OUT_OF_ORDER);
    if (seconds === 0) {
      if (at >= 0) after.splice(at, 1);
      continue;
    }
    const binding = bind(contact, request, now + seconds * 1000, options.flow);
    if (at >= 0) after[at] = binding;
    else after.push(binding);
    if (after.length > CONTACT_LIMIT) return refuse(403, 'Too Many Contacts');
  }
  return after;
}

function bind(contact: NameAddr, request: SipMessage, expiresAt: number, flow: string): Binding {
  const params: Params = new Map();
  for (const [name, value] of contact.params) {
    if (name !== 'expires') params.set(own(name), value === undefined ? undefined : own(value));
  }
  const path = request.headerAll('path').map(own);
  return { uri: own(contact.uri), params, callId: own(request.callId), cseq: request.cseq.n, expiresAt, flow, path };
}

/** The contact's own `expires`, else the header, else the default; digits that are none count as the default. */
function secondsOf(contact: NameAddr, request: SipMessage): number {
  if (contact.params.has('expires')) return deltaSeconds(contact.params.get('expires')) ?? DEFAULT_EXPIRES;
  return request.expires ?? DEFAULT_EXPIRES;
}

/** The same instance and reg-id (RFC 5626 section 6), or, without them, the same URI. */
function isOf(old: Binding, contact: NameAddr, uri: SipUri): boolean {
  const [mine, theirs] = [flowName(contact.params), flowName(old.params)];
  if (mine !== undefined || theirs !== undefined) return mine === theirs;
  const other = parseUri(old.uri);
  return other !== undefined && sameUri(other, uri);
}

function flowName(params: Params): string | undefined {
  const instance = params.get('+sip.instance');
  const id = decimal(params.get('reg-id') ?? '', 0x7fff_ffff);
  return instance === undefined || id === undefined || id === 0 ? undefined : `${instance} ${id}`;
}
