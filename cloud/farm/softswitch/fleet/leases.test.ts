/** Places for calls, at processes that share a limit. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FleetEnd } from '#cloud/bus/fleet-end.ts';
import type { FleetMessage } from '#cloud/bus/fleet-words.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { seed } from '#test/support/seed.ts';
import { LEASES, Leases, SWEEP_EVERY } from './leases.ts';

let world: VirtualWorld;
/** What the main process was told, and how it hands out. */
let said: FleetMessage[];
let places: number;
let fleet: FleetEnd;
let leases: Leases;
let own: Map<string, number>;
let elsewhere: number;

beforeEach(() => {
  world = new VirtualWorld({ seed });
  [said, places, own, elsewhere] = [[], 1, new Map(), 0];
  const { clock } = world.host('cloud', ['10.0.0.1']);
  fleet = new FleetEnd('0-aaaaaaaa', clock);
  attach();
  leases = newLeases();
});
afterEach(() => {
  leases.stop();
  world[Symbol.dispose]();
});

function newLeases(most?: number): Leases {
  return new Leases({
    ...{
      fleet,
      clock: world.host('cloud', ['10.0.0.1']).clock,
      own: (id) => own.get(id) ?? 0,
      elsewhere: () => elsewhere,
    },
    ...(most === undefined ? {} : { most }),
  });
}

function attach(): void {
  fleet.attach((message) => {
    said.push(message);
    if (message.on === 'lease') queueMicrotask(() => fleet.take({ ...message, on: 'leased', places }));
  });
}

const ensure = (id: string, limit: number) => world.settle(Promise.resolve(leases.ensure(id, limit)));
/** A call begins, or ends. */
function call(id: string, n: number): void {
  own.set(id, (own.get(id) ?? 0) + n);
  leases.changed(id);
}
const words = () => said.splice(0).map(({ on, ...rest }) => [on, 'places' in rest ? rest.places : undefined]);

test('a place is asked for once, and used again without a word', async () => {
  expect(leases.fits('line', 4)).toBe(false);
  await ensure('line', 4);
  expect(words()).toEqual([
    ['holds', []],
    ['lease', undefined],
  ]);
  for (let i = 0; i < 3; i++) {
    expect(leases.ensure('line', 4)).toBeUndefined();
    expect(leases.fits('line', 4)).toBe(true);
    call('line', 1);
    expect(leases.fits('line', 4)).toBe(false);
    call('line', -1);
  }
  expect(words()).toEqual([]);
});

test('where the main process has none, nothing fits', async () => {
  places = 0;
  await ensure('line', 4);
  expect(leases.fits('line', 4)).toBe(false);
});

test('who comes last to a place finds none', async () => {
  await ensure('line', 4);
  expect([leases.fits('line', 4), leases.fits('line', 4)]).toEqual([true, true]);
  call('line', 1);
  expect(leases.fits('line', 4)).toBe(false);
});

test('calls beyond its places are told of, once', async () => {
  said.length = 0;
  call('line', 1);
  call('line', 1);
  call('line', -1);
  call('line', 1);
  expect(words()).toEqual([
    ['gave', [['line', -1]]],
    ['gave', [['line', -1]]],
  ]);
});

describe('another process wants some', () => {
  const recalled = (needed: number) => {
    said.length = 0;
    fleet.take({ on: 'recall', n: 9, id: 'trunk', needed });
    return words();
  };
  beforeEach(async () => {
    places = 8;
    await ensure('trunk', 8);
    call('trunk', 2);
  });

  test.each([
    [1, 3],
    [4, 4],
    [9, 6],
  ])('%i are needed: %i go back', (needed, back) => {
    expect(recalled(needed)).toEqual([['returned', back]]);
  });

  test('none in use does', () => {
    recalled(6);
    expect(recalled(1)).toEqual([['returned', 0]]);
    expect(leases.fits('trunk', 8)).toBe(false);
  });

  test('one that nobody has is nobody’s', () => {
    fleet.take({ on: 'recall', n: 9, id: 'other', needed: 1 });
    expect(said.at(-1)).toEqual({ on: 'returned', n: 9, id: 'other', places: 0 });
  });
});

test('with another limit, places that nobody uses are void', async () => {
  places = 5;
  await ensure('trunk', 10);
  call('trunk', 1);
  said.length = 0;
  places = 0;
  await ensure('trunk', 3);
  expect(words()).toEqual([
    ['gave', [['trunk', 4]]],
    ['lease', undefined],
  ]);
  expect(leases.fits('trunk', 3)).toBe(false);
});

test('places that nobody wanted for a while go back', async () => {
  await ensure('idle', 4);
  await ensure('busy', 4);
  await world.run(SWEEP_EVERY + 1);
  call('busy', 1);
  said.length = 0;
  await world.run(SWEEP_EVERY);
  expect(words()).toEqual([['gave', [['idle', 1]]]]);
  expect(leases.fits('idle', 4)).toBe(false);
});

test('of so many lines and no more: for one beyond, those that have no call go back', async () => {
  expect(LEASES).toBe(20_000);
  leases = newLeases(2);
  for (const id of ['a', 'b']) await ensure(id, 4);
  call('a', 1);
  said.length = 0;
  await ensure('c', 4);
  expect(words()).toEqual([
    ['gave', [['b', 1]]],
    ['lease', undefined],
  ]);
});

describe('without the main process', () => {
  test('what the others said last counts', async () => {
    await ensure('line', 4);
    call('line', 1);
    fleet.detach();
    elsewhere = 2;
    await ensure('line', 4);
    expect(leases.fits('line', 4)).toBe(true);
    elsewhere = 3;
    expect(leases.fits('line', 4)).toBe(false);
  });

  test('the next one is told what is here', async () => {
    await ensure('line', 4);
    call('line', 1);
    call('line', 1);
    fleet.detach();
    call('other', 1);
    said.length = 0;
    attach();
    expect(words()).toEqual([
      [
        'holds',
        [
          ['line', 2],
          ['other', 1],
        ],
      ],
    ]);
  });
});

test('places that come too late go back', async () => {
  places = 3;
  fleet.take({ on: 'leased', n: 77, id: 'line', places: 2 });
  expect(said.at(-1)).toEqual({ on: 'gave', places: [['line', 2]] });
});
