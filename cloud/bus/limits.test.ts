import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { VirtualWorld } from '#simulator/world.ts';
import { Limits } from './limits.ts';

let virtual: VirtualWorld;
let limits: Limits;
const never = new Promise<never>(() => {});

beforeEach(() => {
  virtual = new VirtualWorld({ seed: 1 });
  limits = new Limits(virtual.host('cloud', ['10.0.0.1']).clock);
});
afterEach(() => virtual[Symbol.dispose]());

describe('a limited wait', () => {
  it('gives the outcome, also a failure', async () => {
    expect(await virtual.settle(limits.within(1000, Promise.resolve(7)))).toBe(7);
    await expect(virtual.settle(limits.within(1000, Promise.reject(new Error('no'))))).rejects.toThrow('no');
  });

  it('ends at its own moment, whatever else waits under the same limit', async () => {
    const ended: [number, number][] = [];
    for (let i = 0; i < 5; i++) {
      void limits.within(1000, never).then(() => ended.push([i, virtual.now]));
      await virtual.run(300);
    }
    await virtual.run(2000);
    expect(ended).toEqual([0, 1, 2, 3, 4].map((i) => [i, 1000 + 300 * i]));
  });

  it('ends though thousands of others came and went meanwhile', async () => {
    const late = limits.within(500, never);
    for (let i = 0; i < 5000; i++) await limits.within(500, Promise.resolve(i));
    expect(virtual.now).toBe(0);
    expect(await virtual.settle(late)).toBe(undefined);
    expect(virtual.now).toBe(500);
  });
});
