/** The one range of a `Range` header (RFC 9110, section 14.2). Pure. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/** The range within `size` octets; undefined where the whole is to be sent: no header, another unit, several ranges, or nonsense. */
export function readRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '');
  if (match === null) return undefined;
  const [, from = '', to = ''] = match;
  if (from === '' && to === '') return undefined;
  if (from === '')
    return Number(to) === 0 ? 'unsatisfiable' : { first: Math.max(0, size - Number(to)), last: size - 1 };
  const first = Number(from);
  if (to !== '' && Number(to) < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last: to === '' ? size - 1 : Math.min(size - 1, Number(to)) };
}
