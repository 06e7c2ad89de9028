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
