import { expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import { readWav, writeWav } from '#shared/rtp/wav.ts';
import { CHIME, chime } from './chime.ts';

it('is two falling notes and a pause, and survives being a file', () => {
  const samples = chime();
  const note = CHIME.note * 8;
  expect(samples.length).toBe(2 * note + CHIME.pause * 8);
  const [first, second, rest] = [
    samples.subarray(0, note),
    samples.subarray(note, 2 * note),
    samples.subarray(2 * note),
  ];
  expect(levelOf(first, CHIME.high)).toBeGreaterThan(levelOf(first, CHIME.low) + 20);
  expect(levelOf(second, CHIME.low)).toBeGreaterThan(levelOf(second, CHIME.high) + 20);
  expect(rest.every((sample) => sample === 0)).toBe(true);
  expect(Math.max(...samples)).toBeLessThan(10_000);
  const read = readWav(writeWav(samples));
  expect(read.ok && read.value).toEqual(samples);
});
