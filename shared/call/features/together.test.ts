import { expect, it } from 'vitest';
import { ringsAlong } from './together.ts';

it('rings nobody twice, no line that wants quiet, and any number outside', () => {
  const rung = new Set([undefined, 'caller', 'called']);
  expect(ringsAlong({ line: 'other', features: {} }, rung)).toBe(true);
  expect(ringsAlong({ line: 'other', features: { doNotDisturb: true } }, rung)).toBe(false);
  expect(ringsAlong({ line: 'called', features: {} }, rung)).toBe(false);
  expect(ringsAlong({ features: {} }, rung)).toBe(true);
});
