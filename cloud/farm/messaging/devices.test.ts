import { afterEach, beforeEach, expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { MESSAGE_LIFE } from '#shared/protocol/verbs/messaging.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { DEVICES_KEPT, Devices } from './devices.ts';

let world: VirtualWorld;
let store: Store;
const open = () => {
  const { clock, log } = world.host('cloud', ['10.0.0.1']);
  return new Devices(store, createBus({ log, clock }), clock);
};
const known = async (devices: Devices) => [...((await devices.ofLines(['line_1'])).get('line_1') ?? [])].sort();

beforeEach(() => {
  world = new VirtualWorld({ seed: 1 });
  store = openLocalStore(':memory:');
});
afterEach(() => world[Symbol.dispose]());

test('phones with an instance are remembered, also by the next process; those known by contact are not', async () => {
  const devices = open();
  await devices.seen('line_1', ['i_a', 'c_b']);
  expect(await known(devices)).toEqual(['i_a']);
  expect(await known(open())).toEqual(['i_a']);
});

test(`of more than ${DEVICES_KEPT} those seen longest ago give way`, async () => {
  const devices = open();
  for (let n = 0; n <= DEVICES_KEPT; n++) {
    await devices.seen('line_1', [`i_${String(n).padStart(2, '0')}`]);
    await world.run(10);
  }
  const kept = await known(devices);
  expect([kept.length, kept.includes('i_00'), kept.includes('i_01')]).toEqual([DEVICES_KEPT, false, true]);
  expect(await known(open())).toEqual(kept);
});

test('a phone that is off for longer than any message waits is forgotten', async () => {
  const devices = open();
  await devices.seen('line_1', ['i_a']);
  await world.run(MESSAGE_LIFE.longest - 1_000);
  expect(await known(devices)).toEqual(['i_a']);
  await world.run(2_000);
  expect([await known(devices), await known(open())]).toEqual([[], []]);
});
