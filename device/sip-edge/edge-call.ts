/** A call as the gateway's edge holds it, and the words that its hooks use. */
import { type CallState, newCall } from '#shared/call/call.ts';
import type { DrivenCall } from '#shared/host/call-driver.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { HouseLine, Phone } from './house.ts';

/** What a call has to know of a line; its secrets stay out of what is kept of the call. */
export type NamedLine = Pick<HouseLine, 'id' | 'number'>;

/** Whom a branch rings. */
export type Ring =
  | { readonly kind: 'phone'; readonly phone: Phone; readonly line: NamedLine }
  /** The softswitch; `dialled` is the Request-URI's user, `flow` the way to it when the call began. */
  | { readonly kind: 'softswitch'; readonly dialled: string; readonly flow: Flow };

export const CALLER_LEG = 'caller';
export const CALLEE_LEG = 'callee';

export interface EdgeCall extends DrivenCall<Ring> {
  readonly flow: Flow;
  /** The line that calls, for a call from a phone of the house. */
  readonly from?: NamedLine;
  /** What the called phone shows: the From of the INVITE, without tag. */
  readonly shown: string;
  /** The user of the Request-URI. */
  readonly dialled: string;
  /** Call-ID of the caller's dialog. */
  readonly callId: string;
  /** The line of the house that rings, where it is one: such a call is switched inside and reported. */
  inside?: NamedLine;
  /** Wall clock, ms. */
  readonly startedAt: number;
  answeredAt?: number;
  /** It was up when its media ended unseen: the last moment at which it surely lasted, wall clock, ms. */
  lastedUntil?: number;
  /** Media channels that joined it, by leg name. */
  readonly joined: Set<string>;
}

export function newEdgeCall(
  facts: Pick<EdgeCall, 'id' | 'flow' | 'shown' | 'dialled' | 'callId' | 'startedAt'> & { readonly from?: NamedLine },
): EdgeCall {
  const state: CallState<Ring> = newCall<Ring>();
  return { ...facts, state, handles: new Map(), versions: new Map(), due: NEVER, joined: new Set() };
}
