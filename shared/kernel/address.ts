/** Literal addresses as texts. Pure. */

/** An IPv6 address as everybody writes it who keeps to RFC 5952 (the system among them), so that equal ones are equal texts; anything else as it is. */
export function plainAddress(host: string): string {
  if (!host.includes(':') || host.includes('.') || host.includes('%')) return host;
  const sides = host.toLowerCase().split('::');
  if (sides.length > 2) return host;
  const [head = [], tail = []] = sides.map((side) => side.split(':').filter((group) => group !== ''));
  const zeros = sides.length === 2 ? 8 - head.length - tail.length : 0;
  const groups = [...head, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...tail];
  if (groups.length !== 8 || groups.some((group) => !/^[0-9a-f]{1,4}$/.test(group))) return host;
  const plain = groups.map((group) => group.replace(/^0+(?=.)/, ''));
  const { at, size } = longestZeros(plain);
  if (size < 2) return plain.join(':');
  return `${plain.slice(0, at).join(':')}::${plain.slice(at + size).join(':')}`;
}

/** The first of the longest runs of zeros. */
function longestZeros(groups: readonly string[]): { readonly at: number; readonly size: number } {
  let best = { at: 0, size: 0 };
  for (let at = 0; at < groups.length; ) {
    let end = at;
    while (groups[end] === '0') end++;
    if (end - at > best.size) best = { at, size: end - at };
    at = Math.max(end, at + 1);
  }
  return best;
}
