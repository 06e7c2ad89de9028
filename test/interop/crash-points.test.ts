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
  const died = await flow(house).then(
    () => false,
    (error: unknown) => {
      if (error instanceof Died || isDead(house.cloud)) return true;
      throw error;
    },
  );
  await house.killCloud();
  return died;
}

describe('kill -9 of the real cloud', () => {
  it.runIf(process.env.DEBUG_FLOW)('debug', { timeout: 600_000 }, async () => {
    await using house = await Houses.open(31_000);
    await house.killCloud();
    for (const [name, flow] of Object.entries(flows)) {
      if (process.env.ONLY && !process.env.ONLY.split(',').includes(name)) continue;
      for (let point = Number(process.env.FROM ?? 1); ; point += Number(process.env.STRIDE ?? 7)) {
        const begun = Date.now();
        const died = await dies(house, flow, point);
        console.log(name, point, died, Date.now() - begun, 'ms');
        if (!died || (process.env.TO && point >= Number(process.env.TO))) break;
      }
    }
    await house.startCloud();
    await judge(house);
  });
});
