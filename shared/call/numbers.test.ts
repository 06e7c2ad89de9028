import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mediaIndex, mediaShortCode, readDialled } from './numbers.ts';
import { normalise } from './plans.ts';

const number = (text: string) => ({ kind: 'number', number: text });
const name = (text: string) => ({ kind: 'name', name: text });

describe('what was dialled', () => {
  const table: [string, unknown][] = [
    ['+15550100001', number('+15550100001')],
    ['15550100001', number('+15550100001')],
    ['5550100001', number('+15550100001')],
    ['(555) 010-0001', number('+15550100001')],
    ['+1.555.010.0001', number('+15550100001')],
    ['011498912345', number('+498912345')],
    ['00498912345', number('+498912345')],
    ['sip:+15550100001@example.net;user=phone', number('+15550100001')],
    ['sip:+15550100001;ext=12@example.net;user=phone', number('+15550100001')],
    ['sip:112;phone-context=+49@example.net', { kind: 'emergency', number: '112' }],
    ['sips:5550100001@[2001:db8::1]:5061', number('+15550100001')],
    ['tel:+1-555-010-0001', number('+15550100001')],
    ['sip:kitchen@example.net', name('kitchen')],
    ['line_01hx', name('line_01hx')],
    ['u-7f3k', name('u-7f3k')],
    ['5550100', name('5550100')],
    ['+0155501', name('+0155501')],
    ['+123456789012345', number('+123456789012345')],
    ['+1234567890123456', name('+1234567890123456')],
    ['+1234', name('+1234')],
    ['112', { kind: 'emergency', number: '112' }],
    ['sip:911@example.net', { kind: 'emergency', number: '911' }],
    ['urn:service:sos', { kind: 'emergency', number: '112' }],
    ['urn:service:sos.fire', { kind: 'emergency', number: '112' }],
    ['urn:service:sosage', name('urn:service:sosage')],
    ['700', { kind: 'media', index: 0 }],
    ['sip:703@h', { kind: 'media', index: 3 }],
    ['799', { kind: 'media', index: 99 }],
    ['800', name('800')],
    ['699', name('699')],
    ['', undefined],
    ['sip:example.net', undefined],
    ['sip:@', undefined],
  ];
  test.each(table)('%s', (text, expected) => {
    expect(readDialled(text)).toEqual(expected);
  });

  test('a national plan that is unknown takes full numbers only', () => {
    expect(normalise('5550100001', '999')).toBeUndefined();
    expect(normalise('+4989123456', '999')).toBe('+4989123456');
  });

  test('a short code and its index are each other’s inverse', () => {
    for (let i = 0; i < 100; i++) expect(mediaIndex(mediaShortCode(i) ?? '')).toBe(i);
    expect(mediaShortCode(100)).toBeUndefined();
    expect(mediaShortCode(-1)).toBeUndefined();
    expect(mediaShortCode(0.5)).toBeUndefined();
  });

  test('any text is read without a throw, and a number is always full E.164', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = readDialled(text);
        if (read?.kind === 'number') expect(read.number).toMatch(/^\+[1-9]\d{4,14}$/);
      }),
    );
  });
});
