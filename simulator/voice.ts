/** Voices for simulated phones: 8 kHz samples that can be told apart by ear and by measurement. */
const RATE = 8000;

/** A tone with a soft beginning and end, at -17 dBFS. */
export function tone(hertz: number, seconds: number): Int16Array {
  const samples = new Int16Array(Math.round(seconds * RATE));
  const edge = 80;
  for (let i = 0; i < samples.length; i++) {
    const fade = Math.min(1, i / edge, (samples.length - i) / edge);
    samples[i] = Math.round(4600 * fade * Math.sin((2 * Math.PI * hertz * i) / RATE));
  }
  return samples;
}

const MELODIES = [
  [523, 659, 784, 1047],
  [440, 554, 659, 880],
] as const;

/** A short figure of four notes and a pause, another one for each home. */
export function demoVoice(home: number): Int16Array {
  const notes = MELODIES[home % MELODIES.length] ?? MELODIES[0];
  const parts = [...notes.map((hertz) => tone(hertz, 0.25)), new Int16Array(RATE)];
  const voice = new Int16Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    voice.set(part, at);
    at += part.length;
  }
  return voice;
}
