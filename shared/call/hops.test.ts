import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newRequest } from '../sip/message.ts';
import type { Target } from './call-types.ts';
import { hopHeaders, hopsOf, MAX_BREADTH, shareOf, widthOf } from './hops.ts';

const invite = (...lines: [string, string][]) => newRequest('INVITE', 'sip:b@h', lines);

describe('what an INVITE still may do', () => {
  it.each<[string, [string, string][], object]>([
    [
      'as it says',
      [
        ['Max-Forwards', '12'],
        ['Max-Breadth', '7'],
      ],
      { left: 12, breadth: 7 },
    ],
    ['70 hops where it says nothing', [], { left: 70 }],
    ['no more than ours', [['Max-Breadth', String(MAX_BREADTH + 1)]], { left: 70, breadth: MAX_BREADTH }],
    [
      'no more than ours, however long the number',
      [['Max-Breadth', '9'.repeat(40)]],
      { left: 70, breadth: MAX_BREADTH },
    ],
  ])('%s', (_name, lines, hops) => {
    expect(hopsOf(invite(...lines))).toEqual(hops);
  });

  it('is told on, one hop less', () => {
    expect(hopHeaders({ left: 12 }, 3)).toEqual([
      ['Max-Forwards', '11'],
      ['Max-Breadth', '3'],
    ]);
    expect(hopHeaders({ left: 0 }, undefined)).toEqual([['Max-Forwards', '0']]);
    expect(hopHeaders(undefined, undefined)).toEqual([]);
  });
});

describe('the breadth of a fork (RFC 5393 section 5.3.3)', () => {
  const target = (branches: number, oneByOne = false): Target<string> => ({
    leg: 'l',
    branches: Array.from({ length: branches }, (_, i) => ({ branch: `${i}`, to: '' })),
    ...(oneByOne ? { oneByOne: { tryFor: 1 } } : {}),
  });

  it('counts what rings at once', () => {
    expect(widthOf([target(3), target(2), target(5, true), target(0, true), target(0)])).toBe(6);
  });

  it.each([
    [undefined, 1, undefined],
    [undefined, 2, 30],
    [undefined, MAX_BREADTH, 1],
    [undefined, MAX_BREADTH + 1, 0],
    [5, 1, 5],
    [5, 2, 2],
    [5, 6, 0],
    [0, 1, 0],
    [4, 0, 4],
  ])('%s over %i branches is %s each', (breadth, width, share) => {
    expect(shareOf(breadth, width)).toBe(share);
  });

  it('never grows', () => {
    fc.assert(
      fc.property(fc.nat(MAX_BREADTH), fc.integer({ min: 1, max: 200 }), (breadth, width) => {
        expect((shareOf(breadth, width) ?? 0) * width).toBeLessThanOrEqual(breadth);
      }),
    );
  });
});
