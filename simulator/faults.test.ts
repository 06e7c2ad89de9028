import { afterEach, describe, expect, it } from 'vitest';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { Result } from '#shared/kernel/result.ts';
import { type FaultKind, type FaultName, faultKinds, faultNames, readFault } from './faults.ts';
import { Seeded } from './random.ts';
import type { Stage, StageHome } from './stage.ts';
import { virtualStage } from './virtual-stage.ts';
import type { VirtualWorld } from './world.ts';

let stage: Stage;
let world: VirtualWorld;
let home: StageHome;
async function oneHome(seed = 5): Promise<void> {
  ({ stage, world } = await virtualStage({ seed }));
  home = await stage.home('elm');
  await stage.ground.until(() => ready(), 10_000, 'the gateway');
  await world.run(2_000);
}

const agent = () => {
  const found = home.gateway.agent();
  if (found === undefined) throw new Error('no agent');
  return found;
};
const ready = () => agent().status.at === 'ready';
const back = (limit = 90_000) => stage.ground.until(ready, limit, 'the gateway to be back');
const lost = (limit = 90_000) => stage.ground.until(() => !ready(), limit, 'the gateway to be away');

/** Begins a fault; the result ends it. */
async function begin(name: FaultName, value?: number): Promise<() => Promise<void>> {
  const kind: FaultKind = faultKinds[name];
  const end = await world.settle(
    kind.begin({ stage, home, random: new Seeded(1, 2) }, value ?? kind.value?.usual ?? 0),
  );
  return async () => void (await world.settle(Promise.resolve(end())));
}

/** Asks the cloud for the library: what came of it, and how long it took. */
async function ask(): Promise<{ readonly ok: boolean; readonly ms: number }> {
  const since = world.now;
  const outcome: Result<unknown, unknown> = await world.settle(agent().request('media.list', {}));
  return { ok: outcome.ok, ms: world.now - since };
}

/** Sends numbered datagrams from the gateway's host to the cloud's, 10 ms apart, and gives those that arrived. */
async function datagrams(count: number): Promise<number[]> {
  const got: number[] = [];
  const cloud = stage.ground.host('cloud');
  const sink = await cloud.world.net.udp({ host: cloud.address, port: 7000 }, (data) => got.push(Number(latin1(data))));
  const source = await home.world.net.udp({ host: home.address, port: 0 }, () => {});
  for (let i = 0; i < count; i++) {
    source.send(fromLatin1(String(i)), sink.local);
    await world.run(10);
  }
  await world.run(1_000);
  await sink.close();
  await source.close();
  return got;
}

const report = (version: number) =>
  world.settle(
    agent().report('gateway.reported', { doc: `doc${version}`, applied: version, state: 'applied', body: {} }),
  );
const reports = () =>
  stage.cloud.context.store.all<{ doc: string }>("SELECT doc FROM reported WHERE doc LIKE 'doc%' ORDER BY doc");

describe('each fault', () => {
  afterEach(async () => {
    await stage?.[Symbol.asyncDispose]();
    stage = undefined as never;
  });

  it('has a test here', () => {
    expect(faultNames.length).toBeGreaterThanOrEqual(10);
    expect([...tested].sort()).toEqual([...faultNames].sort());
  });

  const tested = new Set<FaultName>();
  const shows = (name: FaultName, what: string, task: () => Promise<void>) => {
    tested.add(name);
    it(`${name}: ${what}`, async () => {
      await oneHome();
      await task();
    });
  };

  shows('link-drop', 'nothing passes, the gateway misses the cloud, and comes back', async () => {
    const end = await begin('link-drop');
    expect(await datagrams(5)).toEqual([]);
    await lost();
    await end();
    await back();
    expect((await ask()).ok).toBe(true);
  });

  shows('half-open', 'the gateway believes in a connection that answers nothing, until it notices', async () => {
    const { epoch } = agent().status;
    await begin('half-open');
    await world.run(1_000);
    expect(ready()).toBe(true);
    expect((await ask()).ok).toBe(false);
    await lost();
    await back();
    expect(agent().status.epoch).toBeGreaterThan(epoch);
    expect((await ask()).ok).toBe(true);
  });

  shows('reset', 'the connection breaks at once, and another is opened', async () => {
    const { epoch } = agent().status;
    await begin('reset');
    expect(ready()).toBe(false);
    await back(5_000);
    expect(agent().status.epoch).toBe(epoch + 1);
  });

  shows('latency', 'an answer takes a round trip longer', async () => {
    const before = (await ask()).ms;
    const end = await begin('latency', 300);
    expect((await ask()).ms).toBeGreaterThanOrEqual(before + 600);
    await end();
    // What was sent before is still on its slow way, and streams keep their order.
    await world.run(1_000);
    expect((await ask()).ms).toBeLessThan(before + 100);
  });

  shows('loss', 'datagrams go missing; streams only take longer', async () => {
    const end = await begin('loss', 0.3);
    const got = await datagrams(500);
    expect(got.length).toBeGreaterThan(300);
    expect(got.length).toBeLessThan(400);
    const slow = [];
    for (let i = 0; i < 10; i++) slow.push(await ask());
    expect(slow.every(({ ok }) => ok)).toBe(true);
    expect(Math.max(...slow.map(({ ms }) => ms))).toBeGreaterThanOrEqual(200);
    await end();
    expect(await datagrams(20)).toHaveLength(20);
  });

  shows('reorder', 'datagrams overtake each other, none is lost', async () => {
    const end = await begin('reorder', 0.3);
    const got = await datagrams(300);
    expect(got).toHaveLength(300);
    expect(got.filter((n, i) => n < Math.max(...got.slice(0, i + 1))).length).toBeGreaterThan(50);
    await end();
    const fair = await datagrams(20);
    expect(fair).toEqual([...fair].sort((a, b) => a - b));
  });

  shows('duplicate', 'datagrams come twice', async () => {
    const end = await begin('duplicate', 0.3);
    const got = await datagrams(300);
    expect(got.length).toBeGreaterThan(350);
    expect(new Set(got).size).toBe(300);
    await end();
    expect(await datagrams(20)).toHaveLength(20);
  });

  shows('slow-consumer', 'the gateway hears nothing of what the cloud says', async () => {
    const end = await begin('slow-consumer');
    expect((await ask()).ok).toBe(false);
    await end();
    await back();
    expect((await ask()).ok).toBe(true);
  });

  shows('clock-jump', 'the gateway’s wall clock is ahead, and its connection stays', async () => {
    const { clock } = home.world;
    const ahead = () => clock.wall() - stage.ground.clock.wall();
    const end = await begin('clock-jump', 7_200_000);
    expect(ahead()).toBe(7_200_000);
    expect((await ask()).ok).toBe(true);
    await end();
    expect(ahead()).toBe(0);
  });

  shows('power-cut', 'a write is torn, the gateway is gone, and comes back with all that was on its disk', async () => {
    expect((await report(1)).ok).toBe(true);
    const cutting = begin('power-cut');
    let acknowledged = false;
    void agent()
      .report('gateway.reported', { doc: 'doc2', applied: 2, state: 'applied', body: {} })
      .then(() => {
        acknowledged = true;
      });
    const end = await cutting;
    expect(home.isOn).toBe(false);
    await world.run(1_000);
    expect(acknowledged).toBe(false);
    await end();
    await back();
    expect((await report(3)).ok).toBe(true);
    await stage.ground.until(async () => (await reports()).length >= 2, 10_000, 'the reports');
    expect((await reports()).map(({ doc }) => doc)).toEqual(expect.arrayContaining(['doc1', 'doc3']));
  });

  shows('disk-full', 'nothing can be made durable, and the gateway says so', async () => {
    const end = await begin('disk-full');
    expect((await report(1)).ok).toBe(false);
    await end();
    expect((await report(2)).ok).toBe(true);
  });

  for (const name of ['bad-certificate', 'expired-certificate'] as const)
    shows(name, 'the gateway believes nobody in the cloud’s place', async () => {
      const end = await begin(name);
      await world.run(60_000);
      expect(agent().status).toMatchObject({ at: expect.stringMatching(/waiting|connecting/) });
      await end();
      await back();
    });

  shows('cloud-restart', 'nothing answers; afterwards all is as it was', async () => {
    expect((await report(1)).ok).toBe(true);
    await world.run(500);
    const kept = await reports();
    const end = await begin('cloud-restart');
    await stage.ground.until(() => !ready(), 5_000, 'the gateway to notice');
    await world.run(5_000);
    expect(ready()).toBe(false);
    await end();
    await back();
    expect(await reports()).toEqual(kept);
    expect((await stage.api('gateway.list', { home: home.id })).items).toMatchObject([{ state: 'paired' }]);
  });
});

describe('a fault as it is written', () => {
  it.each([
    ['loss=0.1:2@5s+30s', { kind: 'loss', value: 0.1, home: 2, at: 5_000, lasts: 30_000 }],
    ['link-drop@250', { kind: 'link-drop', value: 0, home: undefined, at: 250, lasts: 30_000 }],
    ['latency@1.5s+2m', { kind: 'latency', value: 250, home: undefined, at: 1_500, lasts: 120_000 }],
    ['half-open:1@0ms', { kind: 'half-open', value: 0, home: 1, at: 0, lasts: 0 }],
  ])('%s', (text, fault) => {
    expect(readFault(text)).toEqual({ ok: true, value: { ...fault, text } });
  });

  it.each([
    ['', 'is no fault'],
    ['loss', 'is no fault'],
    ['loss@', 'is no fault'],
    ['loss@5h', 'is no fault'],
    ['earthquake@1s', 'there is no fault "earthquake"'],
    ['loss=2@1s', 'between 0 and 1'],
    ['loss=0.1.2@1s', 'between 0 and 1'],
    ['loss@1.2.3s', 'a time is a number'],
    ['link-drop=3@1s', 'takes no value'],
    ['loss:0x2@1s', 'is no fault'],
  ])('%s is refused', (text, why) => {
    const read = readFault(text);
    expect(read.ok ? '' : read.fault).toContain(why);
  });
});
