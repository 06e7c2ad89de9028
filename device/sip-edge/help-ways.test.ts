import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '#shared/kernel/world.ts';
import type { Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { WaysOfHelp } from './help-ways.ts';

const flow = (id: string) => ({ id }) as unknown as Flow;
const NONE = Promise.resolve(undefined);

let world: VirtualWorld;
let clock: Clock;
beforeEach(() => {
  world = new VirtualWorld({ seed: 1 });
  ({ clock } = world.host('house', ['10.0.0.1']));
});
afterEach(() => world[Symbol.dispose]());

/** A way that opens, or turns out to be dead, after so many ms. */
function openIn(ms: number, found: Flow | undefined): Promise<Flow | undefined> {
  return new Promise((resolve) => {
    clock.at(clock.mono() + ms, () => resolve(found));
  });
}

/** The branches in the order in which they are tried, each with the milliseconds after which it is known. */
async function order(cloud: Flow | undefined, fallback: Promise<Flow | undefined>, modem: Promise<Flow | undefined>) {
  const begun = clock.mono();
  const ways = new WaysOfHelp(clock, '112', { cloud, fallback, modem });
  const found: string[] = [];
  for (;;) {
    const next = await world.settle(ways.next());
    if (next === undefined) return found;
    expect([next.branches.length, next.oneByOne?.tryFor]).toEqual([1, 2_500]);
    found.push(`${next.branches[0]?.branch} ${Math.round(clock.mono() - begun)}`);
  }
}

describe('ways to those who help', () => {
  it('are tried from the best to the last', async () => {
    const all = await order(flow('c'), Promise.resolve(flow('f')), Promise.resolve(flow('m')));
    expect(all).toEqual(['cloud 0', 'fallback 0', 'modem 0']);
    expect(await order(undefined, NONE, NONE)).toEqual([]);
    expect(await order(flow('c'), NONE, NONE)).toEqual(['cloud 0']);
  });

  it('a better one that opens soon is waited for', async () => {
    expect(await order(undefined, openIn(399, flow('f')), openIn(5, flow('m')))).toEqual(['fallback 399', 'modem 399']);
  });

  it('a better one that is slow comes after, and a dead one not at all', async () => {
    expect(await order(undefined, openIn(900, flow('f')), openIn(5, flow('m')))).toEqual(['modem 400', 'fallback 900']);
    expect(await order(undefined, openIn(2_500, undefined), openIn(5, flow('m')))).toEqual(['modem 400']);
    expect(await order(flow('c'), openIn(2_500, undefined), openIn(5, flow('m')))).toEqual(['cloud 0', 'modem 400']);
  });

  it('one that is known to be dead is waited for no longer', async () => {
    expect(await order(undefined, openIn(50, undefined), openIn(5, flow('m')))).toEqual(['modem 50']);
  });
});
