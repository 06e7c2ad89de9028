/** The listeners for the house's phones: UDP, and TCP on the same port, since phones expect it there. */
import type { SipTransport } from '#shared/host/sip.ts';
import { portForBoth } from '#shared/host/sip-port.ts';
import type { Address, Net } from '#shared/kernel/world.ts';

export interface PhoneListeners {
  readonly udp: Address;
  readonly tcp: Address;
}

/**
 * Port 0 takes any free one. `bound` is run once UDP is bound and before anything can be heard. Rejects with a NetError where the
 * address is taken.
 */
export async function bindPhones(
  net: Net,
  transport: SipTransport,
  listen: Address,
  bound?: () => Promise<void>,
): Promise<PhoneListeners> {
  const wanted = await portForBoth(net, listen);
  const { udp } = await transport.bind({ udp: wanted });
  const at = udp[0] ?? wanted;
  await bound?.();
  const { tcp } = await transport.bind({ tcp: at });
  return { udp: at, tcp: tcp[0] ?? at };
}
