/** Looking for another connection for calls by a trunk: it tries again, and ends with its process. */
import { expect, test } from 'vitest';
import { CALLER } from '#shared/call/call.ts';
import type { CallHandle, Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { type Live, newLive } from '../live.ts';
import { BACK_LIMIT, Carried, type CarriedOptions } from './carried.ts';

const flow = (id: string): Flow =>
  ({ id, protocol: 'tls', remote: { host: '10.0.0.9', port: 5061 }, local: { host: '10.0.0.1', port: 5061 } }) as Flow;

/** A call by each of these trunks, all on a connection that is lost. */
function rig(
  trunks: readonly string[],
  waysTo: CarriedOptions['waysTo'],
  { backTo = () => undefined, wayBack = async () => [] }: Partial<CarriedOptions & CarriedOptions['endpoint']> = {},
) {
  const world = new VirtualWorld({ seed: 1 });
  const { clock } = world.host('cloud', ['10.0.0.1']);
  const flows = new Map<CallHandle, Flow>();
  const lives = trunks.map((cameBy, n): Live => {
    const shape = { caller: { number: '+1' }, direct: true, open: false, dialled: '+2', callId: 'x', startedAt: 0 };
    const live = { ...newLive({ ...shape, id: `chn_${n}` }), cameBy };
    const handle = n as unknown as CallHandle;
    live.handles.set(CALLER, handle);
    flows.set(handle, flow('old'));
    return live;
  });
  const endpoint: CarriedOptions['endpoint'] = {
    flowOf: (handle) => flows.get(handle),
    backTo,
    moveCall: (handle, to) => flows.set(handle, to).has(handle),
  };
  const calls = { all: () => lives.values() } as CarriedOptions['calls'];
  const carried = new Carried({ calls, endpoint, clock, isTrunk: () => true, waysTo, wayBack });
  return { world, carried, now: () => [...flows.values()].map(({ id }) => id) };
}

test('what found no way is tried again, and moved once there is one', async () => {
  let found: { flow: Flow }[] = [];
  const { world, carried, now } = rig(['trk_1'], () => Promise.resolve(found));
  carried.lost(flow('old'));
  await world.run(10);
  expect(now()).toEqual(['old']);
  found = [{ flow: flow('new') }];
  await world.run(6_000);
  expect(now()).toEqual(['new']);
});

test('a trunk that takes long to say that it cannot be reached keeps no other’s calls waiting', async () => {
  const asked: string[] = [];
  const { world, carried, now } = rig(['trk_dead', 'trk_1', 'trk_2'], (trunk) => {
    asked.push(trunk);
    if (trunk === 'trk_dead') return new Promise(() => {});
    return Promise.resolve(trunk === 'trk_1' || asked.length > 3 ? [{ flow: flow('new') }] : []);
  });
  carried.lost(flow('old'));
  await world.run(10);
  expect(now()).toEqual(['old', 'new', 'old']);
  await world.run(6_000);
  expect(now()).toEqual(['old', 'new', 'new']);
  expect(asked).toEqual(['trk_dead', 'trk_1', 'trk_2', 'trk_2']);
});

test('nobody is looked for once it has stopped, even where a search was under way', async () => {
  let asked = 0;
  const waiting = Promise.withResolvers<[]>();
  const { world, carried } = rig(['trk_1'], () => {
    asked++;
    return waiting.promise;
  });
  carried.lost(flow('old'));
  carried.stop();
  waiting.resolve([]);
  await world.run(60_000);
  expect(asked).toBe(1);
});

test(`of more than ${BACK_LIMIT} addresses to which responses are wanted, the rest go to the trunk’s servers`, async () => {
  const trunks = Array.from({ length: BACK_LIMIT + 2 }, () => 'trk_1');
  const { world, carried, now } = rig(trunks, async () => [{ flow: flow('server') }], {
    backTo: (handle) => ({ host: '10.0.0.9', port: 6_000 + Number(handle) }),
    wayBack: async (_trunk, { port }) => [{ flow: flow(`at${port}`) }],
  });
  carried.lost(flow('old'));
  await world.run(10);
  const asked = Array.from({ length: BACK_LIMIT }, (_, n) => `at${6_000 + n}`);
  expect(now()).toEqual([...asked, 'server', 'server']);
});

test('an address that two calls name is connected to once, and one that cannot be reached makes way for the servers', async () => {
  const asked: number[] = [];
  const { world, carried, now } = rig(['trk_1', 'trk_1', 'trk_1'], async () => [{ flow: flow('server') }], {
    backTo: (handle) => ({ host: '10.0.0.9', port: Number(handle) < 2 ? 5_060 : 5_070 }),
    wayBack: async (_trunk, { port }) => {
      asked.push(port);
      return port === 5_070 ? [] : [{ flow: flow('back') }];
    },
  });
  carried.lost(flow('old'));
  await world.run(10);
  expect([asked, now()]).toEqual([
    [5_060, 5_070],
    ['back', 'back', 'server'],
  ]);
});
