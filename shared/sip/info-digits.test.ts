import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seed } from '#test/support/seed.ts';
import { readInfoDigit } from './info-digits.ts';

it.each([
  ['application/dtmf-relay', 'Signal=5\r\nDuration=250\r\n', { digit: '5', duration: 250 }],
  ['application/dtmf-relay', 'Signal= *\r\nDuration= 100', { digit: '*', duration: 100 }],
  ['Application/DTMF-Relay;x=1', 'signal=#', { digit: '#', duration: 160 }],
  ['application/dtmf-relay', 'Signal=11\r\n', { digit: '#', duration: 160 }],
  ['application/dtmf-relay', 'Signal=5\r\nDuration=999999', { digit: '5', duration: 10_000 }],
  ['application/dtmf', 'd', { digit: 'D', duration: 160 }],
  ['application/dtmf', '10', { digit: '*', duration: 160 }],
  ['application/dtmf', '', undefined],
  ['application/dtmf', 'x', undefined],
  ['application/dtmf-relay', 'Duration=5', undefined],
  ['application/dtmf-relay', 'Signal=55', undefined],
  ['application/dtmf-relay', `Signal=5\r\n${'x'.repeat(300)}`, undefined],
  ['application/media_control+xml', 'Signal=5', undefined],
  [undefined, '5', undefined],
])('%s %j', (type, body, expected) => expect(readInfoDigit(type, body)).toEqual(expected));

it('throws at nothing', () => {
  void fc.assert(
    fc.property(fc.constantFrom('application/dtmf', 'application/dtmf-relay'), fc.string(), (type, body) => {
      const read = readInfoDigit(type, body);
      if (read !== undefined) expect('0123456789*#ABCD').toContain(read.digit);
    }),
    { seed },
  );
});
