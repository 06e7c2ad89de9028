import { describe, expect, it } from 'vitest';
import { HEARD_LIMIT, Heard } from './heard.ts';

const told = (after: number, position: number) => ({ after, position, records: [] });
const places = (heard: Heard, place: number, limit = 10) => heard.behind(place, limit).map(({ position }) => position);

describe('what was heard of ended legs', () => {
  it('is given in order, so much at once, as long as nothing between is missing', () => {
    const heard = new Heard();
    for (const [after, position] of [
      [4, 7],
      [7, 8],
      [8, 12],
    ] as const)
      heard.add('ses_1', told(after, position));
    expect(places(heard, 4)).toEqual([7, 8, 12]);
    expect(places(heard, 5)).toEqual([7, 8, 12]);
    expect(places(heard, 4, 2)).toEqual([7, 8]);
  });

  it('is not given where something before it was not heard', () => {
    const heard = new Heard();
    heard.add('ses_1', told(4, 7));
    heard.add('ses_2', told(9, 12));
    expect(places(heard, 3)).toEqual([]);
    expect(places(heard, 4)).toEqual([7]);
    expect(places(heard, 7)).toEqual([]);
    expect(heard.some).toBe(true);
    expect(places(heard, 9)).toEqual([12]);
  });

  it('is forgotten once it lies before the place', () => {
    const heard = new Heard();
    heard.add('ses_1', told(4, 7));
    expect(places(heard, 7)).toEqual([]);
    expect(heard.some).toBe(false);
  });

  it('is left to the journal where it is too much', () => {
    const heard = new Heard();
    for (let n = 0; n <= HEARD_LIMIT; n++) heard.add('ses_1', told(n, n + 1));
    expect(places(heard, 0)).toEqual([]);
    expect(places(heard, HEARD_LIMIT)).toEqual([HEARD_LIMIT + 1]);
  });
});
