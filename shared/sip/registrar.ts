/**
 * The registrar's table for one address of record (RFC 3261 section 10.3), with Path (RFC 3327) and instances (RFC 5626). Who may
 * register what is decided before; here a request that was let through changes the bindings as a whole or not at all.
 */

import type { SipMessage } from './message.ts';
import { flowName, outboundOf } from './outbound.ts';
import { own, type Params } from './params.ts';
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
  /** Seconds after which a flow without a keep-alive may be closed, told to who keeps flows (RFC 5626 section 5.4). */
  readonly flowTimer?: number;
}

export interface RegisterOutcome {
  readonly status: 200 | 400 | 403 | 423 | 439 | 500;
  readonly reason: string;
  /** Values of the reply's Contact headers: all bindings with the seconds they have left. */
  readonly contacts: string[];
  /** Further headers of the reply: Min-Expires, Path, Require, Flow-Timer. */
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
  const outbound = outboundOf(request);
  if (outbound === 'first-hop-lacks-it') return refuse(439, 'First Hop Lacks Outbound Support');
  const before = bindings.every((one) => one.expiresAt > now)
    ? bindings
    : bindings.filter((one) => one.expiresAt > now);
  const change: Change = { request, now, options, named: outbound === 'used' };
  const after = request.contactStar ? removeAll(before, request) : applyContacts(before, change);
  if (!Array.isArray(after)) return after;
  const changed = after.length !== bindings.length || after.some((one) => !bindings.some((old) => isSame(old, one)));
  bindings.splice(0, bindings.length, ...after);
  const headers: [string, string][] = request.headerAll('Path').map((value) => ['Path', value]);
  if (outbound === 'used') {
    headers.push(['Require', 'outbound']);
    if (options.flowTimer !== undefined) headers.push(['Flow-Timer', String(options.flowTimer)]);
  }
  return { status: 200, reason: 'OK', contacts: contactValues(bindings, now), headers, changed };
}

/** Contact values for a reply: every live binding with the whole seconds it has left, at least 1. */
export function contactValues(bindings: readonly Binding[], now: number): string[] {
  return bindings
    .filter((one) => one.expiresAt > now)
    .map(({ uri, params, expiresAt }) => {
      const left = String(Math.max(1, Math.ceil((expiresAt - now) / 1000)));
      return `${writeNameAddr({ display: '', uri, params })};expires=${left}`;
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

const isSame = (a: Binding, b: Binding): boolean => a.uri === b.uri && a.flow === b.flow && isSamePath(a.path, b.path);

/** The same Path values in the same order. */
export const isSamePath = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((value, at) => value === b[at]);

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

interface Change {
  readonly request: SipMessage;
  readonly now: number;
  readonly options: RegisterOptions;
  /** The flows that the contacts name count; otherwise `reg-id` is ignored (RFC 5626 section 6). */
  readonly named: boolean;
}

function applyContacts(before: Bindings, change: Change): Bindings | RegisterOutcome {
  const { request, now, options, named } = change;
  const after = [...before];
  const min = options.min ?? 60;
  const lasting = request.contacts.filter((contact) => secondsOf(contact, request) > 0);
  // A registration is of one flow (RFC 5626 section 6).
  if (named && lasting.length > 1 && lasting.some(({ params }) => flowName(params) !== undefined))
    return refuse(400, 'Flow Beside Other Contacts');
  for (const contact of request.contacts) {
    const uri = parseUri(contact.uri);
    if (uri === undefined) return refuse(400, 'Malformed Contact');
    const seconds = Math.min(secondsOf(contact, request), options.max ?? DEFAULT_EXPIRES);
    if (seconds > 0 && seconds < min) return refuse(423, 'Interval Too Brief', [['Min-Expires', String(min)]]);
    const at = after.findIndex((old) => isOf(old, contact, uri, named));
    const old = after[at];
    if (old !== undefined && before.includes(old) && isLate(old, request)) return refuse(500, OUT_OF_ORDER);
    if (seconds === 0) {
      if (at >= 0) after.splice(at, 1);
      continue;
    }
    const binding = bind(contact, change, now + seconds * 1000, old);
    if (at >= 0) after[at] = binding;
    else after.push(binding);
    if (after.length > CONTACT_LIMIT) return refuse(403, 'Too Many Contacts');
  }
  return after;
}

const NO_PATH: readonly string[] = [];

/** A refresh keeps the text that is kept already. */
function bind(contact: NameAddr, change: Change, expiresAt: number, old: Binding | undefined): Binding {
  const { request, options, named } = change;
  const { flow } = options;
  const params: Params = new Map();
  for (const [name, value] of contact.params) {
    if (name !== 'expires' && (named || name !== 'reg-id'))
      params.set(own(name), value === undefined ? undefined : own(value));
  }
  const path = request.header('Path') === undefined ? NO_PATH : request.headerAll('Path').map(own);
  const uri = old?.uri === contact.uri ? old.uri : own(contact.uri);
  return { uri, params, callId: own(request.callId), cseq: request.cseq.n, expiresAt, flow, path };
}

/** The contact's own `expires`, else the header, else the default; digits that are none count as the default. */
function secondsOf(contact: NameAddr, request: SipMessage): number {
  if (contact.params.has('expires')) return deltaSeconds(contact.params.get('expires')) ?? DEFAULT_EXPIRES;
  return request.expires ?? DEFAULT_EXPIRES;
}

/** The same flow of the same instance (RFC 5626 section 6), or, where no flow is named, the same URI. */
function isOf(old: Binding, contact: NameAddr, uri: SipUri, named: boolean): boolean {
  const [mine, theirs] = [named ? flowName(contact.params) : undefined, flowName(old.params)];
  if (mine !== undefined || theirs !== undefined) {
    return mine?.instance === theirs?.instance && mine?.id === theirs?.id;
  }
  if (old.uri === contact.uri) return true;
  const other = parseUri(old.uri);
  return other !== undefined && sameUri(other, uri);
}
