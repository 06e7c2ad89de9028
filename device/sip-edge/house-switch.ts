/** What `EdgeCalls` does for calls of the house's phones, once it is decided. */
import type { Target } from '#shared/call/call.ts';
import type { CallDriver } from '#shared/host/call-driver.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { EdgeCall, NamedLine, Ring } from './edge-call.ts';
import type { Phone } from './house.ts';

export type RingBranch = Target<Ring>['branches'][number];

/** A call for a phone of the house that is in one already. */
export type RungFor = Pick<EdgeCall, 'flow' | 'dialled' | 'hidden' | 'referredBy'> & { readonly from: NamedLine };

export interface HouseSwitch {
  readonly driver: CallDriver<Ring, EdgeCall>;
  /** The phones of these lines, without the one that calls. */
  branches(call: { readonly flow: Flow }, lines: readonly NamedLine[], prefix: string): RingBranch[];
  /** Rings phones of the house. `ringFor` in ms. */
  ringInside(
    call: EdgeCall,
    branches: readonly RingBranch[],
    how: { readonly ringFor?: number; readonly again: boolean },
  ): void;
  /** The softswitch finds the way. */
  toCloud(call: EdgeCall): void;
  /** A phone of the house sent the call out of it: the softswitch goes on with it, and what rang here is over. */
  sendOut(call: EdgeCall, dialled: string): Promise<void>;
  /** There is no way. */
  lost(call: EdgeCall, no: { readonly status: number; readonly reason: string }): void;
}

/** A phone that rings, over the flow that it registered last; its others stand by. */
export function ringing(branch: string, { others = [], ...phone }: Phone, line: NamedLine): RingBranch {
  const to = (one: Phone): Ring => ({ kind: 'phone', phone: one, line });
  return { branch, to: to(phone), callee: line.id, ...(others.length === 0 ? {} : { others: others.map(to) }) };
}
