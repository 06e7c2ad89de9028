import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GUESS_ACCOUNTS, GUESS_LIMIT, GUESS_WINDOW, Guesses } from './guesses.ts';

const wrong = (guesses: Guesses, times: number, account = 'u1', source = 's', at = 0) => {
  for (let i = 0; i < times; i++) guesses.wrong(source, account, at);
};

describe('one account', () => {
  test('the tenth wrong digest shuts that source out for that account, for a minute', () => {
    const guesses = new Guesses();
    wrong(guesses, GUESS_LIMIT - 1);
    expect(guesses.banned('s', 'u1', 0)).toBe(false);
    wrong(guesses, 1);
    expect(guesses.banned('s', 'u1', 59_999)).toBe(true);
    expect(guesses.banned('s', 'u1', 60_000)).toBe(false);
  });

  test('a neighbour behind the same address is not shut out, nor who has not signed yet', () => {
    const guesses = new Guesses();
    wrong(guesses, 5 * GUESS_LIMIT);
    expect([guesses.banned('s', 'u2', 1), guesses.banned('s', undefined, 1)]).toEqual([false, false]);
    expect(guesses.banned('t', 'u1', 1)).toBe(false);
  });

  test('whoever owns an IPv6 network has no more tries than whoever has one address', () => {
    const guesses = new Guesses();
    for (let i = 1; i <= GUESS_LIMIT; i++) guesses.wrong(`2001:db8:0:7::${i}`, 'u1', 0);
    expect(guesses.banned('2001:db8:0:7:ffff::1', 'u1', 1)).toBe(true);
    expect(guesses.banned('2001:db8:0:8::1', 'u1', 1)).toBe(false);
    const many = new Guesses();
    for (let i = 1; i <= GUESS_LIMIT; i++) many.wrong(`2001:db8:0:7::${i}`, `u${i}`, 0);
    expect(many.banned('2001:db8:0:7::99', undefined, 1)).toBe(true);
  });

  test('each further ban is twice as long, up to an hour', () => {
    const guesses = new Guesses();
    let at = 0;
    const lengths: number[] = [];
    for (let i = 0; i < 8; i++) {
      wrong(guesses, GUESS_LIMIT, 'u1', 's', at);
      let until = at;
      while (guesses.banned('s', 'u1', until)) until += 30_000;
      lengths.push((until - at) / 60_000);
      at = until + GUESS_WINDOW;
    }
    expect(lengths).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });
});

describe('several accounts', () => {
  const spread = (accounts: number, each: number) => {
    const guesses = new Guesses();
    for (let i = 0; i < accounts; i++) wrong(guesses, each, `u${i}`);
    return guesses;
  };

  test.each([
    [GUESS_ACCOUNTS - 1, 9, false],
    [GUESS_ACCOUNTS, 1, false],
    [GUESS_ACCOUNTS, 2, true],
    [GUESS_LIMIT, 1, true],
  ])('%i accounts, %i wrong each: the source is shut out: %s', (accounts, each, expected) => {
    expect(spread(accounts, each).banned('s', 'somebody else', 1)).toBe(expected);
  });

  test('mistakes of different minutes are not added up', () => {
    const guesses = new Guesses();
    for (let i = 0; i < 4 * GUESS_LIMIT; i++) guesses.wrong('s', `u${i}`, i * (GUESS_WINDOW / 8));
    expect(guesses.banned('s', undefined, 4 * GUESS_LIMIT * (GUESS_WINDOW / 8))).toBe(false);
  });
});

test('whoever guesses one account gets at most ten tries in the first minute', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { maxLength: 60 }), (gaps) => {
      const guesses = new Guesses();
      let [now, tries] = [0, 0];
      for (const gap of gaps) {
        now += gap;
        if (now >= 60_000) break;
        if (guesses.banned('s', 'u', now)) continue;
        guesses.wrong('s', 'u', now);
        tries++;
      }
      expect(tries).toBeLessThanOrEqual(GUESS_LIMIT);
    }),
  );
});
