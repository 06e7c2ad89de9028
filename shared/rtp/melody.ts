/** The melody for who waits, computed: the same row of samples everywhere, 8 kHz. Whoever plays it makes it once and keeps it. */
import { SAMPLE_RATE } from './packet.ts';

/** Length of the melody; then it begins anew. */
export const MELODY_SECONDS = 18;

/** A generator of numbers in [0, 1) that gives the same row everywhere (a linear congruential generator of 32 bits). */
export function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

export const wave = (cycles: number): number => Math.sin(2 * Math.PI * cycles);

/**
 * A melody of plucked metal tongues: a walk over a pentatonic scale with a bass, played unevenly on an old instrument. Each
 * note is a little out of tune and time and begins with the click of its pin, so that no two bars are the same. It yields after
 * each beat: all of them take a small gateway a good part of a second, and other sound cannot wait for that.
 */
export function* musicBox(out: Float64Array): Generator<void, void> {
  const next = numbers(37);
  const scale = [0, 2, 4, 7, 9, 12, 14, 16, 19, 21, 24];
  let step = 4;
  const play = (at: number, base: number, note: number): void => {
    const start = Math.floor(at + 0.04 * next() * SAMPLE_RATE);
    pluck(out, start, base * 2 ** ((note + 0.6 * next() - 0.3) / 12), 0.25 + 0.35 * next());
    for (let i = 0; i < 400; i++) out[start + i] = (out[start + i] ?? 0) + 0.5 * (next() - 0.5) * Math.exp(-i / 120);
  };
  for (let beat = 0; ; beat++) {
    const at = (0.1 + beat * 0.26) * SAMPLE_RATE;
    if (at > out.length - SAMPLE_RATE) return;
    step = Math.max(0, Math.min(scale.length - 1, step + Math.floor(7 * next()) - 3));
    if (next() < 0.85) play(at, 440, scale[step] as number);
    if (next() < 0.3) play(at + 0.13 * SAMPLE_RATE, 440, scale[Math.floor(next() * 5)] as number);
    if (beat % 4 === 0) play(at, 220, scale[(beat / 4) % 3] as number);
    yield;
  }
}

/** Adds a plucked tongue: partials that fade, each by the recurrence of a damped oscillator, since a gateway has no time for a sine per sample. */
export function pluck(out: Float64Array, at: number, pitch: number, level: number): void {
  const partials = [
    [1, 1, 0.5],
    [2.76, 0.45, 0.16],
    [5.4, 0.2, 0.06],
  ] as const;
  for (const [ratio, share, decay] of partials) {
    if (pitch * ratio > 3600) continue;
    // Past eight decays it is 70 dB down.
    const length = Math.min(Math.min(1.4, 8 * decay) * SAMPLE_RATE, out.length - at);
    const fade = Math.exp(-1 / (decay * SAMPLE_RATE));
    const turn = 2 * fade * Math.cos((2 * Math.PI * pitch * ratio) / SAMPLE_RATE);
    const damping = fade * fade;
    let before = 0;
    let now = level * share * fade * wave((pitch * ratio) / SAMPLE_RATE);
    for (let i = 1; i < length; i++) {
      out[at + i] = (out[at + i] as number) + Math.min(1, i / 16) * now;
      const next = turn * now - damping * before;
      before = now;
      now = next;
    }
  }
}

/** As sound, its loudest at half of full scale. */
export function levelled(wide: Float64Array): Int16Array {
  let peak = 0;
  for (const sample of wide) peak = Math.max(peak, Math.abs(sample));
  return Int16Array.from(wide, (sample) => Math.round((sample / peak) * 16_384));
}
