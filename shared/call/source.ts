/** Who is one and the same on the network, as far as limits and bans go. Pure. */

/** What counts as one source: an IPv4 address, or the 64-bit prefix of an IPv6 address, for a host owns all of that. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  const gap = address.indexOf('::');
  const head = (gap < 0 ? address : address.slice(0, gap)).split(':').filter((group) => group !== '');
  if (head.length >= 4) return head.slice(0, 4).join(':');
  const tail = address
    .slice(gap + 2)
    .split(':')
    .filter((group) => group !== '');
  const zeros = Math.max(0, 8 - head.length - tail.length);
  return [...head, ...new Array<string>(zeros).fill('0'), ...tail].slice(0, 4).join(':');
}
