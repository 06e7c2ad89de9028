import { expect, it } from 'vitest';
import { KNOWN_LIMIT, Known } from './known.ts';

it('reads once, until it is told to forget; what is not there is read each time', async () => {
  const known = new Known<string>();
  let reads = 0;
  const read = (value: string | undefined) => async () => {
    reads++;
    return value;
  };
  for (const value of ['a', 'b']) expect(await known.get('x', read(value))).toBe('a');
  expect(reads).toBe(1);
  for (let i = 0; i < 2; i++) expect(await known.get('y', read(undefined))).toBeUndefined();
  expect(reads).toBe(3);
  known.forget();
  expect(await known.get('x', read('b'))).toBe('b');
});

it('keeps nothing that was read while something changed', async () => {
  const known = new Known<string>();
  const old = known.get('x', async () => {
    known.forget();
    return 'old';
  });
  expect(await old).toBe('old');
  expect(await known.get('x', async () => 'new')).toBe('new');
});

it('keeps so many; one more sends the oldest away', async () => {
  const known = new Known<number>();
  for (let i = 0; i <= KNOWN_LIMIT; i++) await known.get(String(i), async () => i);
  expect(await known.get('1', async () => -1)).toBe(1);
  expect(await known.get('0', async () => -1)).toBe(-1);
});
