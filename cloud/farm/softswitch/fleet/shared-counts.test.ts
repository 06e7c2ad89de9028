import { beforeEach, describe, expect, it } from 'vitest';
import type { Fleet } from '#cloud/bus/fleet.ts';
import { SharedCounts } from './shared-counts.ts';
import { SharedLamps } from './shared-lamps.ts';

const [A, B, C] = ['0-aaaaaaaa', '1-bbbbbbbb', '2-cccccccc'];
const view = (id: string) => ({ id, direction: 'recipient' as const, state: 'early' as const });

let alive: string[];
let said: string[];
let change: (owners: string[]) => void;
let fleet: Fleet;

beforeEach(() => {
  alive = [A, B];
  said = [];
  const handlers: (() => void)[] = [];
  change = (owners) => {
    alive = owners;
    for (const handler of handlers) handler();
  };
  fleet = {
    ...{ owner: A, index: 0, alive: () => alive, inherit: async () => {}, onGiven: () => {}, onMessage: () => {} },
    ...{ claim: async () => ({}), where: async () => ({}) },
    ...{ linked: true, lease: async () => 0, gave: () => {}, onRecall: () => {} },
    send: (to, word) => said.push(`${to} ${JSON.stringify(word)}`),
    onChange: (handler) => handlers.push(handler),
  };
});

const quiet = async () => {
  await Promise.resolve();
  await Promise.resolve();
  return said.splice(0);
};

describe('calls of a line at several processes', () => {
  const own = new Map<string, number>();
  let counts: SharedCounts;
  beforeEach(() => {
    own.clear();
    counts = new SharedCounts({ fleet, own: (id) => own.get(id) ?? 0 });
  });

  it('changes of one moment are told in one word, as they are then', async () => {
    own.set('x', 1);
    counts.changed('x');
    own.set('x', 2);
    counts.changed('x');
    counts.changed('y');
    expect(await quiet()).toEqual([`${B} {"do":"counts","of":[["x",2],["y",0]]}`]);
    expect(await quiet()).toEqual([]);
  });

  it('are the sum of what the others say, until they say otherwise or are gone', () => {
    counts.hear(B, { do: 'counts', of: [['x', 2]] });
    counts.hear(C, { do: 'counts', of: [['x', 1]] });
    expect(counts.elsewhere('x')).toBe(3);
    counts.hear(C, { do: 'counts', of: [['x', 0]] });
    expect(counts.elsewhere('x')).toBe(2);
    change([A]);
    expect(counts.elsewhere('x')).toBe(0);
  });

  it('who is new is told what there is, and nobody else is', async () => {
    own.set('x', 1);
    counts.changed('x');
    await quiet();
    change([A, B, C]);
    expect(await quiet()).toEqual([`${C} {"do":"counts","of":[["x",1]]}`]);
    own.delete('x');
    counts.changed('x');
    expect(await quiet()).toHaveLength(2);
    change([A, B]);
    change([A, B, C]);
    expect(await quiet()).toEqual([]);
  });
});

describe('lamps over several processes', () => {
  let shown: string[];
  let views: ReturnType<typeof view>[];
  let lamps: SharedLamps;
  beforeEach(() => {
    [shown, views] = [[], []];
    lamps = new SharedLamps({ fleet, own: () => views, changed: (line) => shown.push(line) });
  });

  it('a line that nobody watches is not told of; one that somebody watches is, from now on', async () => {
    views = [view('c1')];
    lamps.tell('x');
    expect(await quiet()).toEqual([]);
    lamps.hear(B, { do: 'watch', lines: ['x'], on: true });
    lamps.tell('x');
    expect(await quiet()).toHaveLength(2);
    lamps.hear(B, { do: 'watch', lines: ['x'], on: false });
    lamps.tell('x');
    expect(await quiet()).toEqual([]);
  });

  it('what others tell is shown while it is watched; who is gone shows nothing', () => {
    lamps.hear(B, { do: 'lamps', line: 'x', views: [view('c1')] });
    expect([lamps.elsewhere('x'), shown]).toEqual([[], []]);
    lamps.watch('x');
    lamps.hear(B, { do: 'lamps', line: 'x', views: [view('c1')] });
    expect([lamps.elsewhere('x').map(({ id }) => id), shown]).toEqual([['c1'], ['x']]);
    change([A]);
    expect([lamps.elsewhere('x'), shown]).toEqual([[], ['x', 'x']]);
  });

  it('the others are asked once for a line, who is new too, and told when nobody watches it any more', async () => {
    lamps.watch('x');
    lamps.watch('x');
    expect(await quiet()).toEqual([`${B} {"do":"watch","lines":["x"],"on":true}`]);
    change([A, B, C]);
    expect(await quiet()).toEqual([`${C} {"do":"watch","lines":["x"],"on":true}`]);
    lamps.keepOnly(() => false);
    expect(await quiet()).toHaveLength(2);
  });
});
