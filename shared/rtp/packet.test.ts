import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newHeader, RTP_HEADER, readHeader, sequenceDistance, timestampDistance, writeHeader } from './packet.ts';

const octets = (...values: number[]): Uint8Array => Uint8Array.from(values);
const fixed = [0x80, 0x00, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8];

describe('readHeader', () => {
  const good: [string, number[], number, number][] = [
    ['a header alone', fixed, 12, 12],
    ['a payload', [...fixed, 9, 9, 9], 12, 15],
    ['two contributing sources', [0x82, ...fixed.slice(1), 0, 0, 0, 1, 0, 0, 0, 2, 9], 20, 21],
    ['an extension of one word', [0x90, ...fixed.slice(1), 0xbe, 0xde, 0, 1, 1, 1, 1, 1, 9], 20, 21],
    ['an empty extension', [0x90, ...fixed.slice(1), 0xbe, 0xde, 0, 0, 9], 16, 17],
    ['padding of two', [0xa0, ...fixed.slice(1), 9, 0, 2], 12, 13],
    ['nothing but padding', [0xa0, ...fixed.slice(1), 0, 2], 12, 12],
  ];
  it.each(good)('reads %s', (_, data, start, end) => {
    const header = newHeader();
    expect(readHeader(octets(...data), header)).toBe(true);
    expect(header).toMatchObject({
      sequence: 0x1234,
      timestamp: 0x01020304,
      ssrc: 0x05060708,
      payloadStart: start,
      payloadEnd: end,
    });
  });

  const bad: [string, number[]][] = [
    ['nothing', []],
    ['eleven octets', fixed.slice(0, 11)],
    ['version 1', [0x40, ...fixed.slice(1)]],
    ['version 3', [0xc0, ...fixed.slice(1)]],
    ['sources past the end', [0x81, ...fixed.slice(1)]],
    ['an extension header past the end', [0x90, ...fixed.slice(1), 0, 0, 0]],
    ['an extension past the end', [0x90, ...fixed.slice(1), 0, 0, 0, 1, 0, 0, 0]],
    ['padding of nothing', [0xa0, ...fixed.slice(1), 0]],
    ['padding longer than the payload', [0xa0, ...fixed.slice(1), 1, 3]],
    ['an RTCP sender report', [0x80, 200, ...fixed.slice(2)]],
    ['an RTCP application packet', [0x80, 204, ...fixed.slice(2)]],
  ];
  it.each(bad)('refuses %s', (_, data) => {
    expect(readHeader(octets(...data), newHeader())).toBe(false);
  });

  it('never reads outside of any datagram', () => {
    const header = newHeader();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (data) => {
        if (data.length > 0) data[0] = ((data[0] ?? 0) & 0x3f) | 0x80;
        if (!readHeader(data, header)) return;
        expect(header.payloadStart).toBeGreaterThanOrEqual(RTP_HEADER);
        expect(header.payloadEnd).toBeLessThanOrEqual(data.length);
        expect(header.payloadStart).toBeLessThanOrEqual(header.payloadEnd);
      }),
      { numRuns: 2000 },
    );
  });
});

it('reads what it writes', () => {
  const u32 = fc.integer({ min: 0, max: 0xffff_ffff });
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.integer({ min: 0, max: 71 }),
      fc.integer({ min: 0, max: 65_535 }),
      u32,
      u32,
      (...all) => {
        const [marker, payloadType, sequence, timestamp, ssrc] = all;
        const data = new Uint8Array(RTP_HEADER + 5);
        writeHeader(data, marker, payloadType, sequence, timestamp, ssrc);
        const header = newHeader();
        expect(readHeader(data, header)).toBe(true);
        expect(header).toEqual({ marker, payloadType, sequence, timestamp, ssrc, payloadStart: 12, payloadEnd: 17 });
      },
    ),
  );
});

it('measures distances over the wrap', () => {
  expect(sequenceDistance(2, 65_534)).toBe(4);
  expect(sequenceDistance(65_534, 2)).toBe(-4);
  expect(sequenceDistance(0x8000, 0)).toBe(-32_768);
  expect(timestampDistance(100, 0xffff_ff00)).toBe(356);
  expect(timestampDistance(0xffff_ff00, 100)).toBe(-356);
});
