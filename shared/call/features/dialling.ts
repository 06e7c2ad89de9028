/** What a phone dialled, after its line's own abbreviations and codes: the number meant, and whether the line's own is withheld. */
import { inFull } from '../numbers.ts';
import type { Changes, LineFeatures } from './document.ts';
import { edited } from './list-codes.ts';
import { readStarCode } from './star-codes.ts';

export type Meant =
  | { readonly do: 'call'; readonly to: string; readonly hidden: boolean; readonly pin?: string }
  | { readonly do: 'last'; readonly of: 'dialled' | 'caller'; readonly hidden: boolean }
  | { readonly do: 'pickup'; readonly at?: string }
  | { readonly do: 'together' }
  | { readonly do: 'change'; readonly changes: Changes }
  /** The phone was taken up and nothing dialled: the hot line is called after so many seconds. */
  | { readonly do: 'wait'; readonly to: string; readonly hidden: boolean; readonly seconds: number }
  | { readonly do: 'refuse' };

/** `hidden`: the phone itself asks for privacy (RFC 3323). `number`: the line's own, whose country says how numbers are dialled. */
export function meaning(features: LineFeatures, dialled: string, hidden: boolean, number?: string): Meant {
  const code = readStarCode(dialled);
  if (code?.do === 'pickup' && code.at !== undefined)
    return { do: 'pickup', at: inFull(abbreviated(features, code.at), number) };
  if (code?.do === 'edit') {
    const changes = edited(features, code.edit, (to) => inFull(abbreviated(features, to), number));
    return changes === undefined ? { do: 'refuse' } : { do: 'change', changes };
  }
  const withheld = hidden || features.hideNumber === true;
  if (code?.do === 'last') return { ...code, hidden: withheld };
  if (code !== undefined && code.do !== 'call') return code;
  const { to = dialled, hidden: asked = withheld, pin } = code ?? {};
  const { hotLine, hotLineAfter: seconds } = features;
  if (dialled === '' && hotLine !== undefined && seconds !== undefined)
    return { do: 'wait', to: inFull(hotLine, number), hidden: withheld, seconds };
  const hot = seconds === undefined ? hotLine : undefined;
  const meant = inFull(hot ?? abbreviated(features, to), number);
  return { do: 'call', to: meant, hidden: asked, ...(pin === undefined ? {} : { pin }) };
}

function abbreviated({ short = [] }: LineFeatures, dialled: string): string {
  return short.find(({ code }) => code === dialled)?.to ?? dialled;
}

/** A document with every number in full, as a line with the number `own` means it. */
export function writtenOut(features: LineFeatures, own: string): LineFeatures {
  const full = (to: string) => inFull(to, own);
  const { forward, hunt, ringAlso, hotLine, short } = features;
  return {
    ...features,
    ...(forward && { forward: Object.fromEntries(Object.entries(forward).map(([when, to]) => [when, full(to)])) }),
    ...(hunt && { hunt: hunt.map(full) }),
    ...(ringAlso && { ringAlso: ringAlso.map(full) }),
    ...(hotLine !== undefined && { hotLine: full(hotLine) }),
    ...(short && { short: short.map(({ code, to }) => ({ code, to: full(to) })) }),
  };
}
