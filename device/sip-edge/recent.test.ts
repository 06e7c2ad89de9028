import { expect, it } from 'vitest';
import { Recent } from './recent.ts';

it('keeps of each line the last in either direction, and no more', () => {
  const recent = new Recent();
  for (let n = 0; n < 500; n++) {
    const [from, to] = [`line_${n % 3}`, `line_${(n + 1) % 3}`];
    recent.add({ line: from, to: `+${to}`, rung: [{ line: to, from: `+${from}` }] });
  }
  expect(recent.past.length).toBeLessThanOrEqual(6);
  expect(recent.last('line_1', 'dialled')).toBe('+line_2');
  expect(recent.last('line_1', 'caller')).toBe('+line_0');
  const again = new Recent();
  again.restore(structuredClone(recent.past));
  expect(again.last('line_1', 'caller')).toBe('+line_0');
});

it('keeps nothing of lines that are gone', () => {
  const recent = new Recent();
  recent.add({ line: 'a', to: '+1', rung: [{ line: 'b', from: '+2' }] });
  recent.add({ line: 'c', to: '+3', rung: [{ from: '+4' }] });
  recent.keepOnly((line) => line === 'b');
  expect([recent.past.length, recent.last('b', 'caller')]).toEqual([1, '+2']);
  recent.keepOnly(() => false);
  expect(recent.past).toEqual([]);
});
