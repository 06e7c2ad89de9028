import { expect, it } from 'vitest';
import { longestRinging } from './pickup.ts';

const ringing = [
  { line: 'a', since: 30 },
  { line: 'b', since: 20 },
  { line: 'c', since: 10 },
];

it.each<[string, string, string | undefined, string | undefined]>([
  ['the oldest anywhere', 'x', undefined, 'c'],
  ['never at the own line', 'c', undefined, 'b'],
  ['at one line', 'c', 'a', 'a'],
  ['nothing at the own line, even when named', 'a', 'a', undefined],
  ['nothing where nothing rings', 'a', 'x', undefined],
])('takes %s', (_what, taker, at, line) => expect(longestRinging(ringing, taker, at)?.line).toBe(line));
