/** Which destinations a line may not call: classes that its owner barred, unless the PIN is dialled before the number (`*33*PIN*number`). */
import { type DestinationClass, destinationClass } from '../plans.ts';
import type { LineFeatures } from './document.ts';

/** The class for which a call of this line is barred; undefined where it may be. `pin`: what was dialled before the number. */
export function barredFor(
  { bar = [], pin: own }: LineFeatures,
  to: string,
  from: string | undefined,
  pin?: string,
): DestinationClass | undefined {
  if (bar.length === 0 || (own !== undefined && pin === own)) return undefined;
  const found = destinationClass(to, from);
  return bar.includes(found) ? found : undefined;
}
