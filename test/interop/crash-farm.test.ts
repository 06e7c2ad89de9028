/** Servers of the farm stopped and started while all flows run, and clean ends of the real processes while calls are up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { dialled, flows } from './crash-flows.ts';
import { eventually, House, pause } from './crash-house.ts';
import { judge } from './crash-judge.ts';

type FarmServer = VerbReply<'farm.list'>['items'][number];

/** Milliseconds that a clean end may take. */
const END_WITHIN = 5_000;

describe('stopping and starting', { timeout: 240_000 }, () => {
  let house: House;
  beforeAll(async () => {
    house = await House.open(35_000);
  }, 90_000);
  afterAll(() => house?.[Symbol.asyncDispose]());

  const farm = async () => (await house.get<{ items: FarmServer[] }>('/v1/farm')).items;

  /** What the three requests that make sessions are answered while a server is away: a session, or 503 with its name. */
  async function asked(server: string): Promise<string[]> {
    const [a, b] = house.homes.map((home) => home.line.number);
    const outcomes: string[] = [];
    for (const [path, body] of [
      ['/v1/calls', { from: a, to: b }],
      ['/v1/media-sessions', { to: a, item: 'rain' }],
      ['/v1/conferences', { participants: [a, b] }],
    ] as const) {
      const { status, body: reply } = await house.request('POST', path, body);
      if (status === 503) expect(reply, `${path} without ${server}`).toMatchObject({ server });
      else expect([path, status, server, reply]).toEqual([path, 202, server, reply]);
      outcomes.push(`${path} ${status}`);
      if (status === 202) await house.request('DELETE', `/v1/sessions/${(reply as { id: string }).id}`);
    }
    return outcomes;
  }

  it('each server of the farm, under the load of all flows: what needs it is told its name, and all is well afterwards', async () => {
    let stopped = false;
    const load = Object.values(flows).map(async (flow) => {
      // What the absence of a server does to a flow that is under way is judged afterwards.
      while (!stopped) await flow(house).catch(() => pause(200));
    });
    const outcomes = new Map<string, string[]>();
    for (const { name } of await farm()) {
      const { status } = await house.request('POST', `/v1/farm/${name}/stop`);
      expect([name, status]).toEqual([name, 200]);
      outcomes.set(name, await asked(name));
      await house.request('POST', `/v1/farm/${name}/start`);
      if (name === 'softswitch') await house.reachable();
    }
    stopped = true;
    await Promise.all(load);
    expect(outcomes.get('media')).toContain('/v1/media-sessions 503');
    expect(outcomes.get('conference')).toContain('/v1/conferences 503');
    expect(outcomes.get('softswitch')).toEqual(['/v1/calls 503', '/v1/media-sessions 503', '/v1/conferences 503']);
    expect(outcomes.get('home-networking')?.every((one) => one.endsWith('202'))).toBe(true);
    expect((await farm()).every(({ state }) => state === 'running')).toBe(true);
    for (const flow of Object.values(flows)) await flow(house);
    await judge(house);
  });

  it('SIGTERM of the cloud with calls up: exit 0 within 5 s, and the calls go on after the start', async () => {
    const call = await dialled(house);
    const { code, took } = await house.end(house.cloud);
    expect([code, took < END_WITHIN]).toEqual([0, true]);
    await house.startCloud();
    await house.reachable();
    const before = call.heard().length;
    await eventually(() => call.heard().length > before + 8000, 'sound to go on', 10_000);
    call.hangup();
    await eventually(() => house.homes[1]?.phone.calls.every((one) => one.state === 'ended') === true, 'BYE', 5_000);
  });

  it('SIGTERM of a gateway with calls up: exit 0 within 5 s, both phones are told, and the next call works', async () => {
    const call = await dialled(house);
    const [elm] = house.homes;
    if (elm === undefined) throw new Error('there are two homes');
    const { code, took } = await house.end(elm.device());
    expect([code, took < END_WITHIN]).toEqual([0, true]);
    await eventually(() => call.state === 'ended', 'the caller to be told', 2_000);
    await eventually(() => house.homes[1]?.phone.calls.every((one) => one.state === 'ended') === true, 'BYE', 5_000);
    await house.restartDevice(0);
    await eventually(async () => (await elm.phone.register()) === 200, 'the phone to register again');
    await house.reachable();
    (await dialled(house)).hangup();
    await judge(house);
  });
});
