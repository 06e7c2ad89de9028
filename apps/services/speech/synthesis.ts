/**
 * A formant synthesiser: a train of pulses through three resonators for voiced sounds, noise through one for the others, gliding from
 * sound to sound. It is understood like a robot of the eighties, needs no data and no other program, and gives the same samples everywhere.
 */
import { SAMPLE_RATE } from '#shared/rtp/packet.ts';
import { type Phone, phones } from './phones.ts';

/** Pitch at the beginning and the end of an utterance, Hz. */
const PITCH = [125, 95] as const;
const WIDTHS = [70, 100, 160] as const;
/** Share of a sound in which it glides from the one before. */
const GLIDE = 0.35;

/** A resonator of the second order (Klatt 1980, section I). */
class Resonator {
  #a = 0;
  #b = 0;
  #c = 0;
  #y1 = 0;
  #y2 = 0;

  tune(centre: number, width: number): void {
    const r = Math.exp((-Math.PI * width) / SAMPLE_RATE);
    this.#c = -r * r;
    this.#b = 2 * r * Math.cos((2 * Math.PI * Math.min(centre, 3800)) / SAMPLE_RATE);
    this.#a = 1 - this.#b - this.#c;
  }

  step(x: number): number {
    const y = this.#a * x + this.#b * this.#y1 + this.#c * this.#y2;
    this.#y2 = this.#y1;
    this.#y1 = y;
    return y;
  }
}

/** The sources of the voice: pulses of the glottis and noise of the breath, the same row every time. */
class Sources {
  #phase = 0;
  #glottis = 0;
  #seed = 12_345;

  buzz(pitch: number): number {
    this.#phase += pitch / SAMPLE_RATE;
    const pulse = this.#phase >= 1 ? 1 : 0;
    this.#phase -= pulse;
    this.#glottis = 0.9 * this.#glottis + pulse;
    return this.#glottis;
  }

  breath(): number {
    this.#seed = (Math.imul(this.#seed, 1_103_515_245) + 12_345) >>> 0;
    return this.#seed / 2 ** 31 - 1;
  }
}

/** 8 kHz samples of a row of sounds, their loudest at half of full scale; unknown sounds are left out. */
export function speak(sounds: readonly string[]): Int16Array {
  const row = sounds.map((sound) => phones[sound]).filter((phone) => phone !== undefined);
  const total = row.reduce((sum, phone) => sum + samplesOf(phone), 0);
  const wide = new Float64Array(total);
  const voice = WIDTHS.map(() => new Resonator());
  const noise = new Resonator();
  const sources = new Sources();
  let at = 0;
  let before: Phone | undefined;
  for (const phone of row) {
    const length = samplesOf(phone);
    const from = before?.to ?? before?.formants ?? phone.formants;
    if (phone.noise !== undefined) noise.tune(...phone.noise);
    for (let i = 0; i < length; i++, at++) {
      const part = i / length;
      for (const [f, resonator] of voice.entries()) resonator.tune(formantAt(phone, from, f, part), WIDTHS[f] ?? 100);
      const { buzzing, hissing } = loudness(phone, part);
      let sample = sources.buzz(PITCH[0] + ((PITCH[1] - PITCH[0]) * at) / total) * buzzing;
      for (const resonator of voice) sample = resonator.step(sample);
      wide[at] = sample + noise.step(sources.breath() * hissing) * 0.25;
    }
    before = phone;
  }
  return scaled(wide);
}

function samplesOf({ ms }: Phone): number {
  return Math.round((ms * SAMPLE_RATE) / 1000);
}

function formantAt({ formants, to }: Phone, from: readonly number[], f: number, part: number): number {
  const own = formants[f] ?? 500;
  if (part < GLIDE) return (from[f] ?? own) + ((own - (from[f] ?? own)) * part) / GLIDE;
  const end = to?.[f];
  return end === undefined ? own : own + ((end - own) * (part - GLIDE)) / (1 - GLIDE);
}

/** How loud buzz and hiss are at a place of a sound. */
function loudness({ kind, level }: Phone, part: number): { readonly buzzing: number; readonly hissing: number } {
  const edge = Math.min(1, 8 * part, 8 * (1 - part));
  switch (kind) {
    case 'voiced':
      return { buzzing: level * Math.max(0.4, edge), hissing: 0 };
    case 'hiss':
      return { buzzing: 0, hissing: level * edge };
    case 'both':
      return { buzzing: level * 1.5 * edge, hissing: level * 0.5 * edge };
    case 'stop':
      return { buzzing: 0, hissing: part < 0.6 ? 0 : level * 2 * Math.exp(-6 * (part - 0.6)) };
    case 'none':
      return { buzzing: 0, hissing: 0 };
  }
}

function scaled(wide: Float64Array): Int16Array {
  let peak = 1e-9;
  for (const sample of wide) peak = Math.max(peak, Math.abs(sample));
  return Int16Array.from(wide, (sample) => Math.round((sample / peak) * 16_384));
}
