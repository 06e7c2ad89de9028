/** An applet names phones of the house for a call that found no way. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Permissions } from '#shared/protocol/applet-manifest.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { callFunction, RING_MOST } from './functions.ts';
import { AppletStorage } from './storage.ts';

let virtual: VirtualWorld;
beforeEach(() => {
  virtual = new VirtualWorld({ seed: 1 });
});
afterEach(() => virtual[Symbol.dispose]());

const all: Permissions = { 'call.events': {}, 'call.control': { numbers: ['+1555*'], concurrent: 1 } };
const many = (n: number) => Array.from({ length: n }, (_none, i) => `+15550100${100 + i}`);

it.each<[string, Permissions, string[], boolean, string | undefined]>([
  ['rings numbers that it may call', all, ['+15550100001'], true, undefined],
  ['as many as there may be', all, many(RING_MOST), true, undefined],
  ['not one more', all, many(RING_MOST + 1), true, 'bad_request'],
  ['nobody', all, [], true, 'bad_request'],
  ['another number', all, ['+15550100001', '+4930123456'], true, 'not_permitted'],
  ['without hearing of calls', { 'call.control': { numbers: ['*'], concurrent: 1 } }, ['+1555'], true, 'not_permitted'],
  ['without calling', { 'call.events': {} }, ['+1555'], true, 'not_permitted'],
  ['a call that does not wait', all, ['+15550100001'], false, 'conflict'],
])('%s', async (_name, permissions, numbers, waits, refused) => {
  const world = virtual.host('gateway', ['192.168.1.1']);
  const rung: (readonly string[])[] = [];
  const ring = (_call: string, asked: readonly string[]) => (waits ? rung.push(asked) > 0 : false);
  const storage = await virtual.settle(AppletStorage.open(world.disk, '/x.json'));
  const applet = { install: 'ins_1', version: '1.0.0', permissions, storage, sessions: new Set<string>(), sent: [] };
  const side = { world, agent: () => undefined, devices: () => [], ring };
  const outcome = await callFunction(side, { ...applet, wind: () => undefined }, 'house.ring', { call: 'c1', numbers });
  expect(outcome.ok ? undefined : outcome.fault.code).toBe(refused);
  expect(rung).toEqual(refused === undefined ? [numbers] : []);
});
