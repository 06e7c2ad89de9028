/** Stages as they are told: console, file, LED, mDNS; on the virtual world. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { latin1 } from '#shared/kernel/bytes.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { MDNS_GROUP, MDNS_PORT, queryMessage } from '../home-network/mdns.ts';
import type { PairingStatus } from '../pairing/status.ts';
import { SERVICE } from './beacon.ts';
import { type Stages, watchStages } from './server.ts';
import type { StageReport } from './status-text.ts';

let virtual: VirtualWorld;
let status: PairingStatus;
let stages: Stages | undefined;
let said: string[];
let light: boolean[];
beforeEach(() => {
  virtual = new VirtualWorld({ seed: 1 });
  status = { at: 'starting', gateway: 'gw_1', words: 'a b c d', online: false };
  [said, light] = [[], []];
});
afterEach(async () => {
  await virtual.settle(stages?.stop() ?? Promise.resolve());
  stages = undefined;
  virtual[Symbol.dispose]();
});

async function watch(cloudSet = true): Promise<Stages> {
  stages = await virtual.settle(
    watchStages({
      world: virtual.host('gw', ['192.0.2.1']),
      state: '/state',
      pairing: () => status,
      cloudSet,
      page: 80,
      led: { set: async (on) => void light.push(on) },
      file: '/run/stage.json',
      say: (line) => said.push(line),
    }),
  );
  return stages;
}

test('each change is told once; the code never', async () => {
  const watching = await watch();
  expect(said).toEqual([expect.stringMatching(/^stage 7 of 9, cloud: looking/), 'ready to pair']);
  status = { ...status, at: 'announced', code: 'BCDF-GHJK', qr: 'https://x/pair#code=BCDFGHJK' };
  watching.look();
  watching.look();
  await virtual.run(10_000);
  expect(said.slice(2)).toEqual([expect.stringMatching(/^stage 8 of 9, pair: shows a code/)]);
  status = { ...status, at: 'paired', online: true };
  watching.look();
  expect(said.slice(3)).toEqual(['stage 9 of 9, ready: in service.']);
  await virtual.run(10);
  const file = await virtual.settle(virtual.host('gw', ['192.0.2.1']).disk.read('/run/stage.json'));
  const report = JSON.parse(latin1(file ?? new Uint8Array())) as StageReport;
  expect(report).toMatchObject({ gateway: 'gw_1', addresses: [expect.stringContaining('192.0.2.1')] });
  expect(said.join() + JSON.stringify(report)).not.toMatch(/BCDF/);
});

test('the LED blinks the stage and then stays on', async () => {
  const watching = await watch();
  await virtual.run(7 * 400 + 1_180);
  expect(light.filter((on) => on).length).toBe(8);
  status = { ...status, at: 'paired', online: true };
  watching.look();
  const before = light.length;
  await virtual.run(60_000);
  expect(light.slice(before - 1)).toEqual([true]);
});

test('time is told by the time server’s sign', async () => {
  await watch();
  const disk = virtual.host('gw', ['192.0.2.1']).disk;
  await virtual.settle(disk.write('/run/systemd/timesync/synchronized', new Uint8Array()));
  await virtual.run(2_500);
  expect(stages?.standing().rows[5]).toMatchObject({ stage: 'time', is: 'done' });
});

test('whoever asks on the LAN gets the stage, not too often, and a farewell', async () => {
  const heard: string[] = [];
  const phone = virtual.host('phone', ['192.0.2.9']);
  const options = {
    host: '0.0.0.0',
    port: MDNS_PORT,
    shared: true,
    multicast: { group: MDNS_GROUP, interface: '192.0.2.9' },
  };
  const socket = await virtual.settle(phone.net.udp(options, (data) => heard.push(latin1(data))));
  await watch();
  await virtual.run(100);
  expect(heard.some((text) => text.includes('stage=cloud'))).toBe(true);
  heard.length = 0;
  for (let i = 0; i < 20; i++) socket.send(queryMessage([SERVICE]), { host: MDNS_GROUP, port: MDNS_PORT });
  await virtual.run(100);
  const answers = heard.filter((text) => text.includes('stage=cloud'));
  expect(answers.length).toBe(5);
  await virtual.run(2_000);
  heard.length = 0;
  await virtual.settle(stages?.stop() ?? Promise.resolve());
  stages = undefined;
  await virtual.run(100);
  expect(heard.length).toBe(1);
});

test('without a cloud it says so, and is ready to pair all the same', async () => {
  await watch(false);
  expect(said).toEqual([expect.stringContaining('no cloud is set'), 'ready to pair']);
});
