/** Octets and text without Node's Buffer, so that pure folders stay free of the platform. */

/** One character per octet (ISO 8859-1), the form in which a transport hands SIP text to the parser. */
export function latin1(octets: Uint8Array): string {
  let text = '';
  for (let i = 0; i < octets.length; i += 8192) text += String.fromCharCode(...octets.subarray(i, i + 8192));
  return text;
}

/** The octets of a string of characters 0..255; a higher character is cut to its low octet. */
export function fromLatin1(text: string): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) octets[i] = text.charCodeAt(i);
  return octets;
}

/** UTF-8 octets of a string; a lone surrogate becomes U+FFFD. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 0x80) return wideUtf8(text);
    octets[i] = code;
  }
  return octets;
}

function wideUtf8(text: string): Uint8Array<ArrayBuffer> {
  const octets: number[] = [];
  for (const char of text) {
    let c = char.codePointAt(0) ?? 0;
    if (c >= 0xd800 && c <= 0xdfff) c = 0xfffd;
    if (c < 0x80) octets.push(c);
    else if (c < 0x800) octets.push(0xc0 | (c >> 6), 0x80 | (c & 63));
    else if (c < 0x10000) octets.push(0xe0 | (c >> 12), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
    else octets.push(0xf0 | (c >> 18), 0x80 | ((c >> 12) & 63), 0x80 | ((c >> 6) & 63), 0x80 | (c & 63));
  }
  return Uint8Array.from(octets);
}

const HEX = '0123456789abcdef';
/** Every octet in hexadecimal. */
const PAIRS = Array.from({ length: 256 }, (_none, octet) => HEX.charAt(octet >> 4) + HEX.charAt(octet & 15));

/** Lower-case hexadecimal. */
export function hex(octets: Uint8Array): string {
  let text = '';
  for (let i = 0; i < octets.length; i++) text += PAIRS[octets[i] ?? 0];
  return text;
}

/** Octets of a hexadecimal string; undefined where it is none. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 2 !== 0) return undefined;
  const octets = new Uint8Array(text.length / 2);
  for (let i = 0; i < octets.length; i++) {
    const high = HEX.indexOf(text.charAt(2 * i).toLowerCase());
    const low = HEX.indexOf(text.charAt(2 * i + 1).toLowerCase());
    if (high < 0 || low < 0) return undefined;
    octets[i] = high * 16 + low;
  }
  return octets;
}
