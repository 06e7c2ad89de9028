/**
 * Identifiers: `<prefix>_<26 characters>`, time-ordered (the layout of a ULID: 48 bits of wall-clock milliseconds, then
 * 80 random bits, in Crockford's base 32, lower case). They match `[A-Za-z0-9_-]{1,64}`, so every broker, path and SIP
 * token can carry them.
 */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

export type IdPrefix =
  | 'home'
  | 'gw'
  | 'line'
  | 'ses'
  | 'leg'
  | 'acc'
  | 'tok'
  | 'msg'
  | 'dev'
  | 'alm'
  | 'ep'
  | 'room'
  | 'rte'
  | 'cmd'
  | 'chn'
  | 'rsv'
  | 'aud'
  | 'evt'
  | 'mail'
  | 'mbx'
  | 'grp'
  | 'hook'
  | 'dlv'
  | 'key'
  | 'qos'
  | 'rec'
  | 'app'
  | 'ins'
  | 'con'
  | 'rel'
  | 'rol'
  | 'clt'
  | 'clm'
  | 'trk'
  | 'emc';

/** Makes an identifier from the wall clock (ms since 1970) and 10 random bytes. */
export function newId(prefix: IdPrefix, wall: number, random: Uint8Array): string {
  if (random.length < 10) throw new RangeError('newId needs 10 random bytes');
  const now = Math.floor(wall);
  if (now !== latest.wall) latest = { wall: now, text: timeText(now) };
  return `${prefix}_${latest.text}${base32(random.subarray(0, 10))}`;
}

/** The time part made last: many identifiers are of one millisecond. */
let latest = { wall: -1, text: '' };

function timeText(wall: number): string {
  let time = '';
  let rest = wall;
  for (let i = 0; i < 10; i++) {
    time = ALPHABET[rest % 32] + time;
    rest = Math.floor(rest / 32);
  }
  return time;
}

/** Two characters for every ten bits. */
const PAIRS = Array.from({ length: 1024 }, (_none, bits) => ALPHABET.charAt(bits >> 5) + ALPHABET.charAt(bits & 31));

/** Base 32 (Crockford's alphabet, lower case, no padding) of any octets; 5 octets become 8 characters. */
export function base32(octets: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (let i = 0; i < octets.length; i++) {
    held = (held << 8) | (octets[i] ?? 0);
    bits += 8;
    if (bits >= 10) {
      bits -= 10;
      text += PAIRS[(held >> bits) & 1023];
    }
  }
  if (bits >= 5) {
    bits -= 5;
    text += ALPHABET[(held >> bits) & 31];
  }
  if (bits > 0) text += ALPHABET[(held << (5 - bits)) & 31];
  return text;
}

/** True for text that may stand as an identifier in a topic, a path or a key. */
export function isId(text: string): boolean {
  if (text.length < 1 || text.length > 64) return false;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    const good = (c >= 48 && c <= 57) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c === 95 || c === 45;
    if (!good) return false;
  }
  return true;
}
