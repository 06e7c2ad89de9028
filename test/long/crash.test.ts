/** Every crash point of every flow once, and hundreds of kills at random instants. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Seeded } from '#simulator/random.ts';
import { diesAt, killedAfter } from '../interop/crash-cases.ts';
import { flows } from '../interop/crash-flows.ts';
import { House } from '../interop/crash-house.ts';
import { judge } from '../interop/crash-judge.ts';
import { seed } from '../support/seed.ts';

const KILLS = 300;

describe(`kill -9 of the cloud (HEARTHLINE_SEED=${seed})`, { timeout: 3_600_000 }, () => {
  let house: House;
  beforeEach(async () => {
    house = await House.open(33_000);
    await house.killCloud();
  }, 90_000);
  afterEach(() => house?.[Symbol.asyncDispose]());

  it.each(Object.entries(flows))('at every crash point of the flow: %s', async (name, flow) => {
    let point = 1;
    while (await diesAt(house, flow, point)) point++;
    console.info(`${name}: ${point - 1} crash points`);
    await house.startCloud();
    await judge(house);
    expect(point).toBeGreaterThan(5);
  });

  it(`at ${KILLS} random instants`, async () => {
    const random = new Seeded(seed);
    const all = Object.values(flows);
    for (let n = 0; n < KILLS; n++) {
      const flow = all[random.below(all.length)];
      if (flow !== undefined) await killedAfter(house, flow, random.below(2500));
    }
    await house.startCloud();
    await judge(house);
  });
});
