import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Context } from '#cloud/bus/bus.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { PartContext, RunningPart } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { fault } from '#shared/protocol/fault.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { homeNetworking } from './server.ts';

const gateway: Context = { principal: { kind: 'gateway', gateway: 'gw_1', home: 'home_1' } };
const owner = (home: string): Context => ({
  principal: { kind: 'account', account: 'acc_1', role: 'subscriber', homes: [home], scopes: 'all' },
});
const tv = {
  id: 'dev_tv',
  name: 'Television',
  kind: 'urn:schemas-upnp-org:device:MediaRenderer:1',
  address: '192.168.1.7',
  mac: '02:00:00:00:00:07',
  found: 'ssdp' as const,
  wakes: true,
  seenAt: 5,
};

describe('the home networking server', () => {
  let world: VirtualWorld;
  let context: PartContext;
  let part: RunningPart;
  const commands: unknown[] = [];

  beforeEach(async () => {
    world = new VirtualWorld({ seed: 1 });
    const host = world.host('cloud', ['10.0.0.1']);
    const store = openLocalStore(':memory:');
    const bus = createBus(host);
    context = { world: host, bus, store, config: {} as PartContext['config'] };
    await store.commit([
      sql("INSERT INTO home VALUES ('home_1', 'Elm', 0)"),
      sql("INSERT INTO gateway (id, home, key_hash, state, claimed_at) VALUES ('gw_1', 'home_1', 'k', 'paired', 0)"),
    ]);
    commands.length = 0;
    const refuse = async () => err(fault('internal'));
    bus.serve('gateway-edge', {
      'gateway.command': async (request: unknown) => {
        commands.push(request);
        return ok({ body: { sent: 2 } });
      },
      'gateway.desire': refuse,
      'gateway.disconnect': refuse,
      'presence.list': refuse,
      'pairing.claimed': refuse,
    } as never);
    part = await homeNetworking.start(context);
  });
  afterEach(async () => {
    await part.stop();
    await context.store.close();
    world[Symbol.dispose]();
  });

  it('keeps what a gateway reports for its own home only, once', async () => {
    const report = { ...gateway, idempotency: { scope: 'gw:gw_1', key: 'a', bodyHash: 'h' } };
    for (let i = 0; i < 2; i++)
      expect(await context.bus.request('device.report', { devices: [tv] }, report)).toEqual(ok({}));
    expect(await context.bus.request('device.list', { home: 'home_1' }, owner('home_1'))).toEqual(
      ok({ items: [{ ...tv, home: 'home_1', gateway: 'gw_1', present: true }] }),
    );
    expect(await context.bus.request('device.list', { home: 'home_1' }, owner('home_2'))).toEqual(
      err(fault('not_found')),
    );
    expect(await context.bus.request('device.report', { devices: [tv] }, owner('home_1'))).toMatchObject({
      ok: false,
      fault: { code: 'forbidden' },
    });
  });

  it('marks what the next report lacks as absent', async () => {
    await context.bus.request('device.report', { devices: [tv] }, gateway);
    await context.bus.request('device.report', { devices: [] }, gateway);
    expect(await context.bus.request('device.list', { home: 'home_1' }, owner('home_1'))).toMatchObject({
      value: { items: [{ id: 'dev_tv', present: false }] },
    });
  });

  it('wakes a device by the gateway that sees it', async () => {
    await context.bus.request(
      'device.report',
      { devices: [tv, { ...tv, id: 'dev_x', mac: undefined } as never] },
      gateway,
    );
    expect(await context.bus.request('device.wake', { home: 'home_1', device: 'dev_tv' }, owner('home_1'))).toEqual(
      ok({ sent: 2 }),
    );
    expect(commands).toEqual([{ gateway: 'gw_1', verb: 'device.wake.local', body: { mac: tv.mac } }]);
    expect(
      await context.bus.request('device.wake', { home: 'home_1', device: 'dev_x' }, owner('home_1')),
    ).toMatchObject({ fault: { code: 'conflict' } });
    expect(
      await context.bus.request('device.wake', { home: 'home_1', device: 'dev_no' }, owner('home_1')),
    ).toMatchObject({ fault: { code: 'not_found' } });
  });

  it('keeps 1024 devices of a home: of more, the longest unseen give way', async () => {
    const many = (from: number, count: number) =>
      Array.from({ length: count }, (_, i) => ({
        ...tv,
        id: `dev_${String(from + i).padStart(5, '0')}`,
        seenAt: from + i,
      }));
    for (let at = 0; at < 1024 + 256; at += 256)
      await context.bus.request('device.report', { devices: many(at, 256) }, gateway);
    const count = await context.store.one<{ n: number }>('SELECT COUNT(*) AS n FROM device');
    expect(count?.n).toBe(1024);
    expect(await context.store.one("SELECT id FROM device WHERE id = 'dev_00000'")).toBeUndefined();
  });
});
