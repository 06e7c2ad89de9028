import { expect, it } from 'vitest';
import { fetched, freePlace, PLACES, readPlace } from './parking.ts';

it.each([
  ['*5', 'any'],
  ['*51', 1],
  ['*59', 9],
  ['*50', undefined],
  ['*5a', undefined],
  ['*511', undefined],
  ['51', undefined],
  ['*8', undefined],
])('%s', (dialled, place) => expect(readPlace(dialled)).toBe(place));

it('gives the first free place, or the one that is named, to nobody twice', () => {
  expect([freePlace(new Set(), 'any'), freePlace(new Set([1, 2]), 'any')]).toEqual([1, 3]);
  expect([freePlace(new Set([2]), 2), freePlace(new Set([2]), 3)]).toEqual([undefined, 3]);
  const all = new Set(Array.from({ length: PLACES }, (_, n) => n + 1));
  expect(freePlace(all, 'any')).toBeUndefined();
});

it('fetches from a place, or who has waited longest', () => {
  const parked = [
    { place: 2, since: 20 },
    { place: 1, since: 30 },
    { place: 9, since: 10 },
  ];
  expect([fetched(parked, 1)?.since, fetched(parked, 'any')?.place, fetched(parked, 4)]).toEqual([30, 9, undefined]);
});
