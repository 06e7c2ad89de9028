import { describe, expect, it } from 'vitest';
import { meaning } from './dialling.ts';

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
    ['a setting', {}, '*26#', false, { do: 'change', changes: { doNotDisturb: true } }],
    ['nonsense', {}, '*21*#', false, { do: 'refuse' }],
  ] as const)('%s', (_name, features, dialled, hidden, expected) =>
    expect(meaning(features, dialled, hidden)).toEqual(expected),
  );
});
