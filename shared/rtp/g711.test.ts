import { describe, expect, it } from 'vitest';
import { a, decodeA, decodeMu, lawOf, mu, transcode } from './g711.ts';

/** The segment form of the mu-law encoder, as textbooks give it: bias 132, clip 32635, truncation. */
function textbookMu(sample: number): number {
  const sign = sample < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(sample), 32_635) + 132;
  const segment = Math.max(0, Math.floor(Math.log2(magnitude)) - 7);
  return ~(sign | (segment << 4) | ((magnitude >> (segment + 3)) & 15)) & 255;
}

/** The same for A-law: 13 bits, of which the lowest sixteen steps are linear. */
function textbookA(sample: number): number {
  const sign = sample < 0 ? 0 : 0x80;
  const magnitude = Math.min(sample < 0 ? -sample - 1 : sample, 32_767) >> 4;
  const segment = magnitude < 16 ? 0 : Math.floor(Math.log2(magnitude)) - 3;
  const step = segment < 2 ? magnitude & 15 : (magnitude >> (segment - 1)) & 15;
  return (sign | (segment << 4) | step) ^ 0x55;
}

describe.each([
  ['PCMU', mu, textbookMu],
  ['PCMA', a, textbookA],
] as const)('%s', (name, tables, textbook) => {
  const decode = (code: number): number => tables.decode[code] as number;
  const encode = (sample: number): number => tables.encode[sample & 0xffff] as number;

  it('gives every code back to itself, but for minus zero', () => {
    for (let code = 0; code < 256; code++) {
      const again = encode(decode(code));
      if (name === 'PCMU' && code === 0x7f) expect(again).toBe(0xff);
      else expect(again).toBe(code);
    }
  });

  it('is never farther from the sample than the textbook, and nearly always the same', () => {
    let same = 0;
    for (let sample = -32_768; sample <= 32_767; sample++) {
      const mine = encode(sample);
      const theirs = textbook(sample);
      if (mine === theirs) same++;
      expect(Math.abs(decode(mine) - sample)).toBeLessThanOrEqual(Math.abs(decode(theirs) - sample));
    }
    expect(same / 65_536).toBeGreaterThan(0.96);
  });

  it('is symmetrical and rising', () => {
    for (let sample = 1; sample <= 32_767; sample++) {
      expect(encode(sample) ^ encode(-sample)).toBe(0x80);
      expect(decode(encode(sample))).toBeGreaterThanOrEqual(decode(encode(sample - 1)));
    }
  });
});

it('decodes the codes that the standard names', () => {
  expect([0xff, 0x7f, 0x80, 0x00, 0xef].map(decodeMu)).toEqual([0, -0, 32_124, -32_124, 132]);
  expect([0xd5, 0x55, 0xaa, 0x2a].map(decodeA)).toEqual([8, -8, 32_256, -32_256]);
  expect([mu.silence, a.silence]).toEqual([0xff, 0xd5]);
  expect([lawOf('PCMU'), lawOf('PCMA')]).toEqual([mu, a]);
});

it('transcodes to the nearest code, and not at all where nothing is to do', () => {
  expect(transcode('PCMU', 'PCMU')).toBeUndefined();
  const there = transcode('PCMU', 'PCMA') ?? new Uint8Array(0);
  const back = transcode('PCMA', 'PCMU') ?? new Uint8Array(0);
  for (let code = 0; code < 256; code++) {
    const sample = mu.decode[code] as number;
    const far = a.decode[there[code] as number] as number;
    expect(Math.abs(far - sample)).toBeLessThanOrEqual(Math.max(16, Math.abs(sample) / 16));
    const again = mu.decode[back[there[code] as number] as number] as number;
    expect(Math.abs(again - sample)).toBeLessThanOrEqual(Math.max(16, Math.abs(sample) / 16));
  }
});
