/** Base 64 (RFC 4648, section 4, with padding) without the platform. */
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function toBase64(octets: Uint8Array): string {
  let text = '';
  for (let i = 0; i < octets.length; i += 3) {
    const [a = 0, b, c] = [octets[i], octets[i + 1], octets[i + 2]];
    text += ALPHABET.charAt(a >> 2) + ALPHABET.charAt(((a & 3) << 4) | ((b ?? 0) >> 4));
    text += b === undefined ? '=' : ALPHABET.charAt(((b & 15) << 2) | ((c ?? 0) >> 6));
    text += c === undefined ? '=' : ALPHABET.charAt(c & 63);
  }
  return text;
}

/** The octets; undefined where the text is no base 64 or its unused bits are not zero. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined;
  const body = text.replace(/=+$/, '');
  const octets = new Uint8Array(Math.floor((body.length * 6) / 8));
  let [held, bits, at] = [0, 0, 0];
  for (const char of body) {
    held = ((held << 6) | ALPHABET.indexOf(char)) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      octets[at++] = (held >> bits) & 255;
    }
  }
  return (held & ((1 << bits) - 1)) === 0 ? octets : undefined;
}
