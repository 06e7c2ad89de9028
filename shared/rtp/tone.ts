/** Call-progress tones (ITU-T E.180 supplement 2, North American plan, since numbers default to +1). */
import { SAMPLE_RATE } from './packet.ts';

interface Cadence {
  readonly frequencies: readonly number[];
  /** Seconds of sound, then of silence; the whole repeats. Every frequency fits a whole number of times into `on`. */
  readonly on: number;
  readonly off: number;
}

const cadences = {
  ringback: { frequencies: [440, 480], on: 2, off: 4 },
  busy: { frequencies: [480, 620], on: 0.5, off: 0.5 },
  dial: { frequencies: [350, 440], on: 1, off: 0 },
} as const satisfies Record<string, Cadence>;

export type Tone = keyof typeof cadences;

/** Level of each frequency: -19 dB below full scale. */
const LEVEL = 32_767 * 10 ** (-19 / 20);

/** One period of a tone; it repeats without a seam. */
export function tone(name: Tone): Int16Array {
  const { frequencies, on, off } = cadences[name];
  const samples = new Int16Array((on + off) * SAMPLE_RATE);
  for (let i = 0; i < on * SAMPLE_RATE; i++) {
    let sum = 0;
    for (const frequency of frequencies) sum += Math.sin((2 * Math.PI * frequency * i) / SAMPLE_RATE);
    samples[i] = Math.round(LEVEL * sum);
  }
  return samples;
}
