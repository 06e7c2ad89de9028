import { expect, test } from 'vitest';
import { makeCloud } from '#test/support/edge.ts';
import type { Connection } from './adapter-aedes.ts';
import { Presence } from './presence.ts';

const connection = (address: string): Connection => ({
  identity: { kind: 'gateway', gateway: 'gw_1', home: 'home_1', serial: '1' },
  address,
  open: true,
  send() {},
  close() {},
});

test('a lease ends with its own connection only, and a higher epoch wins whoever comes last', async () => {
  const cloud = await makeCloud(1);
  const presence = new Presence(cloud.bus, cloud.world.clock);
  const lease = (address: string, epoch: number) => ({
    connection: connection(address),
    gateway: 'gw_1',
    home: 'home_1',
    epoch,
  });
  const [first, second] = [lease('a', 4), lease('b', 5)];
  presence.begin(second, 's2');
  presence.begin(first, 's1');
  expect(presence.lease('gw_1')).toBe(second);
  presence.end('gw_1', first.connection, 'it closed');
  expect(presence.lease('gw_1')).toBe(second);
  presence.end('gw_1', second.connection, 'it closed');
  expect(presence.list()).toEqual([]);
  presence.end('gw_1', second.connection, 'it closed');
  await cloud.virtual.run(100);
  const told = cloud.asked.filter(({ verb }) => verb === 'gateway.seen').map(({ body }) => body);
  expect(told).toEqual([
    { gateway: 'gw_1', online: true, epoch: 5, certificateSerial: 's2' },
    { gateway: 'gw_1', online: false, epoch: 5, why: 'it closed' },
  ]);
  presence.stop();
  await cloud.edge.stop();
  cloud.virtual[Symbol.dispose]();
});
