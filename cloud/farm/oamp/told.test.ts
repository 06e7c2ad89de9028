import { describe, expect, it } from 'vitest';
import { afterHello, type Told } from './told.ts';

/** What is known after hellos, each [first, last]; the n-th comes at n thousand ms, with the journal at n hundred. */
const knownBy = (...hellos: readonly (readonly [number, number])[]): Told | undefined =>
  hellos.reduce<Told | undefined>(
    (told, [first, last], n) => afterHello(told, { first, last }, (n + 1) * 1000, (n + 1) * 100),
    undefined,
  );

describe('what a gateway never sends again', () => {
  it('is what we took before a hello, once two later ones say that nothing of then is held', () => {
    expect(knownBy([1, 5])).toMatchObject({ last: 5, toldPosition: 0 });
    expect(knownBy([1, 5], [6, 8])).toMatchObject({ toldPosition: 0, passed: 1 });
    expect(knownBy([1, 5], [6, 8], [7, 9])).toMatchObject({ last: 9, toldAt: 1000, toldPosition: 100, passed: 0 });
    // The next is waited for from the last hello on.
    expect(knownBy([1, 5], [6, 8], [7, 9], [10, 10], [11, 11])).toMatchObject({ toldAt: 3000, toldPosition: 300 });
  });

  it('is not yet known while one report of then is held, or may be', () => {
    expect(knownBy([1, 5], [5, 9], [5, 12], [5, 40])).toMatchObject({ toldPosition: 0 });
    // First and last alike: an empty outbox, or one with this report.
    expect(knownBy([1, 5], [5, 5], [5, 5], [5, 5])).toMatchObject({ toldPosition: 0 });
  });

  it('counts anew where a power cut brought a report back', () => {
    expect(knownBy([1, 5], [6, 8], [4, 8], [6, 9])).toMatchObject({ toldPosition: 0, passed: 1 });
    expect(knownBy([1, 5], [6, 8], [4, 8], [6, 9], [6, 9])).toMatchObject({ toldPosition: 100 });
  });

  it('begins anew where the gateway counts anew, and keeps what was known', () => {
    expect(knownBy([1, 5], [6, 8], [7, 9], [0, 0])).toEqual({
      ...{ last: 0, at: 4000, position: 400, passed: 0 },
      ...{ toldAt: 1000, toldPosition: 100 },
    });
  });
});
