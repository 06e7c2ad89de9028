/** Tickets: what opens one thing for one gateway for a short while. `expires.gateway.mac`, keyed by a secret of the operator. */
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import type { Crypto } from '#shared/kernel/world.ts';

/** Milliseconds that a ticket lasts. */
export const TICKET_LIFE = 300_000;

/** A ticket for `gateway` to open `subject`, from wall time `wall` (ms) on. */
export function sealTicket(crypto: Crypto, key: Uint8Array, gateway: string, subject: string, wall: number): string {
  const expires = wall + TICKET_LIFE;
  return `${expires}.${gateway}.${mac(crypto, key, gateway, subject, expires)}`;
}

/** The gateway that holds the ticket; undefined where it is for another subject, has expired or is forged. */
export function openTicket(
  crypto: Crypto,
  key: Uint8Array,
  subject: string,
  ticket: string,
  wall: number,
): string | undefined {
  const match = /^(\d{1,15})\.([A-Za-z0-9_-]{1,64})\.([0-9a-f]{64})$/.exec(ticket);
  if (match === null) return undefined;
  const [, expires = '', gateway = '', given = ''] = match;
  if (Number(expires) < wall) return undefined;
  const right = mac(crypto, key, gateway, subject, Number(expires));
  return crypto.equal(utf8(right), utf8(given)) ? gateway : undefined;
}

function mac(crypto: Crypto, key: Uint8Array, gateway: string, subject: string, expires: number): string {
  return hex(crypto.hmac('sha256', key, utf8(`${expires} ${gateway} ${subject}`)));
}
