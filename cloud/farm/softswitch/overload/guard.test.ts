/** How the waits are measured: seldom while there are none, often once there is one. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { BUSY, LATE, OverloadGuard } from './guard.ts';

let world: VirtualWorld;
let cloud: World;
let guard: OverloadGuard;
/** Milliseconds that a question lies in the queue, and how many have come. */
let queue: number;
let asked: number;

beforeEach(async () => {
  world = new VirtualWorld({ seed: 1 });
  cloud = world.host('cloud', ['10.0.0.1']);
  [queue, asked] = [0, 0];
  const { clock, net } = cloud;
  const port = await net.udp({ host: '10.0.0.1', port: 5060 }, (data, from) => {
    asked++;
    clock.at(clock.mono() + queue, () => port.send(data, from));
  });
  guard = new OverloadGuard({ world: cloud, at: () => port.local, trust: () => {} });
});
afterEach(() => {
  guard.stop();
  world[Symbol.dispose]();
});

/** As many new calls as are needed for waits to be measured, and so many milliseconds. */
async function busy(ms: number): Promise<number> {
  for (let i = 0; i < BUSY; i++) guard.judge(false);
  const before = asked;
  await world.run(ms);
  return asked - before;
}

test('nobody asks while little comes', async () => {
  guard.judge(false);
  await world.run(1_000);
  expect(asked).toBe(0);
});

test('a queue in which nobody waits is asked ten times a second, one in which somebody does up to fifty times', async () => {
  const seldom = await busy(1_000);
  expect([seldom >= 9, seldom <= 11]).toEqual([true, true]);
  queue = 25;
  const often = await busy(1_000);
  expect([often >= 20, often <= 51, guard.share]).toEqual([true, true, 0]);
});

test('one that waited once turns nobody away; what waits again and again does', async () => {
  await busy(500);
  queue = 95;
  await world.run(100);
  queue = 0;
  for (let i = 0; i < 20; i++) {
    await busy(20);
    expect(guard.share).toBe(0);
  }
  queue = 160;
  await busy(1_000);
  expect(guard.share).toBeGreaterThan(0);
});

test('a new call that has waited too long is turned away although no share is, one that was challenged is not', () => {
  expect([guard.judge(false, LATE), guard.judge(true, 10 * LATE), guard.turnedAway]).toEqual([undefined, undefined, 0]);
  expect(guard.judge(false, LATE + 1)).toBeGreaterThanOrEqual(2);
  expect(guard.turnedAway).toBe(1);
});
