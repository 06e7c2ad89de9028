/** Back-pressure through the guarded duplex, both ways, on a virtual network. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Stream, World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { GuardedDuplex } from './duplex.ts';
import { GUARD_LIMITS, WireGuard } from './wire-guard.ts';

let virtual: VirtualWorld;
let cloud: World;
let near: Stream;
let far: Stream;

beforeEach(async () => {
  virtual = new VirtualWorld({ seed: 1 });
  cloud = virtual.host('cloud', ['10.0.0.1']);
  const home = virtual.host('home', ['10.0.1.1']);
  await cloud.net.listen({ host: '10.0.0.1', port: 1 }, (stream) => {
    far = stream;
  });
  near = await virtual.settle(home.net.connect({ host: '10.0.0.1', port: 1 }));
});
afterEach(() => virtual[Symbol.dispose]());

const CONNECT = [0x10, 16, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 30, 0, 4, 0x67, 0x77, 0x5f, 0x31];
/** A PUBLISH of 1,000 octets that carries a number. */
function numbered(n: number): Uint8Array {
  const packet = new Uint8Array(1000);
  packet.set([0x30, 0xe5, 7, 0, 1, 97, n >> 8, n & 255]);
  return packet;
}
const serve = (hooks = {}) => new GuardedDuplex(far, new WireGuard('client', cloud.clock.mono()), cloud.clock, hooks);

test('a reader that stops reading stops the network; afterwards everything comes, whole and in order', async () => {
  const duplex = serve();
  near.write(Uint8Array.from(CONNECT));
  let accepted = 0;
  near.handle({ data() {}, close() {} });
  for (let n = 0; n < 300; n++) {
    near.write(numbered(n));
    accepted++;
  }
  await virtual.run(5000);
  // What is kept here is bounded; the rest waits at the sender.
  expect(duplex.readableLength).toBeLessThan(20_000);
  expect(near.buffered).toBeGreaterThan(250_000);
  const got: number[] = [];
  let octets = Buffer.alloc(0);
  duplex.on('data', (data: Buffer) => {
    octets = Buffer.concat([octets, data]);
  });
  await virtual.run(20_000);
  expect([...octets.subarray(0, CONNECT.length)]).toEqual(CONNECT);
  for (let at = CONNECT.length; at < octets.length; at += 1000) got.push(octets.readUInt16BE(at + 6));
  expect(got.length).toBe(accepted);
  expect(got).toEqual(Array.from({ length: accepted }, (_, n) => n));
  expect(near.buffered).toBe(0);
});

test('a network that does not take makes write callbacks wait, then they come', async () => {
  const duplex = serve();
  duplex.resume();
  near.handle({ data() {}, close() {} });
  near.pause();
  let taken = 0;
  for (let n = 0; n < 200; n++) duplex.write(numbered(n), () => taken++);
  await virtual.run(1000);
  expect(taken).toBeLessThan(80);
  expect(duplex.waiting).toBe(200_000);
  near.resume();
  await virtual.run(1000);
  expect([taken, duplex.waiting]).toEqual([200, 0]);
});

test('what the other end sent before it closed is still read', async () => {
  const duplex = serve();
  near.handle({ data() {}, close() {} });
  near.write(Uint8Array.from([...CONNECT, ...numbered(7)]));
  near.end();
  await virtual.run(100);
  let octets = 0;
  let ended = 0;
  duplex.on('data', (data: Buffer) => {
    octets += data.length;
  });
  duplex.on('close', () => ended++);
  await virtual.run(100);
  expect([octets, ended]).toEqual([CONNECT.length + 1000, 1]);
});

test('a refusal says its CONNACK, tells why, and closes', async () => {
  const why: string[] = [];
  const duplex = serve({ refused: (text: string) => why.push(text) });
  const errors: string[] = [];
  duplex.on('error', ({ message }) => errors.push(message));
  duplex.resume();
  const got: number[] = [];
  const closed: unknown[] = [];
  near.handle({ data: (data) => void got.push(...data), close: (error) => void closed.push(error) });
  const connect = [...CONNECT];
  connect[8] = 5;
  near.write(Uint8Array.from(connect));
  await virtual.run(2000);
  expect(got).toEqual([0x20, 2, 0, 1]);
  expect([why, errors, closed]).toEqual([
    ['a protocol level other than 4'],
    ['a protocol level other than 4'],
    [undefined],
  ]);
});

test('silence is closed when the first packet is due', async () => {
  const duplex = serve();
  duplex.on('error', () => {});
  duplex.resume();
  near.handle({ data() {}, close() {} });
  await virtual.run(GUARD_LIMITS.connectWithin - 10);
  expect(duplex.destroyed).toBe(false);
  await virtual.run(20);
  expect(duplex.destroyed).toBe(true);
});
