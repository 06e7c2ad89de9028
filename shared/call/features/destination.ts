/**
 * Whom a call rings in the end: line after line, each with its own wishes. A line sends the call on always, lets it through, or turns it away,
 * and then to somebody else where its owner says so. Whoever drives this looks the next one up.
 */
import type { LineFeatures } from './document.ts';
import { FORWARD_LIMIT, forwardAlways, onward } from './forwarding.ts';
import { type Caller, type Screened, screen, welcome } from './screening.ts';

export type Hop =
  /** The phones of this line ring. */
  | { readonly at: 'here' }
  | { readonly at: 'on'; readonly to: string }
  /** With a fault code. */
  | { readonly at: 'refused'; readonly reason: Extract<Screened, { readonly pass: false }>['reason'] }
  | { readonly at: 'circle' };

/** What becomes of a call at a line; `seen`: lines that have sent it on. `talking`: calls that the line has. */
export function hop(
  line: string,
  features: LineFeatures,
  caller: Caller,
  talking: number,
  seen: ReadonlySet<string>,
): Hop {
  const always = forwardAlways(features);
  const screened = always === undefined ? screen(features, caller, talking) : welcome(features, caller);
  if (screened.pass && always === undefined) return { at: 'here' };
  // A line that is busy sends on; whom it turns away is sent nowhere.
  const next = !screened.pass && screened.reason === 'callee_busy' ? onward(features, screened.reason)[0] : undefined;
  const to = screened.pass ? always : next;
  if (to === undefined && !screened.pass) return { at: 'refused', reason: screened.reason };
  if (to === undefined || seen.has(line) || seen.size >= FORWARD_LIMIT) return { at: 'circle' };
  return { at: 'on', to };
}
