/** Room for one more connection where strangers hold all that there are for them. */
import type { Peer } from '#shared/kernel/world.ts';
import type { SipConnection } from './sip-connection.ts';
import type { SipGuard } from './sip-guard.ts';

/** The peer showed a certificate that we believe: a gateway of ours. */
export const isProven = (peer: Peer): boolean => peer.kind === 'certificate' && peer.trusted;

/** Closes the one of a stranger on which nothing came for longest, if that is since before `idleSince` (monotonic ms); false where there is none. */
export function makeRoom(guard: SipGuard, connections: Iterable<SipConnection>, idleSince: number): boolean {
  if (!guard.isFull) return false;
  let idlest: SipConnection | undefined;
  for (const one of connections) {
    if (!one.incoming || one.heardAt >= (idlest?.heardAt ?? idleSince)) continue;
    if (!isProven(one.flow.peer) && guard.isStranger(one.flow.remote.host)) idlest = one;
  }
  idlest?.destroy('makes room for another');
  return idlest !== undefined;
}
