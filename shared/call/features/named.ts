/** Whom the features of a line call by themselves: where it forwards to, hunts, rings too, and its hot line. */
import type { LineFeatures } from './document.ts';

export function namedIn({ forward = {}, hunt = [], ringAlso = [], hotLine }: LineFeatures): string[] {
  return [...Object.values(forward), ...hunt, ...ringAlso, ...(hotLine === undefined ? [] : [hotLine])];
}
