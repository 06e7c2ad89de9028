import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { match } from '#shared/rtp/measure.ts';
import { readWav } from '#shared/rtp/wav.ts';
import { isItem, itemFile } from '../items.ts';
import { library, synthesise, synthesiseFile } from './synthesis.ts';

function shipped(id: string): Int16Array {
  const read = readWav(readFileSync(itemFile(id)));
  if (!read.ok) throw new Error(read.fault);
  return read.value;
}

describe.each(library)('$id', ({ id, seconds }) => {
  it('is shipped as a file of 100 to 160 kB with the length that the list names', () => {
    const size = readFileSync(itemFile(id)).length;
    expect(size).toBeGreaterThan(100_000);
    expect(size).toBeLessThan(160_000);
    expect(shipped(id).length).toBe(seconds * 8000);
  });

  it('is what the synthesiser makes, within the rounding of other platforms', () => {
    expect(match(shipped(id), synthesise(id) ?? new Int16Array(0)).correlation).toBeGreaterThan(0.999);
    expect(synthesiseFile(id)?.length).toBe(readFileSync(itemFile(id)).length);
  });

  it('is loud enough and repeats itself nowhere, so that a recording tells where in the piece it is', () => {
    const samples = shipped(id);
    expect(samples.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0)).toBeGreaterThan(12_000);
    const from = 30_000;
    const part = samples.slice(from, from + 4000);
    expect(match(samples.subarray(from - 1000, from + 5000), part).lag).toBe(1000);
    const elsewhere = samples.subarray(from + 4000, from + 34_000);
    expect(match(elsewhere, part).correlation).toBeLessThan(0.8);
  });
});

it('knows its own pieces only', () => {
  expect(new Set(library.map(({ id }) => id)).size).toBe(library.length);
  expect(isItem('rain')).toBe(true);
  for (const id of ['none', '__proto__', 'constructor', '']) {
    expect(isItem(id)).toBe(false);
    expect(synthesise(id)).toBeUndefined();
  }
});
