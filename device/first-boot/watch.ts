/** From what the gateway knows of itself to the facts of its stages. Pure. */
import type { InterfaceAddress } from '#shared/kernel/world.ts';
import { BRIDGE } from '../home-network/router-files.ts';
import { causeText } from '../local-page/page.ts';
import type { PairingStatus } from '../pairing/status.ts';
import type { StageFacts } from './stages.ts';

export interface Seen {
  readonly pairing: PairingStatus;
  readonly addresses: readonly InterfaceAddress[];
  readonly storage: boolean;
  /** A time server has answered since the start. */
  readonly timed: boolean;
  readonly cloudSet: boolean;
}

/** Reaches no further than the wire: IPv4 link-local (RFC 3927), IPv6 link-local (RFC 4291). */
const LINK_LOCAL = /^(169\.254\.|fe80:)/i;

const pairings: Readonly<Record<PairingStatus['at'], StageFacts['pairing']>> = {
  starting: 'unpaired',
  unpaired: 'unpaired',
  announced: 'announced',
  claimed: 'pairing',
  reconnecting: 'pairing',
  configuring: 'pairing',
  paired: 'paired',
};

export function factsOf({ pairing, addresses, storage, timed, cloudSet }: Seen): StageFacts {
  const outer = addresses.filter(({ loopback }) => !loopback);
  const far = outer.filter(({ host }) => !LINK_LOCAL.test(host));
  const found = pairing.at !== 'starting';
  return {
    storage,
    links: [...new Set(outer.map(({ name }) => name))],
    addresses: far.map(({ name, host }) => `${name} ${host}`),
    // What is connected has a way, however it looks from here: a cloud on this machine needs no network.
    uplink: pairing.online || (found && far.length === 0) || far.some(({ name }) => name !== BRIDGE),
    timed: timed || pairing.online,
    cloudSet,
    cloudFound: found,
    problem: pairing.problem,
    pairing: pairings[pairing.at],
    ...(pairing.cause === undefined ? {} : { cause: causeText(pairing.cause) }),
    online: pairing.online,
  };
}
