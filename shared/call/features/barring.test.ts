import { describe, expect, it } from 'vitest';
import { barredFor } from './barring.ts';

const FROM = '+4930123456';
const CHILD = { bar: ['international', 'premium'], pin: '2468' } as const;

describe('barring', () => {
  it.each([
    ['abroad', CHILD, '+12125550100', undefined, 'international'],
    ['a dear number', CHILD, '+49900123456', undefined, 'premium'],
    ['a dear number abroad', CHILD, '+449012345678', undefined, 'premium'],
    ['at home', CHILD, '+4989123456', undefined, undefined],
    ['a mobile', CHILD, '+4915112345678', undefined, undefined],
    ['past the bar', CHILD, '+12125550100', '2468', undefined],
    ['with a wrong PIN', CHILD, '+12125550100', '2469', 'international'],
    ['with no PIN set, any PIN', { bar: ['international'] }, '+12125550100', '', 'international'],
    ['a PIN alone bars nothing', { pin: '2468' }, '+12125550100', undefined, undefined],
    ['nothing barred', {}, '+12125550100', undefined, undefined],
  ] as const)('%s', (_name, features, to, pin, expected) => {
    expect(barredFor(features, to, FROM, pin)).toBe(expected);
  });
});
