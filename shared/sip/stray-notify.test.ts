import { expect, test } from 'vitest';
import { newRequest } from './message.ts';
import { refuseNotify } from './stray-notify.ts';

const said = (event: string | undefined, state: string | undefined) =>
  newRequest('NOTIFY', 'sip:hl@10.0.0.9', [
    ...(event === undefined ? [] : [['Event', event] as const]),
    ...(state === undefined ? [] : [['Subscription-State', state] as const]),
  ]);

test.each([
  ['of nobody here', 'dialog', 'active;expires=60', 481],
  ['with a package in capitals and a parameter', 'Dialog ;id=7', 'terminated', 481],
  ['that does not say how it stands', 'message-summary', undefined, 400],
  ['of a package that nobody knows', 'keep-alive', 'active', 489],
  ['of a package whose name only begins alike', 'dialog.winfo', 'active', 489],
  ['without a package', undefined, 'active', 489],
  ['with an empty one', '', 'active', 489],
])('a NOTIFY %s', (_name, event, state, status) => {
  const refused = refuseNotify(said(event, state), ['dialog', 'message-summary']);
  expect(refused.status).toBe(status);
  expect(refused.headers).toEqual(status === 489 ? [['Allow-Events', 'dialog, message-summary']] : []);
});
