/** Versions `major.minor.patch` and ranges over them (Semantic Versioning 2.0.0, without pre-releases). */

type Version = readonly [number, number, number];

const VERSION = /^(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})$/;
const COMPARATOR = /^(>=|<=|>|<|=|\^|~)?(\d+\.\d+\.\d+)$/;

/** Longest text of a range, characters. */
export const RANGE_LIMIT = 64;

function read(text: string): Version | undefined {
  const match = VERSION.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

export function isVersion(text: string): boolean {
  return read(text) !== undefined;
}

/** Negative where `a` is older than `b`; text that is no version is older than every version. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [read(a), read(b)];
  if (x === undefined || y === undefined) return (x === undefined ? 0 : 1) - (y === undefined ? 0 : 1);
  return compare(x, y);
}

function compare(a: Version, b: Version): number {
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2];
}

/** `*`, or comparators that must all hold: `>=1.2.0 <2.0.0`, `^1.2.0` (same major, or same minor below 1), `~1.2.0` (same minor), `1.2.3`. */
export function isRange(text: string): boolean {
  return (
    text.length <= RANGE_LIMIT && (text === '*' || text.split(' ').every((part) => comparator(part) !== undefined))
  );
}

/** Whether a version lies in a range; false where either is none. */
export function inRange(version: string, range: string): boolean {
  const own = read(version);
  if (own === undefined || !isRange(range)) return false;
  return range === '*' || range.split(' ').every((part) => comparator(part)?.(own) === true);
}

function comparator(text: string): ((version: Version) => boolean) | undefined {
  const match = COMPARATOR.exec(text);
  const base = match === null ? undefined : read(match[2] ?? '');
  if (base === undefined) return undefined;
  const at = (version: Version) => compare(version, base);
  switch (match?.[1] ?? '=') {
    case '>=':
      return (version) => at(version) >= 0;
    case '<=':
      return (version) => at(version) <= 0;
    case '>':
      return (version) => at(version) > 0;
    case '<':
      return (version) => at(version) < 0;
    case '^':
      return (version) => at(version) >= 0 && version[0] === base[0] && (base[0] > 0 || version[1] === base[1]);
    case '~':
      return (version) => at(version) >= 0 && version[0] === base[0] && version[1] === base[1];
    default:
      return (version) => at(version) === 0;
  }
}
