/** Who rings together with the line that was called. */
import type { LineFeatures } from './document.ts';

/** A party that the called line's owner wants rung too; `line` where it is one of ours. */
export interface Along {
  readonly line?: string;
  readonly features: LineFeatures;
}

/** Whether it rings: nobody twice (`rung`: the caller and who rings already), and no line that wants quiet. */
export function ringsAlong({ line, features }: Along, rung: ReadonlySet<string | undefined>): boolean {
  return line === undefined || (!rung.has(line) && features.doNotDisturb !== true);
}
