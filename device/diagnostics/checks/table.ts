/** All checks in the order of causes: what stands further up explains what stands below. */
import type { Check } from '../check.ts';
import { cloudChecks } from './cloud.ts';
import { networkChecks } from './network.ts';
import { powerChecks } from './power.ts';
import { storageChecks } from './storage.ts';
import { homeChecks, mediaChecks, modemChecks, voiceChecks } from './voice.ts';

export const checks: readonly Check[] = [
  ...powerChecks,
  ...storageChecks,
  ...networkChecks,
  ...cloudChecks,
  ...voiceChecks,
  ...modemChecks,
  ...mediaChecks,
  ...homeChecks,
];

/** The group of a check. */
export const groupOf = (id: string): string => id.split('.')[0] ?? id;
