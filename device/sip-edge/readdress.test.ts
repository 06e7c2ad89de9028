import { beforeEach, describe, expect, test } from 'vitest';
import { TICK } from '#shared/kernel/machine.ts';
import { checkedStep } from '#test/support/checked-step.ts';
import {
  newReaddress,
  READDRESS_GAP,
  READDRESS_TRIES,
  READDRESS_WAIT,
  READDRESS_WITHIN,
  type ReaddressInput,
  type ReaddressState,
  readdress,
  type Side,
} from './readdress.ts';

const side = (call: string, facts: Partial<Side> = {}): Side => ({
  call,
  party: 'caller',
  since: 0,
  help: false,
  ...facts,
});

describe('calls after a new flow', () => {
  let state: ReaddressState;
  let now: number;
  /** Whom it told, when and in which round. */
  let told: { readonly call: string; readonly at: number; readonly round: number }[];
  let given: { readonly call: string; readonly tries: number }[];

  beforeEach(() => {
    state = newReaddress();
    [now, told, given] = [5_000, [], []];
  });

  function feed(input: ReaddressInput | typeof TICK): void {
    for (const one of checkedStep(readdress, state, input, now)) {
      if (one.do === 'renew') told.push({ call: one.call, at: now, round: one.round });
      else given.push(one);
    }
  }
  /** Lets time pass from deadline to deadline. */
  function pass(ms: number): void {
    for (const end = now + ms; ; ) {
      const due = readdress.due(state);
      if (due > end) {
        now = end;
        return;
      }
      now = due;
      feed(TICK);
    }
  }
  const flow = (...sides: Side[]) => feed({ on: 'flow', sides });
  const settled = (call: string, ok: boolean, round = state.round) =>
    feed({ on: 'settled', call, party: 'caller', round, ok });
  const calls = () => told.map(({ call }) => call);

  test('one that takes it is told at once, and once', () => {
    flow(side('c'));
    settled('c', true);
    pass(120_000);
    expect(told).toEqual([{ call: 'c', at: 5_000, round: 1 }]);
    expect(given).toEqual([]);
  });

  test(`one that refuses is told ${READDRESS_TRIES} times, ever more slowly, and never again`, () => {
    flow(side('c'));
    settled('c', false);
    while (readdress.due(state) < Number.POSITIVE_INFINITY) {
      now = readdress.due(state);
      feed(TICK);
      settled('c', false);
    }
    const waits = told.slice(1).map(({ at }, i) => (at - (told[i]?.at ?? 0)) / READDRESS_WAIT);
    expect(waits).toEqual([1, 2, 4, 8, 16]);
    expect(told).toHaveLength(READDRESS_TRIES);
    expect(given).toEqual([{ do: 'not-moved', call: 'c', tries: READDRESS_TRIES }]);
  });

  test('help goes first, then who talks longest', () => {
    const later = { since: 9, help: true };
    flow(side('new', { since: 8 }), side('old', { since: 1 }), side('help', later), side('middle', { since: 4 }));
    pass(1_000);
    expect(told.map(({ call, at }) => [call, at - 5_000])).toEqual([
      ['help', 0],
      ['old', READDRESS_GAP],
      ['middle', 2 * READDRESS_GAP],
      ['new', 3 * READDRESS_GAP],
    ]);
  });

  test.each([2, 50, 51, 120])('%i sides: never two at once, and all within two seconds', (count) => {
    flow(...Array.from({ length: count }, (_, i) => side(`c${i}`)));
    expect(told).toHaveLength(1);
    pass(READDRESS_WITHIN);
    expect(new Set(told.map(({ at }) => at)).size).toBe(count);
    expect(new Set(calls()).size).toBe(count);
  });

  test('another flow begins anew for all, and what came of the one before is of no interest', () => {
    const three = ['a', 'b', 'c'].map((call, since) => side(call, { since }));
    flow(...three);
    pass(READDRESS_GAP);
    flow(...three);
    settled('a', true, 1);
    settled('b', false, 1);
    pass(60_000);
    expect(told.map(({ call, round }) => `${call}${round}`)).toEqual(['a1', 'b1', 'a2', 'b2', 'c2']);
    for (const { call } of three) settled(call, true);
    pass(60_000);
    expect(told).toHaveLength(5);
  });

  test('without a flow nobody is told, neither who waits for the first turn nor who refused', () => {
    flow(side('a'), side('b', { since: 1 }));
    settled('a', false);
    feed({ on: 'down' });
    settled('a', false);
    pass(60_000);
    expect([calls(), readdress.due(state), given]).toEqual([['a'], Number.POSITIVE_INFINITY, []]);
    flow(side('a'), side('b', { since: 1 }));
    pass(60_000);
    expect(calls()).toEqual(['a', 'a', 'b']);
  });

  test('a call that is over is left alone', () => {
    flow(side('a'), side('b', { since: 1 }), side('c', { since: 2 }));
    settled('a', false);
    feed({ on: 'over', call: 'a' });
    feed({ on: 'over', call: 'b' });
    settled('a', false);
    pass(60_000);
    expect([calls(), given]).toEqual([['a', 'c'], []]);
  });

  test('both sides of one call are told', () => {
    flow(side('a'), side('a', { party: 'cloud' }));
    settled('a', true);
    pass(60_000);
    feed({ on: 'settled', call: 'a', party: 'cloud', round: 1, ok: true });
    expect([calls(), state.waiting]).toEqual([['a', 'a'], []]);
  });
});
