import { expect, it } from 'vitest';
import { newRequest } from '#shared/sip/message.ts';
import { toldHeaders } from './in-call.ts';

it.each([
  ['refer', undefined, 'refer'],
  ['refer', 7, 'refer;id=7'],
  ['refer;id=2', 7, 'refer;id=7'],
  ['refer; id=2', 7, 'refer;id=7'],
  ['refer;id=2', undefined, 'refer'],
])('of %s a phone that knows its REFER by the number %s is told %s (RFC 3515 section 2.4.6)', (event, id, told) => {
  const notify = newRequest('NOTIFY', 'sip:phone@10.1.0.2', [
    ['Event', event],
    ['Subscription-State', 'active;expires=60'],
    ['Contact', '<sip:cloud@10.0.0.2>'],
  ]);
  expect(toldHeaders(notify, id)).toEqual([
    ['Event', told],
    ['Subscription-State', 'active;expires=60'],
  ]);
});
