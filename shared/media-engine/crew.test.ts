import { expect, it } from 'vitest';
import { Crew } from './crew.ts';
import type { EngineEvent } from './engine.ts';

it('replaces a worker that crashes, and says which nodes are gone', async () => {
  const events: EngineEvent[] = [];
  const crew = new Crew({ low: 18_000, high: 18_099 }, 2, (event) => events.push(event));
  const room = (id: string, group: string) => crew.run('room', [id, `${group}/${id}`, group]);
  await room('r1', 'g1');
  await room('r2', 'g2');
  // No wire carries such a gain: the tick throws at it, as at a bug.
  const gain = 1n;
  await crew.run('player', [{ id: 'p', owner: 'g1/p', group: 'g1', source: { tone: 'dial' }, loop: true, gain }]);
  await crew.run('start', ['p']);
  while (events.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(events).toEqual([
    { on: 'lost', id: 'r1', owner: 'g1/r1' },
    { on: 'lost', id: 'p', owner: 'g1/p' },
  ]);
  expect(await crew.run('list', [])).toMatchObject([{ id: 'r2' }]);
  await room('r3', 'g1');
  expect(await crew.run('list', [])).toHaveLength(2);
  await crew.run('end', []);
  expect(await crew.run('list', [])).toEqual([]);
  await crew.stop();
});

it('a node that is made anew while the one before of its name is being released is known', async () => {
  const crew = new Crew({ low: 18_100, high: 18_199 }, 1, () => {});
  const room = () => crew.run('room', ['r', 'g/r', 'g']);
  await room();
  await Promise.all([crew.run('release', ['r']), room()]);
  expect(await crew.run('list', [])).toHaveLength(1);
  await crew.run('release', ['r']);
  expect(await crew.run('list', [])).toEqual([]);
  await crew.run('end', []);
  await crew.stop();
});
