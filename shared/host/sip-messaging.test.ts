import { expect, it } from 'vitest';
import { newRequest } from '../sip/message.ts';
import { CLOCK_OFF, lifeOf } from './sip-messaging.ts';

const NOW = Date.parse('2026-01-02T03:04:05Z');
const at = (ago: number) => new Date(NOW - ago).toUTCString();

it.each<[string, string | undefined, string | undefined, number | undefined]>([
  ['without Expires', undefined, at(5_000), undefined],
  ['without Date from now on', '60', undefined, 60_000],
  ['from when it was sent', '60', at(20_000), 40_000],
  ['that is over', '60', at(90_000), 0],
  ['of a clock that is ahead from now on', '60', at(-90_000), 60_000],
  ['of a clock that is a little less than too far off', '90000', at(CLOCK_OFF - 1_000), 3_601_000],
  ['of a clock that is far off from now on', '60', at(CLOCK_OFF), 60_000],
  ['of a Date that is none from now on', '60', 'yesterday', 60_000],
])('the life of a MESSAGE %s (RFC 3428 section 7)', (_name, expires, date, life) => {
  const message = newRequest('MESSAGE', 'sip:b@x', [
    ...(expires === undefined ? [] : [['Expires', expires] as const]),
    ...(date === undefined ? [] : [['Date', date] as const]),
  ]);
  expect(lifeOf(message, NOW + 0.5)).toBe(life);
});
