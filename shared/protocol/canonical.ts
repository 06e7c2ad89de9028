/**
 * Canonical JSON: one text for one value, so that a signature or a hash over it does not depend on who wrote it (the rules of
 * RFC 8785: members sorted by UTF-16 code units, no spaces, numbers and strings as ECMAScript writes them).
 */

/** Nested deeper than this is no document of ours. */
const DEPTH = 32;

/** The canonical text of a JSON value. Throws on what JSON cannot carry (undefined inside an array, NaN, functions) and on nesting beyond 32. */
export function canonical(value: unknown): string {
  return write(value, 0);
}

function write(value: unknown, depth: number): string {
  if (depth > DEPTH) throw new RangeError(`nested deeper than ${DEPTH}`);
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new RangeError('JSON has no such number');
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`;
  if (typeof value !== 'object') throw new TypeError(`JSON has no ${typeof value}`);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, member]) => `${JSON.stringify(name)}:${write(member, depth + 1)}`);
  return `{${members.join(',')}}`;
}
