/** Which address of ours a peer should see. */
import type { Address, Net } from '#shared/kernel/world.ts';

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

const isLoopback = (host: string): boolean => host.startsWith('127.') || host === '::1';

/** The address to name in Via towards `remote`: the one bound, or where all are bound the public one or else one of the remote's family. */
export function localFor(
  net: Pick<Net, 'addresses'>,
  bound: Address,
  remote: string,
  publicHost: string | undefined,
): Address {
  if (!isWildcard(bound.host)) return bound;
  if (isLoopback(remote)) return { host: remote.includes(':') ? '::1' : '127.0.0.1', port: bound.port };
  const six = remote.includes(':');
  // A public address of the other family is of no use to this one.
  const fits = publicHost !== undefined && (publicHost.includes(':') === six || !/^[\d.]+$|:/.test(publicHost));
  if (fits) return { host: publicHost, port: bound.port };
  const own = net.addresses().filter((address) => address.family === (six ? 6 : 4));
  const best = own.find((address) => !address.loopback) ?? own[0];
  return { host: best?.host ?? publicHost ?? bound.host, port: bound.port };
}
