import { describe, expect, it } from 'vitest';
import { forwardAlways, mayGoOn, onward, ringsFor } from './forwarding.ts';

const ALL = { forward: { always: '1', busy: '2', noAnswer: '3', offline: '4' } } as const;

describe('forwarding', () => {
  it.each([
    ['callee_busy', '2'],
    ['no_answer', '3'],
    ['callee_offline', '4'],
    ['callee_declined', undefined],
    ['cancelled', undefined],
    ['insufficient_credit', undefined],
  ])('after %s', (reason, to) => {
    expect(onward(ALL, reason)).toEqual(to === undefined ? [] : [to]);
    expect(onward({}, reason)).toEqual([]);
  });

  it('always', () => expect([forwardAlways(ALL), forwardAlways({})]).toEqual(['1', undefined]));

  it('a hunt goes on before forwarding, each line once', () => {
    const features = { hunt: ['a', 'b', 'a'], forward: { noAnswer: 'c', busy: 'b' } };
    expect(onward(features, 'no_answer')).toEqual(['a', 'b', 'c']);
    expect(onward(features, 'callee_busy')).toEqual(['a', 'b']);
    expect(onward(features, 'callee_declined')).toEqual(['a', 'b']);
  });

  it('says how long phones ring, and whether a call may go on', () => {
    expect([ringsFor({}), ringsFor({ forward: { busy: '2' } }), ringsFor(ALL)]).toEqual([undefined, undefined, 20_000]);
    expect(ringsFor({ ...ALL, noAnswerAfter: 7 })).toBe(7000);
    expect([
      mayGoOn({}),
      mayGoOn({ forward: { always: '1' } }),
      mayGoOn({ forward: { offline: '1' } }),
      mayGoOn({ hunt: ['a'] }),
    ]).toEqual([false, false, true, true]);
  });
});
