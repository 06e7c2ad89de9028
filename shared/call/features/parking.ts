/**
 * Parking: a call waits at one of nine places of the home until any phone of the home dials that. Who talks sends the other side there
 * (a blind transfer to the code): `*51` to `*59` name a place, `*5` the first that is free, and dialled it fetches who has waited longest.
 */

/** Places of a home. */
export const PLACES = 9;
/** Milliseconds after which the phones of the line that parked a call ring. */
export const PARKED_FOR = 60_000;

export type Place = number | 'any';

/** The place that a code names; undefined for anything else. */
export function readPlace(dialled: string): Place | undefined {
  if (dialled === '*5') return 'any';
  const n = dialled.length === 3 && dialled.startsWith('*5') ? Number(dialled.charAt(2)) : 0;
  return n >= 1 && n <= PLACES ? n : undefined;
}

/** Where a call is parked; undefined where that is taken. */
export function freePlace(taken: ReadonlySet<number>, wanted: Place): number | undefined {
  if (wanted !== 'any') return taken.has(wanted) ? undefined : wanted;
  for (let n = 1; n <= PLACES; n++) if (!taken.has(n)) return n;
  return undefined;
}

/** The call that is fetched from there. */
export function fetched<T extends { readonly place: number; readonly since: number }>(
  parked: Iterable<T>,
  wanted: Place,
): T | undefined {
  let longest: T | undefined;
  for (const one of parked) {
    if (wanted !== 'any' && one.place !== wanted) continue;
    if (longest === undefined || one.since < longest.since) longest = one;
  }
  return longest;
}
