/** Which addresses a webhook may go to: those of the public internet alone, unless the operator allows others. Pure. */

/** IPv4 blocks that are not global (RFC 6890 and the IANA special-purpose registry): address and prefix length. */
const CLOSED_4: readonly (readonly [number, number])[] = [
  [ip4(0, 0, 0, 0), 8],
  [ip4(10, 0, 0, 0), 8],
  [ip4(100, 64, 0, 0), 10],
  [ip4(127, 0, 0, 0), 8],
  [ip4(169, 254, 0, 0), 16],
  [ip4(172, 16, 0, 0), 12],
  [ip4(192, 0, 0, 0), 24],
  [ip4(192, 0, 2, 0), 24],
  [ip4(192, 88, 99, 0), 24],
  [ip4(192, 168, 0, 0), 16],
  [ip4(198, 18, 0, 0), 15],
  [ip4(198, 51, 100, 0), 24],
  [ip4(203, 0, 113, 0), 24],
  [ip4(224, 0, 0, 0), 3],
];

function ip4(a: number, b: number, c: number, d: number): number {
  return a * 0x1000000 + b * 0x10000 + c * 0x100 + d;
}

/** True for a literal IPv4 or IPv6 address of the public internet; false for all other text. */
export function isPublicAddress(address: string): boolean {
  const four = read4(address);
  if (four !== undefined) return isPublic4(four);
  const words = read6(address);
  if (words === undefined) return false;
  const [a = 0, b = 0] = words;
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff)
    return isPublic4((words[6] ?? 0) * 0x10000 + (words[7] ?? 0));
  // 2000::/3 is what is global; in it Teredo and other protocol blocks, documentation, and 6to4 are not.
  if (a >> 13 !== 1) return false;
  return !(a === 0x2002 || (a === 0x2001 && (b < 0x200 || b === 0xdb8)) || a === 0x3fff);
}

function isPublic4(address: number): boolean {
  return !CLOSED_4.some(([block, length]) => Math.floor(address / 2 ** (32 - length)) === block / 2 ** (32 - length));
}

function read4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const [a = 256, b = 256, c = 256, d = 256] = match?.slice(1).map(Number) ?? [];
  return Math.max(a, b, c, d) > 255 ? undefined : ip4(a, b, c, d);
}

/** The eight words of an IPv6 address, also with an IPv4 tail. */
function read6(text: string): number[] | undefined {
  const tail = /:(\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.exec(text)?.[1];
  const four = tail === undefined ? undefined : read4(tail);
  if (tail !== undefined && four === undefined) return undefined;
  const plain =
    tail === undefined || four === undefined
      ? text
      : `${text.slice(0, -tail.length)}${(four >>> 16).toString(16)}:${(four % 0x10000).toString(16)}`;
  const halves = plain.split('::');
  if (halves.length > 2) return undefined;
  const [head = [], rest = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - rest.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const words = [...head, ...Array<string>(missing).fill('0'), ...rest];
  return words.every((word) => /^[0-9a-f]{1,4}$/i.test(word))
    ? words.map((word) => Number.parseInt(word, 16))
    : undefined;
}
