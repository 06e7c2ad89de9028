/** The real cloud dies, again and again, and nothing that it said yes to is lost: at the crash points of every flow, and at any instant. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import { seed } from '../support/seed.ts';
import { instants, Matrix } from './crash-cases.ts';
import { dialled, flows, type Session } from './crash-flows.ts';
import { eventually } from './crash-house.ts';
import { Houses } from './crash-houses.ts';

const KILLS = 10;

describe(`kill -9 of the cloud (HEARTHLINE_SEED=${seed})`, { timeout: 600_000 }, () => {
  let houses: Houses;
  beforeAll(async () => {
    houses = await Houses.open(10_000);
  }, 120_000);
  afterAll(() => houses?.[Symbol.asyncDispose](), 60_000);

  it('a call goes on: its sound while the cloud is dead, its end and its records after the restart', async () => {
    const house = houses.first;
    const call = await dialled(house);
    const theirs = house.homes[1]?.phone.calls.at(-1);
    const hears = async (when: string) => {
      const before = call.heard().length;
      await eventually(() => call.heard().length > before + 12_000, `sound ${when}`, 10_000);
      expect(levelOf(call.heard().subarray(-8000), 617), when).toBeGreaterThan(-30);
      expect(levelOf((theirs?.heard() ?? new Int16Array()).subarray(-8000), 443), when).toBeGreaterThan(-30);
    };
    await hears('before');
    await house.killCloud();
    await hears('while the cloud is dead');
    await house.startCloud();
    await house.reachable();
    await hears('after the restart');
    call.hangup();
    await eventually(() => theirs?.state === 'ended', 'BYE to reach the other side', 5_000);
    const [session] = await house.all<Session>('/v1/sessions');
    const shown = () => house.get<Session>(`/v1/sessions/${session?.id}`);
    await eventually(async () => (await shown()).state === 'ended', 'the session to end', 5_000);
    expect(await shown()).toMatchObject({ kind: 'call', reason: 'hangup' });
    const cdrs = await house.all<{ seconds: number; reason: string }>(`/v1/cdrs?session=${session?.id}`);
    expect(cdrs.map(({ seconds, reason }) => [seconds >= 4, reason])).toEqual([
      [true, 'hangup'],
      [true, 'hangup'],
    ]);
  });

  it(`at the crash points of every flow, and at ${KILLS} random instants`, async () => {
    const matrix = new Matrix(flows, instants(flows, KILLS, 1500, seed));
    await houses.die(matrix);
    console.info(`last crash points: ${JSON.stringify(matrix.points)}`);
    for (const [name, points] of Object.entries(matrix.points)) expect(points, name).toBeGreaterThan(5);
  });

  it('after all of these: what was acknowledged is there, ended once, recorded once per leg, and nothing is held', async () => {
    await houses.judge();
  });
});
