/** Measuring sound from outside: the level of a frequency, and how much one recording is another. */
import { SAMPLE_RATE } from './packet.ts';

/** Level of one frequency (Hz) in dB below full scale (a full-scale sine is 0), by Goertzel's method with a Hann window. */
export function levelOf(samples: Int16Array, frequency: number): number {
  const n = samples.length;
  const turn = 2 * Math.cos((2 * Math.PI * frequency) / SAMPLE_RATE);
  let before = 0;
  let last = 0;
  for (let i = 0; i < n; i++) {
    const hann = 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n);
    const value = ((samples[i] as number) / 32_768) * hann + turn * last - before;
    before = last;
    last = value;
  }
  const power = last * last + before * before - turn * last * before;
  // The window halves the amplitude; n / 2 is the sum of a sine with itself.
  return 10 * Math.log10(Math.max(power, 1e-20) / Math.max(1, n / 4) ** 2);
}

/** A sine of full-scale level `db` (at most 0). */
export function sine(frequency: number, db: number, length: number): Int16Array {
  const peak = 32_767 * 10 ** (db / 20);
  return Int16Array.from({ length }, (_, i) =>
    Math.round(peak * Math.sin((2 * Math.PI * frequency * i) / SAMPLE_RATE)),
  );
}

/** The best match of `part` inside `whole`: normalised correlation (1 = the same but for its level) and its place. */
export interface Match {
  readonly correlation: number;
  /** Index in `whole` at which `part` begins. */
  readonly lag: number;
}

/** Finds `part` in `whole`; `lag` is looked for in [0, whole - part]. */
export function match(whole: Int16Array, part: Int16Array): Match {
  let own = 0;
  for (const sample of part) own += sample * sample;
  let best: Match = { correlation: 0, lag: -1 };
  let power = 0;
  for (let i = 0; i < part.length; i++) power += (whole[i] ?? 0) ** 2;
  for (let lag = 0; lag + part.length <= whole.length; lag++) {
    if (lag > 0) power += (whole[lag + part.length - 1] as number) ** 2 - (whole[lag - 1] as number) ** 2;
    let product = 0;
    for (let i = 0; i < part.length; i++) product += (whole[lag + i] as number) * (part[i] as number);
    const correlation = product / Math.sqrt(Math.max(1, own) * Math.max(1, power));
    if (correlation > best.correlation) best = { correlation, lag };
  }
  return best;
}
