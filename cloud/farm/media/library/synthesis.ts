/**
 * The shipped sounds, computed: deterministic, 8 kHz, none of them a plain tone (a tone correlates with itself at every
 * period, so nobody could tell from a recording that the right piece came in the right place). `adapter-make.ts` writes them as
 * files; the virtual world plays them straight from here.
 */
import { levelled, MELODY_SECONDS, musicBox, numbers, pluck, wave } from '#shared/rtp/melody.ts';
import { SAMPLE_RATE } from '#shared/rtp/packet.ts';
import { writeWav } from '#shared/rtp/wav.ts';

/** Short rising and falling calls in groups, over a breath of wind. */
function morningBirds(out: Float64Array): void {
  const next = numbers(11);
  let wind = 0;
  for (let i = 0; i < out.length; i++) {
    wind += 0.05 * (next() - 0.5 - wind);
    out[i] = 0.4 * wind;
  }
  for (let at = 0.2 * SAMPLE_RATE; at < out.length - SAMPLE_RATE; at += (0.3 + next()) * SAMPLE_RATE) {
    const low = 1500 + 1200 * next();
    const sweep = (next() - 0.4) * 1800;
    const calls = 2 + Math.floor(4 * next());
    const length = Math.floor((0.05 + 0.09 * next()) * SAMPLE_RATE);
    for (let call = 0; call < calls; call++) chirp(out, Math.floor(at + call * length * 1.5), length, low, sweep);
  }
}

function chirp(out: Float64Array, start: number, length: number, low: number, sweep: number): void {
  let cycles = 0;
  for (let i = 0; i < length && start + i < out.length; i++) {
    const part = i / length;
    cycles += (low + sweep * part + 60 * wave(part * 6)) / SAMPLE_RATE;
    out[start + i] = (out[start + i] as number) + Math.sin(Math.PI * part) ** 2 * 0.7 * wave(cycles);
  }
}

/** Shaped noise that swells and ebbs, with drops that hit a roof. */
function rain(out: Float64Array): void {
  const next = numbers(23);
  let low = 0;
  let lower = 0;
  for (let i = 0; i < out.length; i++) {
    const noise = next() - 0.5;
    low += 0.45 * (noise - low);
    lower += 0.02 * (noise - lower);
    const swell = 0.6 + 0.4 * wave(i / (6.7 * SAMPLE_RATE));
    out[i] = (0.5 * low - 0.4 * lower) * swell;
  }
  for (let at = 0; at < out.length; at += Math.floor((0.01 + 0.12 * next()) * SAMPLE_RATE)) {
    const pitch = 500 + 2200 * next();
    const level = 0.15 + 0.5 * next() ** 3;
    for (let i = 0; i < 240 && at + i < out.length; i++) {
      out[at + i] = (out[at + i] as number) + level * Math.exp(-i / 40) * wave((pitch * i) / SAMPLE_RATE);
    }
  }
}

/** Vowels by their first three formants, Hz. */
const VOWELS = [
  [730, 1090, 2440],
  [530, 1840, 2480],
  [270, 2290, 3010],
  [570, 840, 2410],
  [300, 870, 2240],
] as const;

/** Something that speaks without words: a gliding pitch through changing vowels, then a chord. */
function welcome(out: Float64Array): void {
  const next = numbers(53);
  const spoken = Math.floor(out.length * 0.75);
  let phase = 0;
  let at = 800;
  while (at < spoken) {
    const length = Math.floor((0.12 + 0.22 * next()) * SAMPLE_RATE);
    const vowel = VOWELS[Math.floor(next() * VOWELS.length)] as (typeof VOWELS)[number];
    const pitch = 105 + 70 * next();
    phase = syllable(out, at, length, vowel, pitch, next() * 40 - 20, phase);
    at += length + Math.floor(next() * next() * 0.3 * SAMPLE_RATE);
  }
  for (const [i, pitch] of [262, 330, 392, 523].entries()) pluck(out, spoken + i * 1200, pitch, 0.5);
}

/** One vowel: a train of pulses through three resonators. Answers with the phase of the pulses. */
function syllable(
  out: Float64Array,
  start: number,
  length: number,
  formants: readonly number[],
  pitch: number,
  glide: number,
  from: number,
): number {
  let phase = from;
  const memory = formants.map(() => [0, 0]);
  for (let i = 0; i < length && start + i < out.length; i++) {
    const part = i / length;
    phase += (pitch + glide * part) / SAMPLE_RATE;
    const pulse = phase >= 1 ? 1 : 0;
    phase -= pulse;
    let sum = 0;
    for (const [f, formant] of formants.entries()) {
      const held = memory[f] as number[];
      const r = Math.exp((-Math.PI * (60 + 30 * f)) / SAMPLE_RATE);
      const value =
        pulse +
        2 * r * Math.cos((2 * Math.PI * formant) / SAMPLE_RATE) * (held[0] as number) -
        r * r * (held[1] as number);
      held[1] = held[0] as number;
      held[0] = value;
      sum += value / (1 + f);
    }
    out[start + i] = (out[start + i] as number) + 0.25 * Math.sin(Math.PI * part) * sum;
  }
  return phase;
}

/** A piece of the library. The order of the list is that of the short codes: it only grows. */
export interface Piece {
  readonly id: string;
  readonly title: string;
  readonly seconds: number;
}

const pieces: readonly (Piece & { readonly fill: (out: Float64Array) => void })[] = [
  { id: 'morning-birds', title: 'Morning birds', seconds: 16, fill: morningBirds },
  { id: 'rain', title: 'Rain on the roof', seconds: 14, fill: rain },
  { id: 'music-box', title: 'Music box', seconds: MELODY_SECONDS, fill: (out) => void [...musicBox(out)] },
  { id: 'welcome', title: 'Welcome', seconds: 13, fill: welcome },
];

export const library: readonly Piece[] = pieces.map(({ id, title, seconds }) => ({ id, title, seconds }));

/** The samples of a piece, its loudest at half of full scale; undefined where there is no such piece. */
export function synthesise(id: string): Int16Array | undefined {
  const piece = pieces.find((one) => one.id === id);
  if (piece === undefined) return undefined;
  const wide = new Float64Array(piece.seconds * SAMPLE_RATE);
  piece.fill(wide);
  return levelled(wide);
}

/** The file of a piece as it is shipped: mu-law. */
export function synthesiseFile(id: string): Uint8Array<ArrayBuffer> | undefined {
  const samples = synthesise(id);
  return samples && writeWav(samples, 'PCMU');
}
