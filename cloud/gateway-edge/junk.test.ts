/** Damaged streams from a gateway with a good certificate: its own connection may end, the edge and the others stay. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ok } from '#shared/kernel/result.ts';
import { Seeded } from '#simulator/random.ts';
import { type Credentials, makeCloud, type VirtualCloud } from '#test/support/edge.ts';
import { Gateway } from '#test/support/mqtt-gateway.ts';

let cloud: VirtualCloud;
beforeEach(async () => {
  cloud = await makeCloud(3);
});
afterEach(async () => {
  await cloud.edge.stop();
  cloud.virtual[Symbol.dispose]();
});

const text = (value: string) => [value.length >> 8, value.length & 255, ...Buffer.from(value)];
function packet(first: number, body: readonly number[]): number[] {
  const { length } = body;
  return [first, ...(length < 128 ? [length] : [(length % 128) | 128, length >> 7]), ...body];
}
const CONNECT = packet(0x10, [...text('MQTT'), 4, 2, 0, 30, ...text('gw_1')]);
const message = (channel: string, type: string, id: number) =>
  packet(0x32, [
    ...text(`hl/1/g/gw_1/${channel}`),
    0,
    id,
    ...Buffer.from(JSON.stringify({ v: 1, id: `i${id}`, type, ts: 0, epoch: 0, seq: id, body: { cause: 'c' } })),
  ]);
const PACKETS = [
  packet(0x82, [0, 1, ...text('hl/1/d/gw_1/#'), 1]),
  message('hello', 'gateway.hello', 2),
  message('event', 'alarm.raise', 3),
  message('req', '__proto__', 4),
  message('res', 'answer', 5),
  [0x40, 2, 0, 1],
  packet(0xa2, [0, 6, ...text('hl/1/d/gw_1/#')]),
  [0xc0, 0],
  [0xe0, 0],
];

/** Connects as the gateway, sends the octets, and goes away in one of three ways. */
async function send(made: Credentials, octets: Uint8Array, random: Seeded): Promise<void> {
  const { host, port, tls } = cloud.target(made);
  const home = cloud.virtual.host('junk', ['10.0.2.1']);
  const stream = await cloud.virtual.settle(home.net.connect({ host, port, tls }));
  stream.handle({ data() {}, close() {} });
  const cut = Math.floor(random.fraction() * octets.length);
  stream.write(octets.subarray(0, cut));
  await cloud.virtual.run(random.fraction() * 20);
  stream.write(octets.subarray(cut));
  await cloud.virtual.run(random.fraction() * 50);
  const way = random.fraction();
  if (way < 0.4) stream.destroy();
  else if (way < 0.8) stream.end();
}

test('1,000 damaged streams: the edge lives, another gateway’s requests are answered, nothing stays open', async () => {
  const random = new Seeded(17, 1);
  const made = await cloud.gateway('gw_1');
  const healthy = await (await new Gateway(cloud, await cloud.gateway('gw_2')).open()).greet();
  const pick = (n: number) => Math.floor(random.fraction() * n);
  for (let i = 0; i < 1000; i++) {
    const octets = [...CONNECT];
    for (let n = pick(8); n > 0; n--) octets.push(...(PACKETS[pick(PACKETS.length)] ?? []));
    for (let n = pick(4); n > 0; n--) {
      const at = pick(octets.length);
      if (random.fraction() < 0.5) octets[at] = pick(256);
      else octets.splice(at, pick(6), ...Array.from({ length: pick(6) }, () => pick(256)));
    }
    await send(made, Uint8Array.from(octets), random);
    if (i % 50 === 0) healthy.say('event', 'alarm.raise', { cause: 'c', severity: 'minor', text: 'x' });
  }
  await cloud.virtual.run(60_000);
  expect(healthy.ends).toEqual([]);
  expect(healthy.got.filter(({ type, body }) => type === 'alarm.raise' && body !== undefined)).toHaveLength(20);
  const list = await cloud.virtual.settle(
    cloud.bus.request('presence.list', {}, { principal: { kind: 'part', part: 'oamp' } }),
  );
  expect(list).toMatchObject(ok({ items: [{ gateway: 'gw_2' }] }));
  // Only the healthy one is still counted: 1 of the 20,000 that may connect.
  expect(cloud.edge.health().load * 20_000).toBeCloseTo(1);
});
