/** The account of a home that several softswitch processes keep together, as one of them writes in it. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import type { LineRow } from '#cloud/store/directory.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { SharedSpending } from '../fleet/shared-spending.ts';
import { OutsideGuard } from './guard.ts';

const ABROAD = '+442071838750';
const DOMESTIC = '+15551234567';
const line = { id: 'line_1', home: 'home_1', number: '+15550101001', class: 'standard' } as LineRow;

const AS_PART = { principal: { kind: 'part', part: 'softswitch' } } as const;

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
  await here.handlers()['outside.limits.set']({ costlyAtOnce: 2 }, AS_PART);
  await there.load();
  const guards = [here, there, here, there];
  const verdicts = await Promise.all(guards.map((one, i) => one.mayCall(`call_${i}`, line, ABROAD)));
  expect(verdicts.filter((may) => may)).toHaveLength(2);
  expect(await running()).toHaveLength(2);
});

test('a call that rings two numbers outside, or one after the other, is one call, at the price of the dearer', async () => {
  expect(await here.mayCall('call_1', line, ABROAD)).toBe(true);
  expect(await here.mayCall('call_1', line, DOMESTIC)).toBe(true);
  const [one] = (await new SharedSpending(store, cloud.clock).of('home_1')).calls;
  expect(one).toMatchObject({ id: 'call_1', kind: 'international', perMinute: 90_000 });
  expect(await running()).toEqual([{ id: 'call_1' }]);
});

describe('bars that are read anew', () => {
  const bar = (home: string) =>
    store.commit([sql("INSERT INTO barring (home, reason, at) VALUES (?, 'spend', 0)", home)]);
  const lineOf = (home: string) => ({ ...line, home });
  /** The store of before, in which one table cannot be read now. */
  const unreadable = (table: string): Store =>
    new Proxy(store, {
      get(of, name) {
        if (name !== 'all' && name !== 'one') return Reflect.get(of, name).bind(of);
        return (text: string, values?: []) =>
          text.includes(table) ? Promise.reject(new Error('disk')) : of[name](text, values);
      },
    });
  const guardOn = (from: Store) => {
    const shared = { spending: new SharedSpending(from, cloud.clock), barred: () => {} };
    return new OutsideGuard({ world: cloud, store: from, bus: createBus(cloud), end: () => {}, shared });
  };

  test('hold for all homes, though the account of one cannot be read', async () => {
    for (const home of ['home_1', 'home_2', 'home_3']) await bar(home);
    const guard = guardOn(unreadable('outside_call'));
    await guard.load();
    for (const home of ['home_1', 'home_2', 'home_3'])
      expect(await guard.mayCall('call_1', lineOf(home), ABROAD)).toBe(false);
  });

  test('are those of before where the rest cannot be read', async () => {
    await bar('home_1');
    let broken = false;
    const guard = guardOn(
      new Proxy(store, {
        get: (of, name) => Reflect.get(broken ? unreadable('outside_setting') : of, name).bind(of),
      }),
    );
    await guard.load();
    await store.commit([sql("DELETE FROM barring WHERE home = 'home_1'")]);
    broken = true;
    await expect(guard.load()).rejects.toThrow('disk');
    expect(await guard.mayCall('call_1', line, ABROAD)).toBe(false);
    broken = false;
    await guard.load();
    expect(await guard.mayCall('call_1', line, ABROAD)).toBe(true);
    guard.stop();
  });

  test('do not take away one that is being written', async () => {
    await here.handlers()['outside.limits.set']({ internationalPerHour: 1 }, AS_PART);
    let write = () => {};
    const pen = new Promise<void>((done) => {
      write = done;
    });
    const commit: Store['commit'] = async (statements) => {
      if (statements.some((one) => one.sql.includes('INTO barring'))) await pen;
      return store.commit(statements);
    };
    const guard = guardOn(
      new Proxy(store, { get: (of, name) => (name === 'commit' ? commit : Reflect.get(of, name).bind(of)) }),
    );
    await guard.load();
    expect(await guard.mayCall('call_1', line, ABROAD)).toBe(true);
    // Goes beyond: the home is barred at once, and the store hears of it later.
    expect(await guard.mayCall('call_2', line, ABROAD)).toBe(false);
    await guard.load();
    expect(await guard.mayCall('call_3', line, DOMESTIC)).toBe(false);
    write();
    await world.run(1);
    await guard.load();
    expect(await guard.mayCall('call_4', line, DOMESTIC)).toBe(false);
    // What another process lifts is lifted here too: the bar stands in the store, and nowhere else.
    await store.commit([sql('DELETE FROM barring')]);
    await guard.load();
    expect(await guard.mayCall('call_5', line, DOMESTIC)).toBe(true);
    guard.stop();
  });
});
