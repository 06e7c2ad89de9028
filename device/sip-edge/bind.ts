/** The listeners for the house's phones: UDP, and TCP on the same port, since phones expect it there. */
import type { SipTransport } from '#shared/host/sip.ts';
import type { Address } from '#shared/kernel/world.ts';

export interface PhoneListeners {
  readonly udp: Address;
  readonly tcp: Address;
}

/** Port 0 takes any free one. Rejects with a NetError where the address is taken. */
export async function bindPhones(transport: SipTransport, listen: Address): Promise<PhoneListeners> {
  const { udp } = await transport.bind({ udp: listen });
  const at = udp[0] ?? listen;
  const { tcp } = await transport.bind({ tcp: at });
  return { udp: at, tcp: tcp[0] ?? at };
}
