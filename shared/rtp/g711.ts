/**
 * G.711, both laws, by tables that are computed once. Decoding is ITU-T G.711 tables 1 and 2 scaled to 16 bits; encoding
 * takes the code whose decoded value is nearest, and of two equally near the one of greater magnitude.
 */

/** The two codecs, by their RTP names (RFC 3551 section 4.5.14). */
export type Law = 'PCMU' | 'PCMA';

export interface LawTables {
  /** Code -> 16-bit sample. */
  readonly decode: Int16Array;
  /** Sample, as its unsigned 16-bit index (`sample & 0xffff`) -> code. */
  readonly encode: Uint8Array;
  /** The code of silence. */
  readonly silence: number;
}

/** The 16-bit sample of a mu-law code: sign, 3-bit segment and 4-bit step, all inverted; bias 132. */
export function decodeMu(code: number): number {
  const bits = ~code & 255;
  const magnitude = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132;
  return (bits & 128) !== 0 ? -magnitude : magnitude;
}

/** The 16-bit sample of an A-law code: every other bit inverted, sign 1 = positive. */
export function decodeA(code: number): number {
  const bits = code ^ 0x55;
  const segment = (bits >> 4) & 7;
  const step = ((bits & 15) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 256) << (segment - 1);
  return (bits & 128) !== 0 ? magnitude : -magnitude;
}

function tables(decodeOne: (code: number) => number, positive: number): LawTables {
  const decode = new Int16Array(256);
  for (let code = 0; code < 256; code++) decode[code] = decodeOne(code);
  const encode = new Uint8Array(65_536);
  // The sign bit of a sample chooses the half of the codes, so that -1 in mu-law becomes "minus zero", as in G.711.
  const half = (sign: 1 | -1): number[] => {
    const first = sign === 1 ? positive : positive ^ 128;
    const codes = Array.from({ length: 128 }, (_, i) => first ^ i);
    return codes.sort((a, b) => sign * (decodeOne(a) - decodeOne(b)));
  };
  for (const sign of [1, -1] as const) {
    const codes = half(sign);
    let at = 0;
    for (let magnitude = sign === 1 ? 0 : 1; magnitude <= (sign === 1 ? 32_767 : 32_768); magnitude++) {
      const distance = (i: number): number => Math.abs(sign * decodeOne(codes[i] as number) - magnitude);
      while (at + 1 < 128 && distance(at + 1) <= distance(at)) at++;
      encode[(sign * magnitude) & 0xffff] = codes[at] as number;
    }
  }
  return { decode, encode, silence: encode[0] as number };
}

/** Mu-law (PCMU, payload type 0). */
export const mu: LawTables = tables(decodeMu, 0x80);
/** A-law (PCMA, payload type 8). */
export const a: LawTables = tables(decodeA, 0x80);

export function lawOf(codec: Law): LawTables {
  return codec === 'PCMU' ? mu : a;
}

function transcoder(from: LawTables, to: LawTables): Uint8Array {
  const table = new Uint8Array(256);
  for (let code = 0; code < 256; code++) table[code] = to.encode[(from.decode[code] as number) & 0xffff] as number;
  return table;
}

const muToA = transcoder(mu, a);
const aToMu = transcoder(a, mu);

/** Code of one law -> code of the other; undefined where both are the same. */
export function transcode(from: Law, to: Law): Uint8Array | undefined {
  if (from === to) return undefined;
  return from === 'PCMU' ? muToA : aToMu;
}
