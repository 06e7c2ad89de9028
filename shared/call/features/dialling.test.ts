import { describe, expect, it } from 'vitest';
import { meaning, writtenOut } from './dialling.ts';

const SHORT = { short: [{ code: '7', to: '+15550100007' }] } as const;

describe('what a phone dialled', () => {
  it.each([
    ['a number', {}, '102', false, { do: 'call', to: '102', hidden: false }],
    ['with privacy asked by the phone', {}, '102', true, { do: 'call', to: '102', hidden: true }],
    ['withheld for good', { hideNumber: true }, '102', false, { do: 'call', to: '102', hidden: true }],
    ['shown for once', { hideNumber: true }, '*31#102', false, { do: 'call', to: '102', hidden: false }],
    ['withheld for once', {}, '#31#102', false, { do: 'call', to: '102', hidden: true }],
    ['an abbreviation', SHORT, '7', false, { do: 'call', to: '+15550100007', hidden: false }],
    ['an abbreviation, withheld', SHORT, '#31#7', false, { do: 'call', to: '+15550100007', hidden: true }],
    ['no abbreviation', SHORT, '77', false, { do: 'call', to: '77', hidden: false }],
    ['a hot line', { hotLine: '+15550100009' }, '5', false, { do: 'call', to: '+15550100009', hidden: false }],
    ['a hot line, withheld', { hotLine: '102' }, '#31#5', false, { do: 'call', to: '102', hidden: true }],
    ['a code on a hot line', { hotLine: '102' }, '*26#', false, { do: 'change', changes: { doNotDisturb: true } }],
    ['past the bar', SHORT, '*33*2468*7', false, { do: 'call', to: '+15550100007', hidden: false, pin: '2468' }],
    [
      'past the bar, withheld for good',
      { hideNumber: true },
      '*33*1*102',
      false,
      { do: 'call', to: '102', hidden: true, pin: '1' },
    ],
    ['the last number', {}, '*66', false, { do: 'last', of: 'dialled', hidden: false }],
    [
      'the last number, withheld for good',
      { hideNumber: true },
      '*66',
      false,
      { do: 'last', of: 'dialled', hidden: true },
    ],
    ['the last caller', {}, '*69', false, { do: 'last', of: 'caller', hidden: false }],
    ['two calls together', {}, '*7', false, { do: 'together' }],
    ['two calls together, on a hot line', { hotLine: '102' }, '*7#', false, { do: 'together' }],
    ['a setting', {}, '*26#', false, { do: 'change', changes: { doNotDisturb: true } }],
    ['nonsense', {}, '*21*#', false, { do: 'refuse' }],
  ] as const)('%s', (_name, features, dialled, hidden, expected) =>
    expect(meaning(features, dialled, hidden)).toEqual(expected),
  );

  it.each([
    ['030 123456', '+4989111111', '+4930123456'],
    ['#31#004312345678', '+4989111111', '+4312345678'],
    ['5550100001', '+15550100002', '+15550100001'],
    ['7', '+4989111111', '+15550100007'],
    ['kitchen', '+4989111111', 'kitchen'],
    ['701', '+4989111111', '701'],
    ['sip:030123456@hearthline', '+4989111111', 'sip:030123456@hearthline'],
    ['030123456', undefined, '030123456'],
  ])('%s from %s', (dialled, number, to) => {
    expect(meaning(SHORT, dialled, false, number)).toMatchObject({ do: 'call', to });
  });

  it('is kept in full, as the line means it', () => {
    const said = {
      doNotDisturb: true,
      forward: { busy: '030123456', always: 'kitchen' },
      hunt: ['0891234567'],
      ringAlso: ['102'],
      hotLine: '004312345678',
      short: [{ code: '7', to: '030123456' }],
    };
    expect(writtenOut(said, '+4989111111')).toEqual({
      doNotDisturb: true,
      forward: { busy: '+4930123456', always: 'kitchen' },
      hunt: ['+49891234567'],
      ringAlso: ['102'],
      hotLine: '+4312345678',
      short: [{ code: '7', to: '+4930123456' }],
    });
    expect(writtenOut({}, '+4989111111')).toEqual({});
  });
});
