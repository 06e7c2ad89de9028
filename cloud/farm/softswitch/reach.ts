/** How far literal addresses are known. Pure. */

/** Nowhere, on its machine, its link, its network, everywhere. */
export type Reach = 0 | 1 | 2 | 3 | 4;

/** RFC 1122 section 3.2.1.3, RFC 1918, 3927, 5771 and 6598; RFC 4291 sections 2.4 and 2.5, RFC 4193. */
export function reachOf(host: string): Reach {
  if (host.includes(':')) return reachOf6(host.toLowerCase());
  const [a = 0, b = 0] = host.split('.').map(Number);
  if (a === 0 || a >= 224) return 0;
  if (a === 127) return 1;
  if (a === 169 && b === 254) return 2;
  const isPrivate = a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168);
  return isPrivate || (a === 100 && b >= 64 && b <= 127) ? 3 : 4;
}

function reachOf6(host: string): Reach {
  if (host === '::' || /^ff..:/.test(host)) return 0;
  if (host === '::1') return 1;
  if (/^fe[89ab].:/.test(host)) return 2;
  return /^f[cd]..:/.test(host) ? 3 : 4;
}

/** True for an address that means nothing beyond its own machine, link or network. */
export function isPrivate(host: string): boolean {
  const reach = reachOf(host);
  return reach > 0 && reach < 4;
}

export const isLoopback = (host: string): boolean => reachOf(host) === 1;
