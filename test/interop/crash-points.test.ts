/** The real cloud dies, again and again, and nothing that it said yes to is lost. The long suite dies at every point. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { levelOf } from '#shared/rtp/measure.ts';
import { Seeded } from '#simulator/random.ts';
import { seed } from '../support/seed.ts';
import { diesAt, killedAfter } from './crash-cases.ts';
import { dialled, flows, type Session } from './crash-flows.ts';
import { eventually, House, pause } from './crash-house.ts';
import { judge } from './crash-judge.ts';

/** Crash points that a flow has, about; the long suite finds out exactly. */
const POINTS: Readonly<Record<string, number>> = {
  call: 14,
  'media on demand': 26,
  conference: 50,
  'conference with media': 60,
  'device legs in it': 70,
};
const KILLS = 10;

describe(`kill -9 of the cloud (HEARTHLINE_SEED=${seed})`, { timeout: 240_000 }, () => {
  const random = new Seeded(seed);
  let house: House;
  beforeAll(async () => {
    house = await House.open(31_000);
  }, 90_000);
  afterAll(() => house?.[Symbol.asyncDispose]());

  it('a call goes on: its sound while the cloud is dead, its end and its records after the restart', async () => {
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
    await house.killCloud();
  });

  it.each(Object.entries(flows))('at a crash point of the flow: %s', async (name, flow) => {
    await diesAt(house, flow, 1 + random.below(POINTS[name] ?? 1));
  });

  it(`at ${KILLS} random instants`, async () => {
    const all = Object.values(flows);
    for (let n = 0; n < KILLS; n++) {
      const flow = all[random.below(all.length)];
      if (flow !== undefined) await killedAfter(house, flow, random.below(1500));
    }
  });

  it('after all of these: what was acknowledged is there, ended once, recorded once per leg, and nothing is held', async () => {
    await house.startCloud();
    await house.reachable();
    await pause(100);
    await judge(house);
  });
});
