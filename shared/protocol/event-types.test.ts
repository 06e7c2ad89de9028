import { expect, test } from 'vitest';
import { nearestEventType } from './event-types.ts';

test.each([
  ['home.session.v1.ended', undefined],
  ['home.session.*', undefined],
  ['home.*', undefined],
  ['home.mess*', undefined],
  ['home.session.v1.ende', 'home.session.v1.ended'],
  ['home.message.v1.recieved', 'home.message.v1.delivered'],
  ['message.v1.delivered', 'home.message.v1.delivered'],
  ['home.sesion.*', 'home.session.v1.*'],
  ['session.ended', 'home.session.v1.ended'],
  ['x', 'home.app.v1.review'],
])('%s: nearest is %s', (asked, near) => {
  expect(nearestEventType(asked)).toBe(near);
});
