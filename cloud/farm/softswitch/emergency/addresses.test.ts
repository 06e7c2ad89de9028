import { expect, test } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { Addresses, REMEMBERED_FOR } from './addresses.ts';

function rig(limit?: number) {
  const world = new VirtualWorld({ seed: 1 });
  const { clock, log } = world.host('cloud', ['10.0.0.1']);
  const store = openLocalStore(':memory:');
  return { world, store, open: () => new Addresses(store, clock, log, limit) };
}

test('an address is remembered for a day after its last registration, over a restart too', async () => {
  const { world, open } = rig();
  const first = open();
  first.registered('192.0.2.1', 'line_1');
  await world.run(REMEMBERED_FOR - 1_000);
  expect(first.lineOf('192.0.2.1')).toBe('line_1');
  const again = open();
  await world.settle(again.load());
  expect(again.lineOf('192.0.2.1')).toBe('line_1');
  await world.run(1_000);
  expect([first.lineOf('192.0.2.1'), again.lineOf('192.0.2.1'), first.lineOf('192.0.2.2')]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test('it is written once an hour, and soon for another line', async () => {
  const { world, store, open } = rig();
  const addresses = open();
  const written: unknown[] = [];
  const commit = store.commit.bind(store);
  store.commit = (statements) => {
    written.push(statements[0]?.params.slice(0, 2));
    return commit(statements);
  };
  for (let i = 0; i < 10; i++) addresses.registered('192.0.2.1', 'line_1');
  await world.run(2_000);
  expect(written).toEqual([['192.0.2.1', 'line_1']]);
  addresses.registered('192.0.2.1', 'line_1');
  await world.run(2_000);
  expect(written).toHaveLength(1);
  // However many lines take turns behind an address, it is written once in a while, with the last of them.
  for (let i = 0; i < 1_000; i++) addresses.registered('192.0.2.1', `line_${i % 7}`);
  addresses.registered('192.0.2.1', 'line_2');
  await world.run(2_000);
  expect(written).toEqual([
    ['192.0.2.1', 'line_1'],
    ['192.0.2.1', 'line_2'],
  ]);
  await world.run(3_600_001);
  addresses.registered('192.0.2.1', 'line_2');
  await addresses.flush();
  expect(written).toHaveLength(3);
});

test('the one that registered longest ago is forgotten for one too many', () => {
  const { open } = rig(2);
  const addresses = open();
  for (const n of [1, 2, 1, 3]) addresses.registered(`192.0.2.${n}`, `line_${n}`);
  expect([1, 2, 3].map((n) => addresses.lineOf(`192.0.2.${n}`))).toEqual(['line_1', undefined, 'line_3']);
});
