import { describe, expect, it } from 'vitest';
import { Died, type Flow, flows, leftovers } from './crash-flows.ts';
import { type House, House as Houses, isDead, pause } from './crash-house.ts';
import { judge } from './crash-judge.ts';

/** One flow with the cloud set to die at its n-th crash point; true if it died. What is judged, is judged later. */
async function dies(house: House, flow: Flow, point: number): Promise<boolean> {
  await house.startCloud(point);
  await house.reachable();
  await leftovers(house, point);
  house.cloud.child.kill('SIGUSR2');
  await pause(50);
  try {
    await flow(house);
  } catch (error) {
    if (!(error instanceof Died) && !isDead(house.cloud)) throw error;
  }
  const died = isDead(house.cloud);
  await house.killCloud();
  return died;
}

describe('kill -9 of the real cloud', () => {
  it('debug', { timeout: 600_000 }, async () => {
    await using house = await Houses.open(31_000);
    await house.killCloud();
    for (const [name, flow] of Object.entries(flows)) {
      for (let point = 1; ; point += Number(process.env.STRIDE ?? 7)) {
        const begun = Date.now();
        const died = await dies(house, flow, point);
        console.log(name, point, died, Date.now() - begun, 'ms');
        if (!died) break;
      }
    }
    await house.startCloud();
    await judge(house);
  });
});
