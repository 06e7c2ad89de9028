/** A call as the gateway's edge holds it, and the words that its hooks use. */
import { type CallState, newCall, type Target } from '#shared/call/call.ts';
import type { SentOn } from '#shared/call/features/diverted.ts';
import { type Hops, hopsOf } from '#shared/call/hops.ts';
import type { DrivenCall } from '#shared/host/call-driver.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { privacyToPass, wantsPrivacy } from '#shared/sip/privacy.ts';
import type { Flow } from '#shared/sip/types.ts';
import { parseUri } from '#shared/sip/uri.ts';
import type { Help } from './emergency.ts';
import type { HouseLine, Phone } from './house.ts';
import type { Rung } from './rung.ts';

/** What a call has to know of a line; its secrets stay out of what is kept of the call. */
export type NamedLine = Pick<HouseLine, 'id' | 'number'>;

/** Whom a branch rings. */
export type Ring =
  | { readonly kind: 'phone'; readonly phone: Phone; readonly line: NamedLine }
  /** The softswitch; `dialled` is the Request-URI's user, `flow` the way to it when the call began. */
  | { readonly kind: 'softswitch'; readonly dialled: string; readonly flow: Flow }
  /** The fallback trunk of emergency calls; `unlocated`: it wants no location. */
  | { readonly kind: 'fallback'; readonly flow: Flow; readonly unlocated?: true }
  /** The gateway's own mobile modem, for emergency calls. */
  | { readonly kind: 'modem'; readonly flow: Flow };

export type WayOfHelp = Pick<Target<Ring>, 'branches' | 'oneByOne'>;

export const CALLER_LEG = 'caller';
export const CALLEE_LEG = 'callee';

export interface EdgeCall extends DrivenCall<Ring> {
  /** The caller's; another one's after a transfer. */
  flow: Flow;
  /** The line that calls, for a call from a phone of the house. */
  from?: NamedLine;
  /** What the called phone shows: the From of the INVITE, without tag. */
  readonly shown: string;
  /** Headers of the softswitch's INVITE that its phones get too. */
  readonly passed?: readonly (readonly [string, string])[];
  /** Lines of the house that sent it on, the oldest first. */
  diverted?: readonly SentOn[];
  /** The user of the Request-URI; where that was empty, the number of the hot line in the end. */
  dialled: string;
  /** Call-ID of the caller's dialog. */
  readonly callId: string;
  /** The line of the house that rings, where it is one: such a call is switched inside and reported. */
  inside?: NamedLine;
  /** All lines of the house that it rang, and what became of them. */
  rung?: readonly Rung[];
  /** The line whose wishes say where it goes on when nobody takes it; how often it has gone on, and for how long it rings (ms). */
  governs?: string;
  round?: number;
  ringFor?: number;
  /** The caller's number is withheld. */
  hidden?: boolean;
  /** The number of the line of the house that transferred the call here, where it may be known (RFC 3892). */
  readonly referredBy?: string;
  /** What the caller asked for besides (priv-values, RFC 3323 section 4.2), for the softswitch. */
  readonly privacy?: readonly string[];
  /** Max-Forwards and Max-Breadth of the caller's INVITE. */
  readonly hops?: Hops;
  /** Contact of the caller's INVITE. */
  readonly contact?: string;
  /** The dialog at the softswitch whose place the caller wants (value of Replaces). */
  readonly replaces?: string;
  /** A call for help. */
  readonly help?: Help;
  /** … and the ways that it may still take, one after the other. */
  ways?: { next(): Promise<WayOfHelp | undefined> };
  /** These by the `RecordClock`, ms. */
  readonly startedAt: number;
  answeredAt?: number;
  /** It was up when its media ended unseen: the last moment at which it surely lasted. */
  lastedUntil?: number;
  /** Media channels that joined it, by leg name. */
  readonly joined: Set<string>;
}

export function newEdgeCall(
  facts: Pick<EdgeCall, 'id' | 'flow' | 'shown' | 'dialled' | 'callId' | 'startedAt'> & {
    readonly from?: NamedLine;
    readonly passed?: readonly (readonly [string, string])[];
    readonly help?: Help;
    readonly hidden?: boolean;
    readonly referredBy?: string;
    readonly privacy?: readonly string[];
    readonly hops?: Hops;
    readonly contact?: string;
    readonly replaces?: string;
  },
): EdgeCall {
  const state: CallState<Ring> = newCall<Ring>();
  return { ...facts, state, handles: new Map(), versions: new Map(), due: NEVER, joined: new Set() };
}

/** What an INVITE says of its call, whoever sends it. */
export function saidIn(
  message: SipMessage,
): Pick<EdgeCall, 'dialled' | 'callId' | 'privacy'> & { hidden: boolean; hops: Hops } {
  const dialled = parseUri(message.uri)?.user ?? '';
  const [hidden, privacy] = [wantsPrivacy(message), privacyToPass(message)];
  return { dialled, callId: message.callId, hidden, privacy, hops: hopsOf(message) };
}

/** Values of one header field that go on to a phone, and their characters. */
const PASSED = 20;
const PASSED_LIMIT = 256;

/**
 * What of an INVITE from the softswitch goes on to the phone: how it is to ring (indications by URN, nothing that a phone would fetch), who
 * transferred the call or sent it on, and the caller's number where it was checked. What is withheld stands in none of it: the softswitch does not tell us.
 */
export function passedOn(message: SipMessage): [string, string][] {
  const values = (name: string, fits: (value: string) => boolean) =>
    message
      .headerAll(name)
      .filter((value) => value.length <= PASSED_LIMIT && fits(value))
      .slice(0, PASSED)
      .map((value): [string, string] => [name, value]);
  return [
    ...values('Alert-Info', (value) => value.startsWith('<urn:alert:') && value.length <= 64).slice(0, 4),
    ...values('Referred-By', () => true).slice(0, 1),
    ...values('History-Info', () => true),
    ...values('P-Asserted-Identity', (value) => value.includes(';verstat=')).slice(0, 1),
  ];
}
