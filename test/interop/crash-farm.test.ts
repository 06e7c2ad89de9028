/** Servers of the farm stopped and started while all flows run, and clean ends of the real processes while calls are up. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { levelOf } from '#shared/rtp/measure.ts';
import { likeness } from '../scenario/words.ts';
import { dialled, flows } from './crash-flows.ts';
import { eventually, House, pause } from './crash-house.ts';
import { judge } from './crash-judge.ts';

type FarmServer = VerbReply<'farm.list'>['items'][number];

/** Milliseconds that a clean end may take. */
const END_WITHIN = 5_000;

describe('stopping and starting', { timeout: 240_000 }, () => {
  let house: House;
  beforeAll(async () => {
    house = await House.open(16_000);
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

  it('kill -9 of the cloud while somebody is on hold: the music plays on, and ends with the hold', async () => {
    const call = await dialled(house);
    const theirs = house.homes[1]?.phone.calls.at(-1);
    const music = async (when: string) => {
      const before = theirs?.heard().length ?? 0;
      const heard = () => theirs?.heard() ?? new Int16Array(0);
      // A frame that this machine loses or delays moves what comes after it.
      const plays = () => heard().length > before + 8000 && likeness(heard(), 'music-box') > 0.6;
      await eventually(plays, `music ${when}`, 15_000);
    };
    call.hold(true);
    await eventually(() => theirs?.held === true, 'the hold to be told', 5_000);
    await music('on hold');
    await house.kill(house.cloud);
    await music('while the cloud is away');
    await house.startCloud();
    await house.reachable();
    await music('once it is back');
    call.hold(false);
    await eventually(() => theirs?.held === false, 'the end of the hold to be told', 5_000);
    const before = [call.heard().length, theirs?.heard().length ?? 0] as const;
    const more = () => call.heard().length > before[0] + 8000 && (theirs?.heard().length ?? 0) > before[1] + 8000;
    await eventually(more, 'sound on both sides', 10_000);
    expect(levelOf(theirs?.heard().subarray(-4000) ?? new Int16Array(0), 443)).toBeGreaterThan(-25);
    call.hangup();
    await eventually(() => theirs?.state === 'ended', 'BYE', 5_000);
  });

  const elm = () => {
    const [home] = house.homes;
    if (home === undefined) throw new Error('there are two homes');
    return home;
  };
  const ends: readonly (readonly [string, () => Promise<void>])[] = [
    [
      'SIGTERM',
      async () => {
        const { code, took } = await house.end(elm().device());
        expect([code, took < END_WITHIN]).toEqual([0, true]);
      },
    ],
    ['kill -9', () => house.kill(elm().device())],
  ];

  it.each(ends)(
    '%s of a gateway with a call up: its sound goes on, so does the call, and BYE ends it',
    async (_how, end) => {
      for (const who of ['caller', 'callee'] as const) {
        const call = await dialled(house);
        const theirs = house.homes[1]?.phone.calls.at(-1);
        const hears = async (when: string) => {
          const before = [call.heard().length, theirs?.heard().length ?? 0] as const;
          const more = () => call.heard().length > before[0] + 8000 && (theirs?.heard().length ?? 0) > before[1] + 8000;
          await eventually(more, `sound on both sides ${when}`, 10_000);
        };
        // What has not reached the disk yet dies with the gateway.
        await eventually(() => house.keptCalls(0) > 0, 'the call to be kept', 5_000);
        await end();
        await hears('while the gateway is away');
        await house.restartDevice(0);
        await house.reachable();
        await hears('once it is back');
        const held = theirs?.held;
        call.hold(true);
        await eventually(() => theirs?.held === true && held === false, 'the hold to be told', 5_000);
        (who === 'caller' ? call : theirs)?.hangup();
        await eventually(
          () => call.state === 'ended' && theirs?.state === 'ended',
          'BYE to reach the other side',
          5_000,
        );
      }
      await judge(house);
    },
  );
});
