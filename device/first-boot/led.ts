/** What the LED shows: as many short blinks as the stage's number, a pause, and again; steady light when ready. Pure. */
import { STAGES, type Stage } from './stages.ts';

/** On and off in turn, ms, beginning with on; begins anew at its end. Empty: steady light. */
export type Pattern = readonly number[];

const [SHORT, GAP, PAUSE] = [180, 220, 1_400];

export function patternOf(stage: Stage): Pattern {
  if (stage === 'ready') return [];
  const blinks = STAGES.indexOf(stage) + 1;
  return Array.from({ length: blinks * 2 }, (_, i) => (i % 2 === 0 ? SHORT : i === blinks * 2 - 1 ? PAUSE : GAP));
}

/** Whether the LED is on `elapsed` ms into a pattern, and how long that lasts (ms; undefined: for ever). */
export function shown(pattern: Pattern, elapsed: number): { readonly on: boolean; readonly lasts?: number } {
  const whole = pattern.reduce((sum, part) => sum + part, 0);
  if (whole === 0) return { on: true };
  let left = elapsed % whole;
  for (const [i, part] of pattern.entries()) {
    if (left < part) return { on: i % 2 === 0, lasts: part - left };
    left -= part;
  }
  return { on: true };
}
