import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { FRAME_LIMIT, Frames, Waiting } from './link.ts';

function frame(body: Uint8Array): Uint8Array {
  const made = new Uint8Array(4 + body.length);
  new DataView(made.buffer).setUint32(0, body.length);
  made.set(body, 4);
  return made;
}

describe('frames', () => {
  it('come whole, however the octets are cut', () => {
    const cuts = fc.array(fc.nat(40), { maxLength: 8 });
    const bodies = fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 });
    fc.assert(
      fc.property(bodies, cuts, (wanted, at) => {
        const all = Uint8Array.from(wanted.flatMap((body) => [...frame(body)]));
        const ends = [...at, all.length].map((end) => Math.min(end, all.length)).sort((a, b) => a - b);
        const frames = new Frames();
        const got = ends.flatMap((end, i) => frames.push(all.subarray(ends[i - 1] ?? 0, end)) ?? []);
        expect(got.map((one) => [...one])).toEqual(wanted.map((one) => [...one]));
      }),
      { seed, numRuns: 200 },
    );
  });

  it('of the largest length are waited for, one octet more ends the link', () => {
    const head = (length: number) => {
      const octets = new Uint8Array(4);
      new DataView(octets.buffer).setUint32(0, length);
      return octets;
    };
    expect(new Frames().push(head(FRAME_LIMIT))).toEqual([]);
    expect(new Frames().push(head(FRAME_LIMIT + 1))).toBeUndefined();
  });
});

it('a question gets one answer, and none that came too late', async () => {
  const waiting = new Waiting<string>();
  const [one, two] = [waiting.open(), waiting.open()];
  expect(waiting.settle(two.n, 'b')).toBe(true);
  expect(waiting.settle(two.n, 'c')).toBe(false);
  waiting.settleAll('a');
  expect([await one.answer, await two.answer, waiting.size]).toEqual(['a', 'b', 0]);
});
