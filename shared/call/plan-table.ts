/**
 * Numbering plans by country: how national and international numbers are dialled there (ITU-T E.129 and E.164 with the national plans
 * that it lists), and which national numbers are mobile, free or dear. As it stood in 2026; what is missing is dialled with a plus sign.
 */

export interface Plan {
  /** ISO 3166-1. */
  readonly iso: string;
  /** E.164 country code. */
  readonly code: string;
  /** Dialled before a national number; empty where nothing is. */
  readonly trunk: string;
  /** Dialled before a country code. */
  readonly abroad: readonly string[];
  /** Digits of a national significant number: fewest, most. */
  readonly digits: readonly [number, number];
  /** Beginnings of national significant numbers that are dialled without the trunk prefix too; '' for all. */
  readonly bare?: readonly string[];
  readonly mobile: readonly string[];
  readonly premium: readonly string[];
  readonly free: readonly string[];
  /** Digits of the area code where it has one length for all. */
  readonly area?: number;
  /** Beginnings that belong to other countries under the same country code. */
  readonly elsewhere?: readonly string[];
}

type Row = readonly [
  iso: string,
  code: string,
  trunk: string,
  abroad: string,
  digits: readonly [number, number],
  mobile: string,
  premium: string,
  free: string,
  more?: Pick<Plan, 'bare' | 'area' | 'elsewhere'>,
];

const words = (text: string): string[] => (text === '' ? [] : text.split(' '));

const ROWS: readonly Row[] = [
  [
    'US',
    '1',
    '1',
    '011 00',
    [10, 10],
    '',
    '900',
    '800 833 844 855 866 877 888',
    {
      ...{ bare: [''], area: 3 },
      // The Caribbean and Bermuda: dialled as at home, charged as abroad.
      elsewhere: words('242 246 264 268 284 345 441 473 649 658 664 721 758 767 784 809 829 849 868 869 876'),
    },
  ],
  ['AT', '43', '0', '00', [4, 13], '65 66 67 68 69', '90 93', '800'],
  ['AU', '61', '0', '0011', [5, 10], '4', '19', '180', { bare: ['13', '18', '19'] }],
  ['BE', '32', '0', '00', [8, 9], '45 46 47 48 49', '90', '800'],
  ['CH', '41', '0', '00', [9, 9], '75 76 77 78 79', '90', '800'],
  ['CN', '86', '0', '00', [7, 12], '13 14 15 16 17 18 19', '', '400 800', { bare: ['1', '400', '800'] }],
  ['CZ', '420', '', '00', [9, 9], '60 70 72 73 77 79', '90', '800'],
  ['DE', '49', '0', '00', [5, 13], '15 16 17', '900 137 118 19', '800'],
  ['DK', '45', '', '00', [8, 8], '', '90', '80'],
  ['ES', '34', '', '00', [9, 9], '6 7', '803 806 807 905 907', '800 900'],
  ['FI', '358', '0', '00', [5, 12], '4 50', '600 700', '800'],
  ['FR', '33', '0', '00', [9, 9], '6 7', '89', '80'],
  ['GB', '44', '0', '00', [7, 10], '7', '9 70 87', '80'],
  ['GR', '30', '', '00', [10, 10], '69', '90', '800'],
  ['HK', '852', '', '001', [8, 9], '5 6 7 9', '900', '800'],
  ['HU', '36', '06', '00', [8, 9], '20 30 31 50 70', '90', '80'],
  ['IE', '353', '0', '00', [7, 10], '8', '15', '1800', { bare: ['15', '18'] }],
  ['IN', '91', '0', '00', [10, 11], '6 7 8 9', '', '1800', { bare: ['6', '7', '8', '9', '1800'] }],
  // The zero of an area code is part of the number.
  ['IT', '39', '', '00', [6, 11], '3', '89', '80'],
  ['JP', '81', '0', '010', [9, 10], '70 80 90', '990', '120 800'],
  ['KR', '82', '0', '001 002', [8, 10], '10', '60', '80'],
  ['LU', '352', '', '00', [4, 11], '6', '90', '800'],
  ['MX', '52', '', '00', [10, 10], '', '900', '800'],
  ['NL', '31', '0', '00', [7, 10], '6', '90', '800'],
  ['NO', '47', '', '00', [8, 8], '4 9', '82', '80'],
  ['NZ', '64', '0', '00', [8, 10], '2', '900', '508 800'],
  ['PL', '48', '', '00', [9, 9], '45 50 51 53 57 60 66 69 72 73 78 79 88', '70', '800'],
  ['PT', '351', '', '00', [9, 9], '9', '760 761 762', '800'],
  ['RU', '7', '8', '810', [10, 10], '9', '809', '800'],
  ['SE', '46', '0', '00', [7, 10], '7', '900 939 944', '20'],
  ['SG', '65', '', '001 008', [8, 11], '8 9', '1900', '800 1800'],
  ['TR', '90', '0', '00', [10, 10], '5', '900', '800'],
  ['ZA', '27', '0', '00', [9, 9], '6 7 81 82 83 84', '86', '80'],
];

/** Country codes that no country has: networks and satellites, dear everywhere, and two that cost the callee. */
export const WORLDWIDE: ReadonlyMap<string, 'premium' | 'free'> = new Map([
  ['800', 'free'],
  ['808', 'premium'],
  ['870', 'premium'],
  ['878', 'premium'],
  ['881', 'premium'],
  ['882', 'premium'],
  ['883', 'premium'],
  ['979', 'premium'],
]);

export const PLANS: ReadonlyMap<string, Plan> = new Map(
  ROWS.map(([iso, code, trunk, abroad, digits, mobile, premium, free, more]) => [
    code,
    {
      ...{ iso, code, trunk, digits, ...(trunk === '' ? { bare: [''] } : {}), ...more },
      ...{ abroad: words(abroad), mobile: words(mobile), premium: words(premium), free: words(free) },
    },
  ]),
);
