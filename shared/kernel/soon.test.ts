import { expect, test } from 'vitest';
import { soon } from './soon.ts';

test('what is known at once goes on in the same turn; a promise later, and what fails there rejects', async () => {
  const seen: string[] = [];
  const note = (value: string) => {
    seen.push(value);
    return value.length;
  };
  expect(soon('now', note)).toBe(3);
  const later = soon(Promise.resolve('later'), note);
  expect(seen).toEqual(['now']);
  expect(await later).toBe(5);
  const fail = () => {
    throw new Error('no');
  };
  expect(() => soon('now', fail)).toThrow('no');
  await expect(soon(Promise.resolve('later'), fail)).rejects.toThrow('no');
});
