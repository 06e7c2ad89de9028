/** One gateway that stops reading: it is dropped alone, and nobody else notices. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openMqtt } from '#shared/host/mqtt.ts';
import type { Stream } from '#shared/kernel/world.ts';
import { type Credentials, makeCloud, type VirtualCloud } from '#test/support/edge.ts';
import { Gateway } from '#test/support/mqtt-gateway.ts';

let cloud: VirtualCloud;
const part = { principal: { kind: 'part', part: 'oamp' } } as const;
beforeEach(async () => {
  cloud = await makeCloud(1);
});
afterEach(async () => {
  await cloud.edge.stop();
  cloud.virtual[Symbol.dispose]();
});

const gateway = async (id: string) => (await new Gateway(cloud, await cloud.gateway(id)).open()).greet();
const asked = (verb: string) => cloud.asked.filter((a) => a.verb === verb);
const present = async () => {
  const list = await cloud.virtual.settle(cloud.bus.request('presence.list', {}, part));
  return list.ok ? list.value.items.map(({ gateway: id, epoch }) => `${id} ${epoch}`) : list;
};

describe('a gateway that does not read', () => {
  /** Finds the home's end of the newest stream and stops reading there, as a frozen process does. */
  async function freeze(made: Credentials): Promise<{ gw: Gateway; ended: () => boolean }> {
    const gw = new Gateway(cloud, made);
    const world = cloud.virtual.host('frozen', ['10.0.1.9']);
    let near: Stream | undefined;
    const connect = world.net.connect;
    const spied = {
      ...world,
      net: {
        ...world.net,
        connect: async (o: Parameters<typeof connect>[0]) => {
          near = await connect(o);
          return near;
        },
      },
    };
    gw.connection = await cloud.virtual.settle(
      openMqtt(spied, cloud.target(made), { message() {}, closed: (why) => gw.ends.push(why) }),
    );
    await gw.greet();
    near?.pause();
    if (near !== undefined) near.resume = () => {};
    return {
      gw,
      ended: () =>
        !asked('gateway.seen').every(
          ({ body }) => (body as { online: boolean }).online || (body as { gateway: string }).gateway !== made.id,
        ),
    };
  }

  test('is dropped alone, and delays nobody meanwhile', async () => {
    const frozen = await freeze(await cloud.gateway('gw_frozen'));
    const healthy = await gateway('gw_ok');
    const desire = (id: string, version: number) =>
      cloud.bus.request(
        'gateway.desire',
        { gateway: id, doc: 'system', version, body: { filler: 'x'.repeat(4000) } },
        part,
      );
    const delays: number[] = [];
    for (let version = 1; version <= 60; version++) {
      void desire('gw_frozen', version);
      const before = cloud.virtual.now;
      const count = healthy.got.length;
      void desire('gw_ok', version);
      await cloud.virtual.until(() => healthy.got.length > count, 5000);
      delays.push(cloud.virtual.now - before);
      await cloud.virtual.run(20);
    }
    expect(Math.max(...delays)).toBeLessThan(5);
    await cloud.virtual.until(frozen.ended, 8000, 'the end of the frozen gateway');
    expect(healthy.ends).toEqual([]);
    expect(await present()).toEqual(['gw_ok 2']);
  });

  test('is dropped at once when its queue is full', async () => {
    const frozen = await freeze(await cloud.gateway('gw_frozen'));
    for (let version = 1; version <= 30; version++) {
      const body = { filler: 'x'.repeat(30_000) };
      void cloud.bus.request('gateway.desire', { gateway: 'gw_frozen', doc: 'system', version, body }, part);
    }
    await cloud.virtual.run(100);
    expect(frozen.ended()).toBe(true);
  });
});
