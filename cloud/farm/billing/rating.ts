/**
 * Rating by longest prefix, in integer micro-units. Calls inside a home and media on demand are free. Pure.
 */

/** Price of a destination. `incrementS`: talk is charged in whole steps of so many seconds. */
export interface Rate {
  readonly prefix: string;
  readonly perMinute: number;
  readonly incrementS: number;
}

export const FREE: Rate = { prefix: '', perMinute: 0, incrementS: 1 };

/** Milliseconds of talk that a prepaid reservation covers at first, and beyond what has been talked when it is extended. */
export const RESERVED_TALK = 300_000;

/** The rate of a destination: free inside the paying home and for anything that is no number, else the longest prefix. */
export function rateOf(to: string, payer: string, homeOfNumber: string | undefined, rates: readonly Rate[]): Rate {
  if (!to.startsWith('+') || homeOfNumber === payer) return FREE;
  let best = FREE;
  for (const rate of rates) {
    if (to.startsWith(rate.prefix) && rate.prefix.length > best.prefix.length) best = rate;
  }
  return best;
}

/** Whole seconds of talk, rounded up. */
export function secondsOf(talkMs: number): number {
  return Math.ceil(Math.max(0, talkMs) / 1000);
}

/** Price of some talk in micro-units, rounded up to the increment and then to the micro-unit. */
export function price(talkMs: number, rate: Rate): number {
  const seconds = secondsOf(talkMs);
  const charged = Math.ceil(seconds / rate.incrementS) * rate.incrementS;
  return Math.ceil((charged * rate.perMinute) / 60);
}

/** Milliseconds of talk that an amount covers, in whole increments. */
export function talkFor(amount: number, rate: Rate): number {
  if (rate.perMinute === 0) return Number.MAX_SAFE_INTEGER;
  const seconds = Math.floor((amount * 60) / rate.perMinute);
  return Math.floor(seconds / rate.incrementS) * rate.incrementS * 1000;
}

/** What to reserve: as much of the wished talk as the money covers; undefined where not even one increment is. */
export function reservation(
  available: number,
  talked: number,
  rate: Rate,
): { readonly amount: number; readonly until: number } | undefined {
  const wished = price(talked + RESERVED_TALK, rate);
  const amount = Math.min(wished, available);
  const until = talkFor(amount, rate);
  return until <= talked ? undefined : { amount, until };
}
