/** Tickets: what opens one package for one gateway for a short while. `expires.gateway.mac`, keyed by the operator's secret. */
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import type { Crypto } from '#shared/kernel/world.ts';

/** Milliseconds that a ticket lasts. */
export const TICKET_LIFE = 300_000;

export interface TicketFor {
  readonly gateway: string;
  readonly application: string;
  readonly version: string;
}

export function writeTicket(crypto: Crypto, key: Uint8Array, wanted: TicketFor, wall: number): string {
  const expires = wall + TICKET_LIFE;
  return `${expires}.${wanted.gateway}.${mac(crypto, key, wanted, expires)}`;
}

/** The gateway that holds the ticket; undefined where it is for another package, has expired or is forged. */
export function readTicket(
  crypto: Crypto,
  key: Uint8Array,
  wanted: Omit<TicketFor, 'gateway'>,
  ticket: string,
  wall: number,
): string | undefined {
  const match = /^(\d{1,15})\.([A-Za-z0-9_-]{1,64})\.([0-9a-f]{64})$/.exec(ticket);
  if (match === null) return undefined;
  const [, expires = '', gateway = '', given = ''] = match;
  if (Number(expires) < wall) return undefined;
  const right = mac(crypto, key, { ...wanted, gateway }, Number(expires));
  return crypto.equal(utf8(right), utf8(given)) ? gateway : undefined;
}

function mac(crypto: Crypto, key: Uint8Array, { gateway, application, version }: TicketFor, expires: number): string {
  return hex(crypto.hmac('sha256', key, utf8(`${expires} ${gateway} ${application} ${version}`)));
}
