import { afterEach, beforeEach, expect, it } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { HOUR } from '../abuse/spending.ts';
import { SharedSpending } from './shared-spending.ts';

let world: VirtualWorld;
let store: Store;
let spending: SharedSpending;

beforeEach(() => {
  world = new VirtualWorld({ seed: 1 });
  store = openLocalStore(':memory:');
  spending = new SharedSpending(store, world.host('cloud', ['10.0.0.1']).clock);
});
afterEach(() => world[Symbol.dispose]());

const call = (id: string) => ({ id, home: 'h', kind: 'premium' as const, perMinute: 6_000 });
const ids = async () => (await spending.of('h')).calls.map(({ id }) => id);
async function begin(id: string): Promise<boolean> {
  return spending.begin(call(id), await spending.of('h'));
}

it('a call is in the account of its home from its beginning until an hour after its end', async () => {
  await begin('a');
  await world.run(1_000);
  await spending.answered('a');
  await world.run(60_000);
  await spending.ended('a');
  expect((await spending.of('h')).calls).toEqual([{ ...call('a'), begunAt: 0, answeredAt: 1_000, endedAt: 61_000 }]);
  expect((await spending.of('other')).calls).toEqual([]);
  await world.run(HOUR);
  expect(await ids()).toEqual(['a']);
  await world.run(1);
  expect(await ids()).toEqual([]);
});

it('is not written where another was, since it was judged', async () => {
  const seen = await spending.of('h');
  expect(await begin('a')).toBe(true);
  expect(await spending.begin(call('b'), seen)).toBe(false);
  expect(await ids()).toEqual(['a']);
  expect(await begin('b')).toBe(true);
});

it('an end that nobody saw is taken as one: of an unanswered call after 5 minutes, else after a day', async () => {
  await begin('unanswered');
  await begin('answered');
  await spending.answered('answered');
  await world.run(300_000);
  expect(await ids()).toEqual(['answered', 'unanswered']);
  await world.run(1);
  expect(await ids()).toEqual(['answered']);
  await world.run(86_400_000 - 300_000);
  expect(await ids()).toEqual([]);
});

it('what counts no more goes from the store; what is forgiven counts no more', async () => {
  await begin('old');
  await spending.ended('old');
  await world.run(HOUR + 1);
  await begin('done');
  await begin('runs');
  await spending.answered('runs');
  await spending.ended('done');
  expect(await store.all('SELECT id FROM outside_call ORDER BY id')).toEqual([{ id: 'done' }, { id: 'runs' }]);
  await store.commit(spending.forgive('h'));
  expect((await spending.of('h')).calls).toMatchObject([{ id: 'runs', begunAt: 1 }]);
});
