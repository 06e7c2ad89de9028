import { expect, it } from 'vitest';
import { newRequest } from '#shared/sip/message.ts';
import { passedOn } from './edge-call.ts';

const of = (...headers: [string, string][]) => passedOn(newRequest('INVITE', 'sip:1@x', headers));

it('passes on how a call rings, who sent it on, and that its number was checked; nothing else', () => {
  const checked = '<sip:+442071838750;verstat=TN-Validation-Passed@x;user=phone>';
  expect(
    of(
      ['Alert-Info', '<urn:alert:source:family>, <http://x/y.wav>'],
      ['History-Info', '<sip:1@a>;index=1, <sip:2@a;cause=302>;index=1.1'],
      ['P-Asserted-Identity', checked],
      ['Diversion', '<sip:1@a>'],
      ['Privacy', 'none'],
    ),
  ).toEqual([
    ['Alert-Info', '<urn:alert:source:family>'],
    ['History-Info', '<sip:1@a>;index=1'],
    ['History-Info', '<sip:2@a;cause=302>;index=1.1'],
    ['P-Asserted-Identity', checked],
  ]);
  expect(of(['P-Asserted-Identity', '<sip:+442071838750@x>'])).toEqual([]);
});

it('passes on so much at the most', () => {
  const entries = Array.from({ length: 21 }, (_none, i): [string, string] => [
    'History-Info',
    `<sip:${i}@a>;index=${i}`,
  ]);
  expect(of(...entries)).toHaveLength(20);
  expect(of(['History-Info', `<sip:1@${'a'.repeat(256)}>;index=1`])).toEqual([]);
});
