/** Addresses as the gateway's SIP writes and reads them; pure. */
import type { Address } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import { writeHost } from '#shared/sip/uri.ts';

/** Our Contact URI for `user` on a flow. */
export function contactOn({ local, protocol }: Flow, user: string): string {
  return `sip:${user}@${writeHost(local.host)}:${local.port}${protocol === 'udp' ? '' : `;transport=${protocol}`}`;
}

/** Reads `host:port`, with brackets around an IPv6 address; undefined where it is something else. */
export function readHostPort(text: string): Address | undefined {
  const found = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text);
  const host = found?.[1] ?? found?.[2];
  const port = Number(found?.[3]);
  return host === undefined || !(port > 0 && port < 65_536) ? undefined : { host, port };
}
