/** A call as the gateway's edge holds it, and the words that its hooks use. */
import { type CallState, newCall } from '#shared/call/call.ts';
import type { DrivenCall } from '#shared/host/call-driver.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { Help } from './emergency.ts';
import type { HouseLine, Phone } from './house.ts';

/** What a call has to know of a line; its secrets stay out of what is kept of the call. */
export type NamedLine = Pick<HouseLine, 'id' | 'number'>;

/** Whom a branch rings. */
export type Ring =
  | { readonly kind: 'phone'; readonly phone: Phone; readonly line: NamedLine }
  /** The softswitch; `dialled` is the Request-URI's user, `flow` the way to it when the call began. */
  | { readonly kind: 'softswitch'; readonly dialled: string; readonly flow: Flow }
  /** The fallback trunk of emergency calls. */
  | { readonly kind: 'fallback'; readonly flow: Flow };

export const CALLER_LEG = 'caller';
export const CALLEE_LEG = 'callee';

export interface EdgeCall extends DrivenCall<Ring> {
  /** The caller's; another one's after a transfer. */
  flow: Flow;
  /** The line that calls, for a call from a phone of the house. */
  from?: NamedLine;
  /** What the called phone shows: the From of the INVITE, without tag. */
  readonly shown: string;
  /** How its phones are to ring (RFC 7462), values of Alert-Info. */
  readonly alerts?: readonly string[];
  /** The user of the Request-URI. */
  readonly dialled: string;
  /** Call-ID of the caller's dialog. */
  readonly callId: string;
  /** The line of the house that rings, where it is one: such a call is switched inside and reported. */
  inside?: NamedLine;
  /** A call for help. */
  readonly help?: Help;
  /** Wall clock, ms. */
  readonly startedAt: number;
  answeredAt?: number;
  /** It was up when its media ended unseen: the last moment at which it surely lasted, wall clock, ms. */
  lastedUntil?: number;
  /** Media channels that joined it, by leg name. */
  readonly joined: Set<string>;
}

export function newEdgeCall(
  facts: Pick<EdgeCall, 'id' | 'flow' | 'shown' | 'dialled' | 'callId' | 'startedAt'> & {
    readonly from?: NamedLine;
    readonly alerts?: readonly string[];
    readonly help?: Help;
  },
): EdgeCall {
  const state: CallState<Ring> = newCall<Ring>();
  return { ...facts, state, handles: new Map(), versions: new Map(), due: NEVER, joined: new Set() };
}

/** Alert-Info values of an INVITE from the softswitch that go on to the phone: indications by URN, nothing that a phone would fetch. */
export function alertsOf(message: SipMessage): string[] {
  return message
    .headerAll('Alert-Info')
    .filter((value) => value.startsWith('<urn:alert:') && value.length <= 64)
    .slice(0, 4);
}
