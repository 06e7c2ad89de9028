import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { nameAt, Places, placeOf } from './places.ts';

describe('names', () => {
  it.each([
    ['', -1],
    ['12345', -1],
    ['00000a', 10],
    ['x0000ff', 255],
    ['x0000fF', -1],
    ['x00-001', -1],
    ['abcdefffffff', 0xffffff],
    ['0000 1', -1],
  ])('%j ends in %i', (name, place) => {
    expect(placeOf(name)).toBe(place);
  });

  it('tell the place that they were made of', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(0xffffff), (token, place) => {
        expect(placeOf(nameAt(token, place))).toBe(place);
      }),
      { seed },
    );
  });
});

it('things are found by their names until their place is free, and a place is used again', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.constant('take' as const), fc.nat(30)), { maxLength: 100 }), (steps) => {
      const places = new Places<{ readonly name: string }>();
      const live: { readonly name: string; readonly place: number }[] = [];
      const gone: string[] = [];
      let most = 0;
      for (const [n, step] of steps.entries()) {
        if (step === 'take') {
          const place = places.take();
          const thing = { name: nameAt(`n${n}-`, place), place };
          places.put(place, thing);
          live.push(thing);
        } else {
          const [thing] = live.splice(step % Math.max(live.length, 1), 1);
          if (thing !== undefined) {
            places.free(thing.place);
            gone.push(thing.name);
          }
        }
        most = Math.max(most, live.length);
        expect(places.size).toBe(live.length);
        for (const thing of live) expect(places.of(thing.name)).toBe(thing);
        for (const name of gone) expect(places.of(name)?.name).not.toBe(name);
        for (const { place } of live) expect(place).toBeLessThan(most);
      }
    }),
    { seed },
  );
  expect(new Places().of('ffffff')).toBeUndefined();
});
