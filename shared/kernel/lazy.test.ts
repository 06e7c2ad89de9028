import { expect, test } from 'vitest';
import { Lazy } from './lazy.ts';

test('is read once, again after a failure, and again when it is to be forgotten', async () => {
  let n = 0;
  const lazy = new Lazy(async () => {
    n++;
    if (n === 1) throw new Error('busy');
    return n;
  });
  await expect(lazy.get()).rejects.toThrow('busy');
  expect(await Promise.all([lazy.get(), lazy.get()])).toEqual([2, 2]);
  expect([await lazy.get(), n]).toEqual([2, 2]);
  lazy.forget();
  expect(await lazy.get()).toBe(3);
});

test('a reading that was forgotten meanwhile takes nothing with it when it fails', async () => {
  const readings: PromiseWithResolvers<number>[] = [];
  const lazy = new Lazy(() => {
    const one = Promise.withResolvers<number>();
    readings.push(one);
    return one.promise;
  });
  const old = lazy.get();
  lazy.forget();
  const now = lazy.get();
  readings[0]?.reject(new Error('late'));
  await expect(old).rejects.toThrow('late');
  readings[1]?.resolve(7);
  expect([await now, await lazy.get(), readings.length]).toEqual([7, 7, 2]);
});
