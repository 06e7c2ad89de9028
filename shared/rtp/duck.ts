/** Music that makes room for speech: 12 dB down within 100 ms of the first word, up again over a second after the last. Pure. */

/** What is left of the music under speech: -12 dB. */
export const DUCKED = 0.25;
/** Mean magnitude of a frame from which on it is speech: about -42 dBFS, above the noise of a quiet room. */
const LOUD = 250;
/** Frames of 20 ms: pauses between words keep the music down for so long, and it goes down and up in so many. */
const HOLD = 25;
const DOWN = 5;
const UP = 50;

export interface Ducking {
  /** Factor of the music in this frame. */
  readonly gain: number;
  /** Frames for which it stays down yet. */
  readonly hold: number;
}

export const UNDUCKED: Ducking = { gain: 1, hold: 0 };

/** Whether somebody speaks in a frame of 16-bit samples. */
export function isSpeech(frame: Int16Array): boolean {
  let sum = 0;
  for (const sample of frame) sum += Math.abs(sample);
  return sum > LOUD * frame.length;
}

/** The next frame's factor. */
export function duck({ gain, hold }: Ducking, speaking: boolean): Ducking {
  if (speaking || hold > 0)
    return { gain: Math.max(DUCKED, gain - (1 - DUCKED) / DOWN), hold: speaking ? HOLD : hold - 1 };
  return gain === 1 ? UNDUCKED : { gain: Math.min(1, gain + (1 - DUCKED) / UP), hold: 0 };
}
