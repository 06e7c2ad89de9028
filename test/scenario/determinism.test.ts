import { describe, expect, it } from 'vitest';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { callAcross } from './two-homes.ts';

/** The whole scenario (pairing, registration, a call with sound, records) on a lossy network of this seed. */
async function run(seed: number): Promise<string> {
  const { stage, world } = await virtualStage({ seed });
  await using _ended = stage;
  world.link({ loss: 0.01, jitter: 5, duplicate: 0.005 });
  await callAcross(stage);
  return world.hash();
}

describe('the trace hash', () => {
  it('is the same twenty times for one seed, and another for another seed', { timeout: 120_000 }, async () => {
    const first = await run(7);
    for (let i = 1; i < 20; i++) expect(await run(7)).toBe(first);
    expect(await run(8)).not.toBe(first);
  });
});
