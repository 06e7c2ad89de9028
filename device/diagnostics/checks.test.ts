/** Every check stays silent on a healthy gateway, and the fault made for it trips it and makes it the root of all. */
import { describe, expect, test } from 'vitest';
import { faultsOf } from '#test/support/diagnosis-faults.ts';
import { healthyHome } from '#test/support/diagnosis-rig.ts';
import { seed } from '#test/support/seed.ts';
import { checks } from './checks/table.ts';

const rounds = process.env.HEARTHLINE_LONG === '1' ? 100 : 12;

describe('a healthy gateway', () => {
  test(`raises no alarm in ${rounds} homes`, { timeout: 300_000 }, async () => {
    for (let i = 0; i < rounds; i++) {
      await using rig = await healthyHome(seed + i);
      const { items, result, root } = await rig.report();
      expect({ seed: seed + i, result, root, bad: items.filter((one) => /warn|fail/.test(one.result)) }).toEqual({
        seed: seed + i,
        result: 'ok',
        root: undefined,
        bad: [],
      });
      expect(items.map(({ id }) => id)).toEqual(checks.map(({ id }) => id));
    }
  });
});

describe('a fault', () => {
  test('stands here for every check', () => {
    expect(Object.keys(faultsOf).sort()).toEqual(checks.map(({ id }) => id).sort());
  });

  test.each(Object.entries(faultsOf))('that %s finds is the root of all', { timeout: 30_000 }, async (id, inject) => {
    await using rig = await healthyHome(seed);
    await inject(rig);
    const { items, root } = await rig.report();
    const own = items.find((one) => one.id === id);
    expect([own?.result, root, own?.evidence]).toEqual([expect.stringMatching(/warn|fail/), id, expect.any(String)]);
    // One fault, one failure in its group: the others there wait for it and say so.
    expect(items.filter((one) => one.result === 'fail' && one.group === own?.group && one !== own)).toEqual([]);
    expect(own?.cause).toBeTruthy();
    expect(own?.next).toBeTruthy();
  });
});
