/**
 * Who is on a connection and what it may touch. The certificate alone says who; what a client calls itself must agree.
 * Two lines for each kind: it writes below its own prefix and reads its own filter, nothing else at all.
 */
import { isId } from '#shared/kernel/ids.ts';
import type { Peer } from '#shared/kernel/world.ts';
import { applicantFilter, applicantUp, gatewayFilter, readGatewayUp, type UpChannel } from '#shared/protocol/topics.ts';

export type Identity =
  | { readonly kind: 'gateway'; readonly gateway: string; readonly home: string; readonly serial: string }
  | { readonly kind: 'applicant'; readonly keyHash: string };

/** What a certificate claims, before anything is looked up; undefined: close without a word. */
export function claimOf(
  peer: Peer,
): { kind: 'gateway'; gateway: string; serial: string } | { kind: 'applicant'; keyHash: string } | undefined {
  if (peer.kind === 'none') return undefined;
  if (peer.trusted) {
    const { subject, serial } = peer;
    return subject.startsWith('gw_') && isId(subject) ? { kind: 'gateway', gateway: subject, serial } : undefined;
  }
  return peer.selfSigned ? { kind: 'applicant', keyHash: peer.keyHash } : undefined;
}

/** The client identifier that this identity must use. */
export function clientIdOf(identity: Identity): string {
  return identity.kind === 'gateway' ? identity.gateway : identity.keyHash;
}

/** The channel on which a client publishes when it publishes to `topic`; undefined where it may not. */
export function mayPublish(identity: Identity, topic: string): UpChannel | undefined {
  if (identity.kind === 'applicant') {
    return (['req', 'res'] as const).find((channel) => topic === applicantUp(identity.keyHash, channel));
  }
  const read = readGatewayUp(topic);
  return read?.gateway === identity.gateway ? read.channel : undefined;
}

/** True for the one filter that is this client's own; QoS 2 is not spoken here. */
export function maySubscribe(identity: Identity, filter: string, qos: number): boolean {
  return qos <= 1 && filter === filterOf(identity);
}

export function filterOf(identity: Identity): string {
  return identity.kind === 'gateway' ? gatewayFilter(identity.gateway) : applicantFilter(identity.keyHash);
}
