import { expect } from 'vitest';
import type { Machine, Tick } from '#shared/kernel/machine.ts';

/**
 * Steps a machine and, beside it, the same step on a deep-frozen copy of the state whose writes are lost: both must give the same
 * outputs, so no output depends on what the step itself changed. The input is frozen for both. Gives the outputs.
 */
export function checkedStep<S extends object, I extends { readonly on: string }, O extends { readonly do: string }>(
  machine: Machine<S, I, O>,
  state: S,
  input: I | Tick,
  now: number,
): O[] {
  const before = deepFreeze(structuredClone(state));
  const fixed = deepFreeze(structuredClone(input));
  const out: O[] = [];
  machine.step(state, fixed, now, out);
  const beside: O[] = [];
  machine.step(unchangeable(before), fixed, now, beside);
  expect(beside, `${machine.name}: outputs hang on the step's own changes`).toEqual(out);
  deepFreeze(out);
  return out;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

/** Reads come from `frozen`, writes go nowhere. */
function unchangeable<T extends object>(frozen: T): T {
  return new Proxy({} as T, {
    get(_target, key) {
      const value: unknown = Reflect.get(frozen, key);
      return typeof value === 'object' && value !== null ? unchangeable(value) : value;
    },
    // So that a step may also copy it: `{ ...state }`.
    ownKeys: () => Reflect.ownKeys(frozen),
    getOwnPropertyDescriptor: (_target, key) => ({
      value: Reflect.get(frozen, key),
      enumerable: true,
      configurable: true,
      writable: true,
    }),
    set: () => true,
    deleteProperty: () => true,
  });
}
