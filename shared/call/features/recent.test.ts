import { expect, it } from 'vitest';
import { lastNumber, type PastCall, WITHHELD } from './recent.ts';

const past: readonly PastCall[] = [
  { line: 'a', to: '+2', rung: [] },
  { to: '+1', rung: [{ line: 'a', from: '+9' }] },
  { line: 'a', to: '+3', rung: [{ line: 'b', from: WITHHELD }] },
  {
    line: 'b',
    to: '+1',
    rung: [
      { line: 'c', from: '+2' },
      { line: 'a', from: '+2' },
    ],
  },
];

it.each<[string, string, 'dialled' | 'caller', string | undefined]>([
  ['a call that rang nobody does not count', 'a', 'dialled', '+3'],
  ['the newest caller', 'a', 'caller', '+9'],
  ['a withheld number hides those before it', 'b', 'caller', undefined],
  ['of several that rang', 'c', 'caller', '+2'],
  ['its own calls', 'b', 'dialled', '+1'],
  ['none', 'c', 'dialled', undefined],
])('%s', (_what, line, of, number) => expect(lastNumber(past, line, of)).toBe(number));
