/** Which address of ours a peer should see. */
import type { Address, Net } from '#shared/kernel/world.ts';

const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::';

const isLoopback = (host: string): boolean => host.startsWith('127.') || host === '::1';

/** The address to name in Via towards `remote`: the one bound, or where all are bound the public one or one that fits. */
export function localFor(
  net: Pick<Net, 'addresses'>,
  bound: Address,
  remote: string,
  publicHost: string | undefined,
): Address {
  if (!isWildcard(bound.host)) return bound;
  if (isLoopback(remote)) return { host: remote.includes(':') ? '::1' : '127.0.0.1', port: bound.port };
  if (publicHost !== undefined) return { host: publicHost, port: bound.port };
  const family = remote.includes(':') ? 6 : 4;
  const own = net.addresses().filter((address) => address.family === family);
  const best = own.find((address) => !address.loopback) ?? own[0];
  return { host: best?.host ?? bound.host, port: bound.port };
}
