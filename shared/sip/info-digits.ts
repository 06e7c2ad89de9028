/** Digits in INFO (RFC 6086): `application/dtmf-relay` (Signal=5, Duration=160) and `application/dtmf` (the digit alone), as phones send them. */

const KEYS = '0123456789*#ABCD';
/** Milliseconds of a digit that names no duration, and the longest that is believed. */
const USUAL = 160;
const LONGEST = 10_000;

/** The digit and its duration in ms; undefined for any other content. */
export function readInfoDigit(
  contentType: string | undefined,
  body: string,
): { readonly digit: string; readonly duration: number } | undefined {
  const type = contentType?.split(';')[0]?.trim().toLowerCase();
  if (body.length > 256) return undefined;
  if (type === 'application/dtmf') return digit(body, undefined);
  if (type !== 'application/dtmf-relay') return undefined;
  const fields = new Map<string, string>();
  for (const line of body.split('\n')) {
    const equals = line.indexOf('=');
    if (equals > 0) fields.set(line.slice(0, equals).trim().toLowerCase(), line.slice(equals + 1).trim());
  }
  const signal = fields.get('signal');
  return signal === undefined ? undefined : digit(signal, fields.get('duration'));
}

function digit(signal: string, duration: string | undefined) {
  const text = signal.trim().toUpperCase();
  // Some phones say 10 and 11 for the star and the hash key.
  const key = text === '10' ? '*' : text === '11' ? '#' : text;
  if (key.length !== 1 || !KEYS.includes(key)) return undefined;
  const said = duration !== undefined && /^\d{1,6}$/.test(duration) ? Number(duration) : USUAL;
  return { digit: key, duration: Math.min(LONGEST, said) };
}
