/** Deaths of the cloud, one at a time: at a numbered crash point of a flow, or at any instant of it. */
import { Died, type Flow, leftovers } from './crash-flows.ts';
import { type House, isDead, pause } from './crash-house.ts';

/** Milliseconds that a signal may take to reach the store's writer. */
const SIGNAL = 50;

/** Runs a flow on a fresh cloud that is to die at its n-th crash point; true if it died before the flow was through. */
export async function diesAt(house: House, flow: Flow, point: number): Promise<boolean> {
  await house.startCloud(point);
  await house.reachable();
  await leftovers(house, point);
  house.cloud.child.kill('SIGUSR2');
  await pause(SIGNAL);
  const died = await diesIn(house, flow);
  await house.killCloud();
  return died;
}

/** Runs a flow on a fresh cloud that is killed after so many ms. */
export async function killedAfter(house: House, flow: Flow, ms: number): Promise<void> {
  await house.startCloud();
  await house.reachable();
  await leftovers(house, ms);
  const killing = pause(ms).then(() => house.killCloud());
  await diesIn(house, flow);
  await killing;
}

async function diesIn(house: House, flow: Flow): Promise<boolean> {
  try {
    await flow(house);
    return false;
  } catch (error) {
    // Whatever else a flow complains of while its cloud dies is the death's doing, and may be heard before the death is.
    await pause(SIGNAL * 10);
    if (error instanceof Died || isDead(house.cloud)) return true;
    throw error;
  }
}
