/** The sound of an appliance that answers or rings by itself; pure. */

const RATE = 8000;
/** Frequency (Hz) and length (ms) of the two notes, and of the pause before the chime begins again. */
export const CHIME = { high: 660, low: 523, note: 400, pause: 1_200 } as const;
const PEAK = 9_000;

/** Two falling notes and a pause: 8 kHz samples, made to be played once or over and over. */
export function chime(): Int16Array {
  const note = (CHIME.note * RATE) / 1000;
  const samples = new Int16Array(2 * note + (CHIME.pause * RATE) / 1000);
  [CHIME.high, CHIME.low].forEach((hertz, i) => {
    for (let at = 0; at < note; at++) {
      const fall = 1 - (0.7 * at) / note;
      samples[i * note + at] = Math.round(PEAK * fall * Math.sin((2 * Math.PI * hertz * at) / RATE));
    }
  });
  return samples;
}
