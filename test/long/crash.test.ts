/** Every crash point of every flow once, and hundreds of kills at random instants. */
import { afterAll, beforeAll, describe, it } from 'vitest';
import { instants, Matrix } from '../interop/crash-cases.ts';
import { flows } from '../interop/crash-flows.ts';
import { Houses } from '../interop/crash-houses.ts';
import { seed } from '../support/seed.ts';

const KILLS = 300;
/** Kills after which the houses are judged: their records must not grow beyond what is read within a request. */
const JUDGED_EVERY = 100;

describe(`kill -9 of the cloud (HEARTHLINE_SEED=${seed})`, { timeout: 3_600_000 }, () => {
  let houses: Houses;
  beforeAll(async () => {
    houses = await Houses.open(10_000);
  }, 120_000);
  afterAll(() => houses?.[Symbol.asyncDispose](), 60_000);

  it('at every crash point of every flow', async () => {
    const matrix = new Matrix(flows);
    await houses.die(matrix);
    console.info(`last crash points: ${JSON.stringify(matrix.points)}`);
    await houses.judge();
  });

  it(`at ${KILLS} random instants`, async () => {
    for (let n = 0; n < KILLS; n += JUDGED_EVERY) {
      await houses.die(new Matrix({}, instants(flows, JUDGED_EVERY, 2500, seed + n)));
      await houses.judge();
    }
  });
});
