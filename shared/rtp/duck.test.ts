import { describe, expect, it } from 'vitest';
import { DUCKED, duck, isSpeech, UNDUCKED } from './duck.ts';

/** The factors of music over frames in which somebody speaks (`s`) or nobody does. */
function gains(frames: string): number[] {
  let state = UNDUCKED;
  return [...frames].map((frame) => {
    state = duck(state, frame === 's');
    return state.gain;
  });
}

describe('music under speech', () => {
  it('is down within five frames, stays so over pauses between words, and is back a second after the last', () => {
    const down = gains('sssss');
    expect(down.at(0)).toBeCloseTo(0.85);
    expect(down.at(-1)).toBeCloseTo(DUCKED);
    expect(gains(`sssss${'.'.repeat(25)}`).at(-1)).toBeCloseTo(DUCKED);
    expect(gains(`sssss${'.'.repeat(26)}`).at(-1)).toBeGreaterThan(DUCKED);
    expect(gains(`sssss${'.'.repeat(76)}`).at(-1)).toBe(1);
    expect(gains('.....')).toEqual([1, 1, 1, 1, 1]);
  });

  it('never jumps by more than a fifth, nor leaves its range', () => {
    const all = gains('sss..s....................................ss......................................s');
    for (const [i, gain] of all.entries()) {
      expect(gain).toBeGreaterThanOrEqual(DUCKED);
      expect(gain).toBeLessThanOrEqual(1);
      expect(Math.abs(gain - (all[i - 1] ?? 1))).toBeLessThan(0.2);
    }
  });

  it.each([
    ['silence', new Int16Array(160), false],
    ['the noise of a room', new Int16Array(160).fill(40), false],
    ['a voice', Int16Array.from({ length: 160 }, (_none, i) => 4600 * Math.sin(i / 3)), true],
  ])('%s', (_name, frame, speech) => expect(isSpeech(frame)).toBe(speech));
});
