import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PLANS, WORLDWIDE } from './plan-table.ts';
import { countryOf, type DestinationClass, destinationClass, normalise, planOf } from './plans.ts';

describe('numbers as they are dialled in each country', () => {
  const table: [country: string, dialled: string, expected: string | undefined][] = [
    ['49', '030123456', '+4930123456'],
    ['49', '0043123456', '+43123456'],
    ['49', '015112345678', '+4915112345678'],
    // Without its area code a number is nobody's.
    ['49', '123456', undefined],
    ['44', '02079460000', '+442079460000'],
    ['44', '0012125550100', '+12125550100'],
    ['33', '0612345678', '+33612345678'],
    ['33', '061234567', undefined],
    // Italy keeps the zero; Spain and Norway have no prefix at all.
    ['39', '0612345678', '+390612345678'],
    ['39', '3471234567', '+393471234567'],
    ['34', '612345678', '+34612345678'],
    ['47', '22123456', '+4722123456'],
    ['36', '06301234567', '+36301234567'],
    ['61', '0011441234567890', '+441234567890'],
    ['61', '0412345678', '+61412345678'],
    ['81', '0101234567890', '+1234567890'],
    ['86', '13912345678', '+8613912345678'],
    ['86', '01012345678', '+861012345678'],
    ['91', '9812345678', '+919812345678'],
    ['7', '84951234567', '+74951234567'],
    ['7', '81049301234567', '+49301234567'],
    ['1', '18765550100', '+18765550100'],
    ['999', '5550100001', undefined],
    ['999', '+4989123456', '+4989123456'],
  ];
  test.each(table)('in +%s: %s', (country, dialled, expected) => {
    expect(normalise(dialled, country)).toBe(expected);
  });

  test('no country code is the beginning of another, so a number has one country', () => {
    const codes = [...PLANS.keys(), ...WORLDWIDE.keys()];
    for (const one of codes) expect(codes.filter((other) => other !== one && other.startsWith(one))).toEqual([]);
  });

  test('every national number dialled at home and from every other country is the same one', () => {
    const plans = [...PLANS.values()];
    const national = fc
      .tuple(fc.constantFrom(...plans), fc.constantFrom(...plans), fc.bigInt(2n, 10n ** 15n - 1n))
      .map(([plan, other, big]) => {
        const [fewest, most] = plan.digits;
        const length = Math.min(most, 15 - plan.code.length);
        return { plan, other, digits: `4${big}`.padEnd(length, '3').slice(0, Math.max(fewest, length)) };
      });
    fc.assert(
      fc.property(national, ({ plan, other, digits }) => {
        const full = `+${plan.code}${digits}`;
        expect(normalise(plan.trunk + digits, plan.code)).toBe(full);
        for (const prefix of other.abroad) expect(normalise(prefix + plan.code + digits, other.code)).toBe(full);
        expect(planOf(full)).toBe(plan);
        expect(countryOf(full)).toBe(plan.code);
      }),
    );
  });

  test('any text is read without a throw', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...PLANS.keys(), ''), (text, country) => {
        const number = normalise(text, country);
        if (number !== undefined) expect(number).toMatch(/^\+[1-9]\d{4,14}$/);
      }),
    );
  });
});

describe('what kind of destination a number is', () => {
  const table: [from: string, to: string, expected: DestinationClass][] = [
    ['+12125550100', '+12125550199', 'local'],
    ['+12125550100', '+13125550199', 'national'],
    ['+12125550100', '+18005550199', 'free'],
    ['+12125550100', '+19005550199', 'premium'],
    // One country code, another country: the fraud of one ring.
    ['+12125550100', '+18765550199', 'international'],
    ['+12125550100', '+4930123456', 'international'],
    ['+4930123456', '+4989123456', 'national'],
    ['+4930123456', '+4915112345678', 'mobile'],
    ['+4930123456', '+49900123456', 'premium'],
    ['+4930123456', '+49800123456', 'free'],
    ['+4930123456', '+12125550199', 'international'],
    // Dear abroad is dear.
    ['+4930123456', '+449012345678', 'premium'],
    ['+4930123456', '+8815012345', 'premium'],
    ['+4930123456', '+80012345678', 'free'],
    ['+4930123456', '+97912345678', 'premium'],
    ['+4930123456', '+99912345678', 'international'],
  ];
  test.each(table)('from %s to %s', (from, to, expected) => {
    expect(destinationClass(to, from)).toBe(expected);
  });

  test('a line without a number is at home in the default country', () => {
    expect(destinationClass('+12125550199', undefined)).toBe('national');
    expect(destinationClass('+4930123456', undefined)).toBe('international');
  });
});
