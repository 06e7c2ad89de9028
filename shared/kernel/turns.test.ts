import { expect, it } from 'vitest';
import { Turns } from './turns.ts';

it('work of one name goes one after another, also past a failure; that of another name beside it', async () => {
  const turns = new Turns();
  const [said, ends]: [string[], (() => void)[]] = [[], []];
  const work = (name: string) => async () => {
    said.push(name);
    await new Promise<void>((end) => ends.push(end));
    if (name === 'a1') throw new Error(name);
    return name;
  };
  const first = turns.run('a', work('a1'));
  const second = turns.run('a', work('a2'));
  const other = turns.run('b', work('b1'));
  await Promise.resolve();
  await Promise.resolve();
  expect(said).toEqual(['a1', 'b1']);
  ends[0]?.();
  await expect(first).rejects.toThrow('a1');
  await expect.poll(() => said).toEqual(['a1', 'b1', 'a2']);
  for (const end of ends) end();
  expect([await second, await other]).toEqual(['a2', 'b1']);
});
