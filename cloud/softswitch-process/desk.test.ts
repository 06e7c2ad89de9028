/** Places handed out to processes: never more than there are, and never lost. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { VirtualWorld } from '#simulator/world.ts';
import { seed } from '#test/support/seed.ts';
import { Desk, RECALL_WITHIN, SETTLE_WITHIN } from './desk.ts';

let world: VirtualWorld;
let desk: Desk;
/** Recalls that nobody has answered. */
let asked: { owner: string; n: number; id: string; needed: number }[];

beforeEach(() => {
  world = new VirtualWorld({ seed });
  asked = [];
  desk = open(2);
  desk.holds('0-a', []);
  desk.holds('1-b', []);
});
afterEach(() => {
  desk.stop();
  world[Symbol.dispose]();
});

const clock = () => world.host('cloud', ['10.0.0.1']).clock;
const open = (count: number) =>
  new Desk({ clock: clock(), count, recall: (owner, n, id, needed) => void asked.push({ owner, n, id, needed }) });
const lease = (owner: string, limit: number) => world.settle(desk.lease(owner, 'trunk', limit));

async function answered(places: number): Promise<void> {
  await world.run(1);
  const one = asked.shift();
  if (one !== undefined) desk.returned(one.owner, one.n, one.id, places);
}

test.each([
  [1, 1],
  [4, 1],
  [5, 2],
  [1_000, 250],
])('of %i places a process gets %i at a time, so that the other one finds some', async (limit, places) => {
  expect(await lease('0-a', limit)).toBe(places);
});

describe('where all are handed out', () => {
  beforeEach(async () => expect(await lease('0-a', 1)).toBe(1));

  test('the one that has some is asked for what it does not use', async () => {
    const wanted = desk.lease('1-b', 'trunk', 1);
    await answered(1);
    expect(await world.settle(wanted)).toBe(1);
    expect(asked).toEqual([]);
  });

  test('there is none where all are in use', async () => {
    const wanted = desk.lease('1-b', 'trunk', 1);
    await world.run(1);
    expect(asked).toEqual([{ owner: '0-a', n: 1, id: 'trunk', needed: 1 }]);
    await answered(0);
    expect(await world.settle(wanted)).toBe(0);
  });

  test('who does not answer is not waited for; what comes late counts', async () => {
    const begun = clock().mono();
    const wanted = desk.lease('1-b', 'trunk', 1);
    expect(await world.settle(wanted)).toBe(0);
    expect(clock().mono() - begun).toBe(RECALL_WITHIN);
    await answered(1);
    expect(await lease('1-b', 1)).toBe(1);
  });

  test('the places of one that ends are free, for who waits for them too', async () => {
    const wanted = desk.lease('1-b', 'trunk', 1);
    await world.run(1);
    desk.gone('0-a');
    expect(await world.settle(wanted)).toBe(1);
    desk.gone('1-b');
    desk.holds('0-c', []);
    expect(await lease('0-c', 1)).toBe(1);
  });

  test('one that ended meanwhile gets none', async () => {
    const wanted = desk.lease('1-b', 'trunk', 1);
    await world.run(1);
    desk.gone('1-b');
    await answered(1);
    expect(await world.settle(wanted)).toBe(0);
    expect(await lease('0-a', 1)).toBe(1);
  });
});

test('calls that had to be taken count', async () => {
  desk.gave('1-b', [['trunk', -2]]);
  const wanted = desk.lease('0-a', 'trunk', 2);
  await answered(0);
  expect(await world.settle(wanted)).toBe(0);
  desk.gave('1-b', [['trunk', 1]]);
  expect(await lease('0-a', 2)).toBe(1);
});

describe('after a start', () => {
  beforeEach(() => {
    desk.stop();
    desk = open(2);
  });

  test('nothing is handed out before all have said what they hold', async () => {
    desk.holds('0-a', []);
    const wanted = desk.lease('0-a', 'trunk', 1);
    await world.run(SETTLE_WITHIN - 10);
    desk.holds('1-b', [['trunk', 1]]);
    await answered(0);
    expect(await world.settle(wanted)).toBe(0);
  });

  test('who does not come is not waited for', async () => {
    desk.holds('0-a', []);
    expect(await lease('0-a', 1)).toBe(1);
    expect(clock().mono()).toBe(SETTLE_WITHIN);
  });
});

test('whatever they do, all hold together no more than there are', async () => {
  const step = fc.record({ owner: fc.constantFrom('0-a', '1-b'), gives: fc.boolean(), id: fc.constantFrom('x', 'y') });
  const work = fc.asyncProperty(
    fc.array(step, { maxLength: 40 }),
    fc.integer({ min: 1, max: 9 }),
    async (steps, limit) => {
      const held = new Map<string, number>();
      const own = new Desk({
        clock: clock(),
        count: 2,
        recall: (owner, n, id, needed) => {
          const back = Math.min(held.get(`${owner} ${id}`) ?? 0, needed);
          held.set(`${owner} ${id}`, (held.get(`${owner} ${id}`) ?? 0) - back);
          own.returned(owner, n, id, back);
        },
      });
      for (const owner of ['0-a', '1-b']) own.holds(owner, []);
      for (const { owner, gives, id } of steps) {
        const mine = held.get(`${owner} ${id}`) ?? 0;
        const change = gives ? -Math.min(1, mine) : await own.lease(owner, id, limit);
        if (gives && mine > 0) own.gave(owner, [[id, 1]]);
        held.set(`${owner} ${id}`, (held.get(`${owner} ${id}`) ?? 0) + change);
        const sum = (held.get(`0-a ${id}`) ?? 0) + (held.get(`1-b ${id}`) ?? 0);
        expect(sum).toBeLessThanOrEqual(limit);
        // One that asks gets some, for the other one gives what it is asked for.
        if (!gives) expect(change > 0).toBe(mine < limit);
      }
      own.stop();
    },
  );
  await fc.assert(work, { seed, numRuns: 60 });
});
