import { describe, it } from 'vitest';
import { realStage } from '#simulator/real-stage.ts';
import { virtualStage } from '#simulator/virtual-stage.ts';
import { callAcross } from './two-homes.ts';

describe('two homes and one cloud: a phone calls the other home', () => {
  it('on the virtual world', async () => {
    await using stage = (await virtualStage({ seed: 1 })).stage;
    await callAcross(stage);
  });

  it('on the real world', async () => {
    await using stage = await realStage();
    await callAcross(stage);
  });
});
