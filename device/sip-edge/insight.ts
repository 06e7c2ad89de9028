/** What a technician wants to know of the voice side: lines and their phones, the way to the softswitch, who was refused. Pure. */
import type { SipCounts } from '#shared/host/sip.ts';
import type { Address } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import type { HouseLine } from './house.ts';
import type { UpstreamInsight } from './upstream-flow.ts';

export interface LineInsight {
  readonly id: string;
  readonly number: string;
  readonly username: string;
  readonly name?: string;
  readonly kind: 'phone' | 'appliance';
  /** Where its phones are, `protocol address:port`. */
  readonly phones: readonly string[];
  readonly upstream: 'none' | 'asking' | 'held' | 'refused';
}

/** The lines of the house, with how each is known upstream. `phones` gives a line's flows. */
export function lineInsights(
  lines: readonly HouseLine[],
  phones: (line: string) => readonly Flow[],
  upstream: UpstreamInsight['lines'],
): LineInsight[] {
  return lines.map(({ id, number, username, name, kind }) => ({
    ...{ id, number, username, kind },
    ...(name === undefined ? {} : { name }),
    phones: phones(id).map(peerText),
    upstream: upstream.get(id) ?? 'none',
  }));
}

/** A phone that was not let in: a wrong password, or too many of them. */
export interface Refusal {
  /** Wall clock, ms. */
  readonly at: number;
  readonly source: string;
  readonly username: string;
  readonly status: number;
}

export interface EdgeInsight {
  readonly domain?: string;
  readonly lines: readonly LineInsight[];
  readonly upstream: Pick<UpstreamInsight, 'target' | 'flow'>;
  /** The latest, oldest first. */
  readonly refusals: readonly Refusal[];
  readonly counts: SipCounts;
  /** Ids of the calls that are up or being set up. */
  readonly calls: readonly string[];
}

/** What happens to a call, as it happens. */
export type CallNote =
  | {
      readonly at: 'started';
      readonly call: string;
      readonly callId: string;
      readonly from: string;
      readonly to: string;
      readonly wall: number;
    }
  /** Another dialog of the same call: a phone or the softswitch is being called. */
  | { readonly at: 'invited'; readonly call: string; readonly callId: string }
  | { readonly at: 'answered'; readonly call: string; readonly wall: number }
  | { readonly at: 'over'; readonly call: string; readonly reason: string; readonly wall: number };

/** Who wants to see messages and calls as they pass. */
export interface Onlooker {
  message(direction: 'in' | 'out', peer: string, text: string): void;
  call(note: CallNote): void;
}

export const REFUSALS_LIMIT = 32;

/** `udp 192.168.1.20:5060`. */
export function peerText({ protocol, remote }: { readonly protocol: string; readonly remote: Address }): string {
  return `${protocol} ${remote.host.includes(':') ? `[${remote.host}]` : remote.host}:${remote.port}`;
}
