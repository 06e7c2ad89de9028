/** mqtt.js behind our guard, against brokers that misbehave. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Stream, World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type MqttConnection, type MqttTarget, openMqtt } from './mqtt.ts';

const text = (value: string) => [0, value.length, ...Buffer.from(value)];
const CONNACK = [0x20, 2, 0, 0];
const suback = (id: number, code: number) => [0x90, 3, id >> 8, id & 255, code];
const publish = (topic: string, id = 1) => {
  const body = [...text(topic), id >> 8, id & 255, 120];
  return [0x32, body.length, ...body];
};

let virtual: VirtualWorld;
let home: World;
let target: MqttTarget;
/** Streams that came in, and what they sent, by packet type. */
let streams: Stream[];
let received: number[];
/** What the broker says to each packet type. */
let script: Record<number, number[]>;
let messages: string[];
let closed: string[];

beforeEach(async () => {
  virtual = new VirtualWorld({ seed: 1 });
  const cloud = virtual.host('cloud', ['10.0.0.1']);
  home = virtual.host('home', ['10.0.1.1']);
  const key = await cloud.crypto.createKey();
  const certificate = await cloud.crypto.issue({
    subject: 'cloud',
    publicKey: key.publicKey,
    signer: key.privateKey,
    notBefore: 0,
    notAfter: 4e12,
    use: 'server',
    names: ['10.0.0.1'],
  });
  streams = [];
  received = [];
  script = { 1: CONNACK, 8: suback(1, 1), 12: [0xd0, 0] };
  messages = [];
  closed = [];
  const tls = { certificate, key: key.privateKey };
  await cloud.net.listen({ host: '10.0.0.1', port: 8883, tls }, (stream) => {
    streams.push(stream);
    stream.handle({
      data(data) {
        // Every packet here is short: its length is one octet.
        for (let at = 0; at < data.length; at += 2 + (data[at + 1] ?? 0)) {
          const type = (data[at] ?? 0) >> 4;
          received.push(type);
          const answer = script[type];
          if (answer !== undefined) stream.write(Uint8Array.from(answer));
        }
      },
      close() {},
    });
  });
  target = {
    host: '10.0.0.1',
    port: 8883,
    tls: { ca: certificate },
    clientId: 'gw_1',
    filter: 'hl/1/d/gw_1/#',
    keepalive: 30,
    timeout: 10_000,
  };
});
afterEach(() => virtual[Symbol.dispose]());

function open(): Promise<MqttConnection> {
  const handlers = {
    message: (topic: string, payload: Uint8Array) => messages.push(`${topic} ${Buffer.from(payload)}`),
    closed: (why: string) => closed.push(why),
  };
  return virtual.settle(openMqtt(home, target, handlers));
}
const say = (...octets: number[]) => streams.at(-1)?.write(Uint8Array.from(octets));

describe('a connection is open', () => {
  test('once the subscription is granted; then messages below the filter come through', async () => {
    await open();
    say(...publish('hl/1/d/gw_1/cmd'));
    await virtual.run(100);
    expect(messages).toEqual(['hl/1/d/gw_1/cmd x']);
    expect(received).toEqual([1, 8, 4]);
  });

  test.each<[string, Record<number, number[]>, string, RegExp]>([
    ['CONNACK says no', { 1: [0x20, 2, 0, 5] }, 'EREFUSED', /Not authorized/],
    ['CONNACK says later', { 1: [0x20, 2, 0, 3] }, 'EREFUSED', /unavailable/],
    ['SUBACK says 0x80', { 8: suback(1, 128) }, 'EREFUSED', /./],
    ['SUBACK grants QoS 0 only', { 8: suback(1, 0) }, 'EREFUSED', /the subscription was refused/],
    ['CONNACK does not come', { 1: [] }, 'ETIMEDOUT', /in time/],
    ['SUBACK does not come', { 8: [] }, 'ETIMEDOUT', /in time/],
    ['nonsense comes', { 1: [0x00, 0x00] }, 'EREFUSED', /another packet before/],
  ])('not when %s', async (_name, change, code, message) => {
    script = { ...script, ...change };
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await virtual.run(60_000);
    // One try, and nothing left behind that would try again.
    expect(streams).toHaveLength(1);
    expect(closed).toEqual([]);
  });

  test('not when nobody listens, and not when the broker’s certificate is somebody else’s', async () => {
    target = { ...target, port: 1 };
    await expect(open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    target = { ...target, port: 8883, tls: { ...target.tls, serverName: 'other.example' } };
    await expect(open()).rejects.toMatchObject({ code: 'ECERT' });
  });
});

describe('an open connection ends, once, when the broker', () => {
  const bad: [string, number[], RegExp][] = [
    ['publishes without packet identifier', publish('hl/1/d/gw_1/cmd', 0), /without packet identifier/],
    ['announces 128 MiB', [0x30, 0x80, 0x80, 0x80, 0x40], /134217733 octets/],
    ['publishes to another gateway', publish('hl/1/d/gw_2/cmd'), /ended/],
    ['speaks QoS 2', [0x34, 5, 0, 1, 97, 0, 1], /quality of service 2/],
  ];
  test.each(bad)('%s', async (_name, octets, why) => {
    await open();
    say(...octets);
    await virtual.run(1000);
    expect(messages).toEqual([]);
    expect(closed).toEqual([expect.stringMatching(why)]);
  });

  test('closes', async () => {
    await open();
    streams[0]?.end();
    await virtual.run(100);
    expect(closed).toHaveLength(1);
  });

  test('falls silent: after one and a half keep-alives', async () => {
    await open();
    script = {};
    await virtual.run(44_000);
    expect(closed).toEqual([]);
    expect(received.filter((type) => type === 12)).toHaveLength(1);
    await virtual.run(2000);
    expect(closed).toHaveLength(1);
  });
});

test('a quiet connection is kept alive by pings', async () => {
  await open();
  await virtual.run(300_000);
  expect(closed).toEqual([]);
  expect(received.filter((type) => type === 12).length).toBeGreaterThan(8);
});

test('we close: DISCONNECT goes out, and no end is reported', async () => {
  const connection = await open();
  connection.publish('hl/1/g/gw_1/req', Buffer.from('x'));
  connection.close();
  await virtual.run(5000);
  expect(received).toEqual([1, 8, 3, 14]);
  expect(closed).toEqual([]);
  connection.publish('hl/1/g/gw_1/req', Buffer.from('y'));
  await virtual.run(100);
  expect(received).toHaveLength(4);
});

test('a flood of small messages is read at the budget’s pace; nothing is lost', async () => {
  await open();
  for (let i = 1; i <= 2000; i++) say(...publish('hl/1/d/gw_1/cmd', i));
  await virtual.run(3000);
  expect(messages.length).toBeGreaterThan(900);
  expect(messages.length).toBeLessThan(1100);
  await virtual.run(6000);
  expect(messages).toHaveLength(2000);
});
