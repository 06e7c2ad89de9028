/** What an applet can ask of its gateway, and how far. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ok } from '#shared/kernel/result.ts';
import type { Permissions } from '#shared/protocol/applet-manifest.ts';
import { VirtualWorld } from '#simulator/world.ts';
import type { Agent } from '../agent/agent.ts';
import type { DeviceFacts } from '../home-network/inventory.ts';
import { APPLET_TIMERS, type AppletScope, callFunction, type GatewaySide } from './functions.ts';
import { AppletStorage } from './storage.ts';

let virtual: VirtualWorld;
let side: GatewaySide;
let storage: AppletStorage;
let asked: [string, unknown][];
const door: DeviceFacts = {
  id: 'dev_1',
  name: 'Front door',
  kind: 'urn:x:Door:1',
  address: '192.168.1.20',
  found: 'ssdp',
  wakes: false,
  seenAt: 0,
};
const stranger: DeviceFacts = { ...door, id: 'dev_2', name: 'Elsewhere', address: '8.8.8.8' };
const all: Permissions = {
  'lan.http': { devices: ['*'], methods: ['GET', 'POST'], paths: ['/*'] },
  'lan.discover': { types: ['urn:x:*'] },
  'cloud.send': { perSecond: 2 },
  storage: { kb: 1 },
  timer: { minimum: 5000 },
};

beforeEach(async () => {
  virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('gateway', ['192.168.1.1']);
  virtual.host('door', ['192.168.1.20']);
  asked = [];
  const link = {
    report: async (verb: string, body: unknown) => {
      asked.push([verb, body]);
      return ok(undefined);
    },
    request: async (verb: string, body: unknown) => {
      asked.push([verb, body]);
      return ok({ id: `ses_${asked.length}`, state: 'created' });
    },
  } as unknown as Agent;
  side = { world, agent: () => link, devices: () => [door, stranger], ring: () => false };
  storage = await virtual.settle(AppletStorage.open(world.disk, '/x.json'));
});
afterEach(() => virtual[Symbol.dispose]());

const scope = (permissions: Permissions): AppletScope => ({
  install: 'ins_1',
  version: '1.0.0',
  permissions,
  storage,
  sessions: new Set(),
  sent: [],
  wind: () => undefined,
});

async function call(applet: AppletScope, name: string, input: unknown): Promise<unknown> {
  const outcome = await virtual.settle(callFunction(side, applet, name, input));
  return outcome.ok ? outcome.value : outcome.fault.code;
}

it('nothing is there without a permission, and nothing beyond the list with all of them', async () => {
  const inputs: [string, object][] = [
    ['storage.get', { name: 'x' }],
    ['storage.set', { name: 'x', value: 1 }],
    ['storage.remove', { name: 'x' }],
    ['storage.list', {}],
    ['timer.set', { name: 'x', at: 0 }],
    ['timer.cancel', { name: 'x' }],
    ['half.send', { body: 1 }],
    ['lan.devices', {}],
    ['lan.http', { device: 'Front door', method: 'POST', path: '/open' }],
    ['api', { verb: 'call.create', request: { from: '+15550001', to: '+15550002' } }],
    ['api', { verb: 'media.play', request: { to: 'line_1', item: 'rain' } }],
  ];
  for (const [name, input] of inputs)
    expect([name, await call(scope({}), name, input)]).toEqual([name, 'not_permitted']);
  for (const name of ['service.call', 'fs.read', 'constructor'])
    expect(await call(scope(all), name, {})).toBe('not_permitted');
  expect(asked).toEqual([]);
});

describe('appliances', () => {
  it('are reached by name on the LAN alone', async () => {
    virtual.serveHttp('door', '192.168.1.20:80', async ({ method, path }) => ({
      status: 200,
      headers: {},
      body: `${method} ${path}`,
    }));
    expect(await call(scope(all), 'lan.http', { device: 'Front door', method: 'POST', path: '/open' })).toEqual({
      status: 200,
      body: 'POST /open',
    });
    expect(await call(scope(all), 'lan.http', { device: 'Elsewhere', method: 'GET', path: '/x' })).toBe('not_found');
    expect(await call(scope(all), 'lan.http', { device: 'Nobody', method: 'GET', path: '/x' })).toBe('not_found');
    expect(await call(scope(all), 'lan.http', { device: 'Front door', method: 'GET', path: '/x', port: 9 })).toBe(
      'timeout',
    );
    expect(await call(scope(all), 'lan.http', { device: 'Front door', method: 'DELETE', path: '/x' })).toBe(
      'bad_request',
    );
  });
  it('are shown by type, without address', async () => {
    expect(await call(scope(all), 'lan.devices', {})).toEqual(
      [door, stranger].map(({ id, name, kind }) => ({ id, name, kind })),
    );
    expect(await call(scope({ 'lan.discover': { types: ['urn:y:*'] } }), 'lan.devices', {})).toEqual([]);
  });
});

it('keeps as much as it was granted, over a restart too', async () => {
  const applet = scope(all);
  expect(await call(applet, 'storage.set', { name: 'a', value: 'x'.repeat(900) })).toBeNull();
  expect(await call(applet, 'storage.set', { name: 'b', value: 'x'.repeat(200) })).toBe('limit_reached');
  const again = await virtual.settle(AppletStorage.open(side.world.disk, '/x.json'));
  expect([again.get('a'), again.get('b')]).toEqual(['x'.repeat(900), null]);
});

it(`sets ${APPLET_TIMERS} timers, none more often than granted`, async () => {
  const applet = scope({ ...all, storage: { kb: 64 } });
  for (let i = 0; i < APPLET_TIMERS; i++) expect(await call(applet, 'timer.set', { name: `t${i}`, at: 1 })).toBeNull();
  expect(await call(applet, 'timer.set', { name: 'more', at: 1 })).toBe('limit_reached');
  expect(await call(applet, 'timer.set', { name: 't0', at: 1, every: 4999 })).toBe('not_permitted');
});

it('talks to its cloud half at the granted rate, in short messages', async () => {
  const applet = scope(all);
  const say = (body: unknown) => call(applet, 'half.send', { body });
  expect([await say(1), await say(2), await say(3)]).toEqual([null, null, 'rate_limited']);
  await virtual.run(1001);
  expect(await say('x'.repeat(16_383))).toBe('too_large');
  expect(await say(4)).toBeNull();
  expect(asked.map(([verb]) => verb)).toEqual(['applet.message', 'applet.message', 'applet.message']);
});

it('has as many calls up as it was granted', async () => {
  const applet = scope({ 'call.control': { numbers: ['*'], concurrent: 1 } });
  const dial = () => call(applet, 'api', { verb: 'call.create', request: { from: '+15550001', to: '+15550002' } });
  expect(await dial()).toMatchObject({ id: 'ses_1' });
  expect(await dial()).toBe('not_permitted');
  await call(applet, 'api', { verb: 'session.end', request: { session: 'ses_1' } });
  expect(await dial()).toMatchObject({ state: 'created' });
});
