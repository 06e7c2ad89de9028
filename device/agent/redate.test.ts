import { expect, test } from 'vitest';
import { BELIEVED, redated } from './redate.ts';

const call = {
  ...{ callId: 'a@b', from: '+1', to: '+2', startedAt: 10_000, answeredAt: 11_000, endedAt: 20_000 },
  also: [{ to: '+3', endedAt: 11_000, reason: 'no_answer' }],
};

test.each([3_600_000, -5_000])('every moment of a call moves by %d ms, and nothing else', (by) => {
  const at = (moment: number) => Math.max(0, moment + by);
  expect(redated('voice.report', call, by)).toEqual({
    ...call,
    ...{ startedAt: at(10_000), answeredAt: at(11_000), endedAt: at(20_000) },
    also: [{ to: '+3', endedAt: at(11_000), reason: 'no_answer' }],
  });
});

test('what hardly differs is left alone, and so is a report without moments', () => {
  expect(redated('voice.report', call, BELIEVED)).toBe(call);
  const told = { line: 'l', features: {}, stamps: { doNotDisturb: 10_000 }, at: 5 };
  expect(redated('line.features.tell', told, 3_600_000)).toBe(told);
});
