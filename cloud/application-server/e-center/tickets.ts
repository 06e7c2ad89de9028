/** Tickets that open one package for one gateway for a short while. */
import { openTicket, sealTicket } from '#cloud/store/ticket.ts';
import type { Crypto } from '#shared/kernel/world.ts';

export { TICKET_LIFE } from '#cloud/store/ticket.ts';

export interface TicketFor {
  readonly gateway: string;
  readonly application: string;
  readonly version: string;
}

export function writeTicket(crypto: Crypto, key: Uint8Array, wanted: TicketFor, wall: number): string {
  return sealTicket(crypto, key, wanted.gateway, `${wanted.application} ${wanted.version}`, wall);
}

/** The gateway that holds the ticket; undefined where it is for another package, has expired or is forged. */
export function readTicket(
  crypto: Crypto,
  key: Uint8Array,
  wanted: Omit<TicketFor, 'gateway'>,
  ticket: string,
  wall: number,
): string | undefined {
  return openTicket(crypto, key, `${wanted.application} ${wanted.version}`, ticket, wall);
}
