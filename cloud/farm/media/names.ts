/** Names of media nodes: derived from session and leg, so that the same request always means the same node. */
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import type { Crypto } from '#shared/kernel/world.ts';

export interface Owner {
  readonly session: string;
  readonly leg: string;
}

/** What the engine keeps for each node. */
export function ownerText({ session, leg }: Owner): string {
  return `${session}/${leg}`;
}

/** Reads what `ownerText` wrote. */
export function readOwner(text: string): Owner {
  const slash = text.indexOf('/');
  return { session: text.slice(0, slash), leg: text.slice(slash + 1) };
}

export type NodeKind = 'ep' | 'player' | 'snd';

/** The node of that kind for a leg. */
export function nodeId(crypto: Crypto, kind: NodeKind, owner: Owner): string {
  return `${kind}_${base32(crypto.hash('sha256', utf8(ownerText(owner)))).slice(0, 26)}`;
}

/** The tone player of an endpoint. */
export function toneId(endpoint: string): string {
  return `tone_${endpoint.slice(3)}`.slice(0, 64);
}

/** The `o=` session id of an endpoint's descriptions: a number that stays, also over a restart. */
export function sdpSession(crypto: Crypto, endpoint: string): number {
  return Number.parseInt(hex(crypto.hash('sha256', utf8(endpoint)).subarray(0, 4)), 16);
}
