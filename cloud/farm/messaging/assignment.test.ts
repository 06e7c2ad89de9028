import fc from 'fast-check';
import { expect, it } from 'vitest';
import { seed } from '../../../test/support/seed.ts';
import { assign } from './assignment.ts';
import type { CopyRow } from './rows.ts';

const copy = (message: string, device: string, state: CopyRow['state'] = 'waiting', position = 0): CopyRow => ({
  ...{ message, device, state, position, line: 'line_1', refused: 0 },
});
const plan = (copies: readonly CopyRow[], here: readonly string[]) =>
  [...assign(copies, here)].map(([device, list]) => [device, list.map(({ message, held }) => [message, held])]);

it.each<[string, readonly CopyRow[], readonly string[], unknown]>([
  [
    'its own, in order',
    [copy('m1', 'i_a'), copy('m2', 'i_a')],
    ['i_a'],
    [
      [
        'i_a',
        [
          ['m1', 'i_a'],
          ['m2', 'i_a'],
        ],
      ],
    ],
  ],
  [
    'each its own',
    [copy('m1', 'i_a'), copy('m1', 'i_b')],
    ['i_a', 'i_b'],
    [
      ['i_a', [['m1', 'i_a']]],
      ['i_b', [['m1', 'i_b']]],
    ],
  ],
  ['nothing of a phone that is off', [copy('m1', 'i_a')], ['i_b'], [['i_b', []]]],
  [
    'what is for whoever comes, once',
    [copy('m1', '')],
    ['i_a', 'i_b'],
    [
      ['i_a', [['m1', '']]],
      ['i_b', []],
    ],
  ],
  ['what a vanished contact left', [copy('m1', 'c_old')], ['c_new'], [['c_new', [['m1', 'c_old']]]]],
  ['not to one that has it already', [copy('m1', 'c_old'), copy('m1', 'i_a', 'delivered')], ['i_a'], [['i_a', []]]],
  ['not what is over', [copy('m1', 'i_a', 'expired'), copy('m2', 'i_a', 'failed')], ['i_a'], [['i_a', []]]],
])('a phone gets %s', (_name, copies, here, expected) => expect(plan(copies, here)).toEqual(expected));

it('no copy goes to two phones, and no phone gets a message twice', () => {
  const device = fc.constantFrom('', 'i_a', 'i_b', 'i_c', 'c_a', 'c_b');
  const state = fc.constantFrom<CopyRow['state']>('waiting', 'delivered', 'failed', 'expired');
  const copies = fc.uniqueArray(fc.tuple(fc.constantFrom('m1', 'm2', 'm3'), device, state), {
    selector: ([message, name]) => `${message} ${name}`,
  });
  const here = fc.uniqueArray(fc.constantFrom('i_a', 'i_b', 'i_c', 'c_a', 'c_b'));
  fc.assert(
    fc.property(copies, here, (some, phones) => {
      const rows = some
        .map(([message, name, at]) => copy(message, name, at))
        .sort((x, y) => (x.message < y.message ? -1 : 1));
      const held = new Set<string>();
      for (const [phone, list] of assign(rows, phones)) {
        const had = rows.filter((row) => row.device === phone && row.state !== 'waiting').map(({ message }) => message);
        for (const one of list) {
          expect(held.has(`${one.message} ${one.held}`)).toBe(false);
          held.add(`${one.message} ${one.held}`);
          expect(had).not.toContain(one.message);
        }
        expect(new Set(list.map(({ message }) => message)).size).toBe(list.length);
        expect(list.map(({ message }) => message)).toEqual(list.map(({ message }) => message).sort());
      }
    }),
    { seed },
  );
});
