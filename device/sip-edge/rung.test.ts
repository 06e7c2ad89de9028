import { expect, it } from 'vitest';
import { answeredBy, othersOf, refusedBy, ringsNow } from './rung.ts';

const [a, b, c] = ['a', 'b', 'c'].map((id) => ({ id, number: `+${id}` })) as [
  { id: string; number: string },
  { id: string; number: string },
  { id: string; number: string },
];

it('tells each that was rung once, and the one that answered not among them', () => {
  const first = ringsNow([], [a, b], '', 10);
  const next = ringsNow(first, [c], 'no_answer', 20);
  const up = answeredBy(next, c, 30);
  expect(othersOf(up, 'c', 'hangup', 90)).toEqual([
    { to: '+a', endedAt: 20, reason: 'no_answer' },
    { to: '+b', endedAt: 20, reason: 'no_answer' },
  ]);
});

it('those that rang along have been answered elsewhere, also by somebody who was not rung', () => {
  const rung = ringsNow([], [a, b], '', 10);
  const elsewhere = { endedAt: 30, reason: 'answered_elsewhere' };
  expect(othersOf(answeredBy(rung, b, 30), 'b', 'hangup', 90)).toEqual([{ to: '+a', ...elsewhere }]);
  expect(othersOf(answeredBy(rung, c, 30), 'c', 'hangup', 90)).toEqual([
    { to: '+a', ...elsewhere },
    { to: '+b', ...elsewhere },
  ]);
});

it('what nobody answered ends for all of them as it ended', () => {
  expect(othersOf(ringsNow([], [a, b], '', 10), 'a', 'cancelled', 90.7)).toEqual([
    { to: '+b', endedAt: 90, reason: 'cancelled' },
  ]);
  expect(othersOf(answeredBy(ringsNow(ringsNow([], [a], '', 1), [a], 'no_answer', 2), a, 3), 'a', 'hangup', 9)).toEqual(
    [{ to: '+a', endedAt: 2, reason: 'no_answer' }],
  );
});

it('who refused did so whoever answers, and hears of it when the last of its phones has; the best of what they said counts', () => {
  const rung = ringsNow([], [a, b, c], '', 10);
  const one = refusedBy(rung, 'a', 486, false, 15);
  expect(othersOf(answeredBy(one, b, 30), 'b', 'hangup', 90)).toEqual([
    { to: '+a', endedAt: 30, reason: 'answered_elsewhere' },
    { to: '+c', endedAt: 30, reason: 'answered_elsewhere' },
  ]);
  const all = refusedBy(refusedBy(one, 'a', 480, true, 20), 'c', 603, true, 25);
  const refused = [
    { to: '+a', endedAt: 20, reason: 'callee_busy' },
    { to: '+c', endedAt: 25, reason: 'callee_declined' },
  ];
  expect(othersOf(answeredBy(all, b, 30), 'b', 'hangup', 90)).toEqual(refused);
  expect(othersOf(ringsNow(all, [a], 'no_answer', 40), 'b', 'cancelled', 90)).toEqual([
    ...refused,
    { to: '+a', endedAt: 90, reason: 'cancelled' },
  ]);
});
