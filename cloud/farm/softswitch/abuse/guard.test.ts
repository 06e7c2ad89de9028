/** The account of a home that several softswitch processes keep together, as one of them writes in it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { SharedSpending } from '../fleet/shared-spending.ts';
import { OutsideGuard } from './guard.ts';

const ABROAD = '+442071838750';
const line = { id: 'line_1', home: 'home_1', number: '+15550101001', class: 'standard' } as LineRow;

let world: VirtualWorld;
let cloud: World;
let store: Store;
/** Two processes. */
let here: OutsideGuard;
let there: OutsideGuard;

beforeEach(async () => {
  world = new VirtualWorld({ seed: 1 });
  cloud = world.host('cloud', ['10.0.0.1']);
  store = openLocalStore(':memory:');
  [here, there] = [newGuard(), newGuard()];
});
afterEach(() => {
  here.stop();
  there.stop();
  world[Symbol.dispose]();
});

function newGuard(): OutsideGuard {
  const shared = { spending: new SharedSpending(store, cloud.clock), barred: () => {} };
  return new OutsideGuard({ world: cloud, store, bus: createBus(cloud), end: () => {}, shared });
}
const running = () => store.all('SELECT id FROM outside_call WHERE ended_at IS NULL ORDER BY id');

describe('the end of a call to the outside that another process began', () => {
  beforeEach(async () => expect(await here.mayCall('call_1', line, ABROAD)).toBe(true));

  test('is written by the one that saw it', async () => {
    there.ended('call_1', true);
    await world.run(1);
    expect(await running()).toEqual([]);
  });

  test('is not, where the call did not go out as far as is known: there is nothing to write', async () => {
    there.ended('call_1');
    await world.run(1);
    expect(await running()).toEqual([{ id: 'call_1' }]);
  });
});

test('of calls that are judged at one moment by two processes, as many go out as may', async () => {
  await here.handlers()['outside.limits.set']({ costlyAtOnce: 2 }, { principal: { kind: 'part', part: 'softswitch' } });
  await there.load();
  const guards = [here, there, here, there];
  const verdicts = await Promise.all(guards.map((one, i) => one.mayCall(`call_${i}`, line, ABROAD)));
  expect(verdicts.filter((may) => may)).toHaveLength(2);
  expect(await running()).toHaveLength(2);
});

test('a call that rings two numbers outside, or one after the other, is one call, at the price of the dearer', async () => {
  expect(await here.mayCall('call_1', line, ABROAD)).toBe(true);
  expect(await here.mayCall('call_1', line, '+15551234567')).toBe(true);
  const [one] = (await new SharedSpending(store, cloud.clock).of('home_1')).calls;
  expect(one).toMatchObject({ id: 'call_1', kind: 'international', perMinute: 90_000 });
  expect(await running()).toEqual([{ id: 'call_1' }]);
});
