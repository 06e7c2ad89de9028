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

/** Finds `part` in `whole`; `lag` is looked for in [0, whole - part]. Costs n log n, by Fourier transforms of blocks. */
export function match(whole: Int16Array, part: Int16Array): Match {
  const lags = whole.length - part.length + 1;
  let own = 0;
  for (const sample of part) own += sample * sample;
  let best: Match = { correlation: 0, lag: -1 };
  if (lags < 1 || own === 0) return best;
  const size = 2 ** Math.ceil(Math.log2(part.length + Math.min(lags, Math.max(4096, 3 * part.length))));
  const pattern = { re: new Float64Array(size), im: new Float64Array(size) };
  pattern.re.set(part);
  transform(pattern.re, pattern.im);
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  let power = 0;
  for (let i = 0; i < part.length; i++) power += (whole[i] as number) ** 2;
  for (let start = 0; start < lags; start += size - part.length + 1) {
    correlate(whole.subarray(start, start + size), pattern, re, im);
    for (let i = 0; i <= size - part.length && start + i < lags; i++) {
      const lag = start + i;
      if (lag > 0) power += (whole[lag + part.length - 1] as number) ** 2 - (whole[lag - 1] as number) ** 2;
      const correlation = (re[i] as number) / Math.sqrt(own * Math.max(1, power));
      if (correlation > best.correlation) best = { correlation, lag };
    }
  }
  return best;
}

interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/** Leaves in `re` the products of `block`, moved by 0, 1, 2 … samples, with the samples whose spectrum is `pattern`. */
function correlate(block: Int16Array, pattern: Spectrum, re: Float64Array, im: Float64Array): void {
  const size = re.length;
  re.fill(0);
  im.fill(0);
  re.set(block);
  transform(re, im);
  for (let i = 0; i < size; i++) {
    const a = re[i] as number;
    const b = im[i] as number;
    const c = pattern.re[i] as number;
    const d = pattern.im[i] as number;
    // Times the conjugate of the pattern, and conjugated, so that the same transform leads back.
    re[i] = (a * c + b * d) / size;
    im[i] = (a * d - b * c) / size;
  }
  transform(re, im);
}

/** The discrete Fourier transform in place (Cooley and Tukey, radix 2); the length is a power of two. */
function transform(re: Float64Array, im: Float64Array): void {
  const size = re.length;
  for (let i = 1, j = 0; i < size; i++) {
    let bit = size >> 1;
    for (; (j & bit) !== 0; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      const x = re[i] as number;
      const y = im[i] as number;
      re[i] = re[j] as number;
      im[i] = im[j] as number;
      re[j] = x;
      im[j] = y;
    }
  }
  for (let width = 2; width <= size; width *= 2) {
    const half = width / 2;
    for (let k = 0; k < half; k++) {
      const cos = Math.cos((-2 * Math.PI * k) / width);
      const sin = Math.sin((-2 * Math.PI * k) / width);
      for (let i = k; i < size; i += width) {
        const a = re[i + half] as number;
        const b = im[i + half] as number;
        const x = a * cos - b * sin;
        const y = a * sin + b * cos;
        re[i + half] = (re[i] as number) - x;
        im[i + half] = (im[i] as number) - y;
        re[i] = (re[i] as number) + x;
        im[i] = (im[i] as number) + y;
      }
    }
  }
}
