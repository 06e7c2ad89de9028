/** What a phone dialled, after its line's own abbreviations and codes: the number meant, and whether the line's own is withheld. */
import type { Changes, LineFeatures } from './document.ts';
import { readStarCode } from './star-codes.ts';

export type Meant =
  | { readonly do: 'call'; readonly to: string; readonly hidden: boolean }
  | { readonly do: 'change'; readonly changes: Changes }
  | { readonly do: 'refuse' };

/** `hidden`: the phone itself asks for privacy (RFC 3323). */
export function meaning(features: LineFeatures, dialled: string, hidden: boolean): Meant {
  const code = readStarCode(dialled);
  if (code?.do === 'call') return { ...code, to: abbreviated(features, code.to) };
  if (code !== undefined) return code;
  return { do: 'call', to: abbreviated(features, dialled), hidden: hidden || features.hideNumber === true };
}

function abbreviated({ short = [] }: LineFeatures, dialled: string): string {
  return short.find(({ code }) => code === dialled)?.to ?? dialled;
}
