import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';
import type { Binding } from '#shared/sip/registrar.ts';
import type { Flow } from '#shared/sip/types.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { BindingStore } from './bindings.ts';

const SECONDS = 600;

let virtual: VirtualWorld;
let world: World;
let store: Store;
let kept: BindingStore;

beforeEach(() => {
  virtual = new VirtualWorld({ seed: 1 });
  world = virtual.host('cloud', ['10.0.0.1']);
  store = openLocalStore(':memory:');
  kept = new BindingStore(store, world.clock, world.log);
});
afterEach(() => virtual[Symbol.dispose]());

const flowOf = (port: number): Flow => ({
  id: `udp0:10.0.0.9:${port}`,
  protocol: 'udp',
  local: { host: '10.0.0.1', port: 5060 },
  remote: { host: '10.0.0.9', port },
  peer: { kind: 'none' },
});

/** A phone registers now; what stands in the store then. */
async function registers(uri: string, port = 5060, params: [string, string][] = []): Promise<number | undefined> {
  const flow = flowOf(port);
  const binding: Binding = {
    ...{ uri, params: new Map(params), callId: 'a', cseq: virtual.now, flow: flow.id, path: [] },
    expiresAt: world.clock.mono() + SECONDS * 1000,
  };
  await kept.keep('line_1', [{ binding, flow }]);
  return stands(uri);
}

/** Seconds of the store's binding of that contact, counted from the beginning. */
async function stands(uri: string): Promise<number | undefined> {
  await kept.flush();
  const rows = await kept.load();
  const one = rows.find(({ binding }) => binding.uri === uri);
  return one === undefined ? undefined : Math.round(one.binding.expiresAt / 1000);
}

describe('registrations over UDP', () => {
  it('are written at once, and a refresh when a third of what is written has passed', async () => {
    expect(await registers('sip:a@10.0.0.9')).toBe(600);
    await virtual.run(199_000);
    expect(await registers('sip:a@10.0.0.9')).toBe(600);
    await virtual.run(2_000);
    expect(await registers('sip:a@10.0.0.9')).toBe(801);
  });

  it('are known after a restart until the next refresh of a phone that refreshes at half its time', async () => {
    await registers('sip:a@10.0.0.9');
    // Its requests take their time, one more than the other.
    await virtual.run(299_990);
    await registers('sip:a@10.0.0.9');
    await virtual.run(300_030);
    expect((await kept.load()).map(({ binding }) => binding.uri)).toEqual(['sip:a@10.0.0.9']);
  });

  it('are said to be kept once they are, each with its group, and where the disk is full once that is known', async () => {
    const commit = store.commit.bind(store);
    const disk = [Promise.withResolvers<boolean>(), Promise.withResolvers<boolean>()];
    const [first, second] = disk;
    store.commit = async (statements) => {
      if ((await disk.shift()?.promise) === false) throw new Error('disk full');
      return commit(statements);
    };
    const told: string[] = [];
    const bound = (uri: string) => {
      const flow = flowOf(5060);
      const expiresAt = world.clock.mono() + SECONDS * 1000;
      return [{ binding: { uri, params: new Map(), callId: 'a', cseq: 1, flow: flow.id, path: [], expiresAt }, flow }];
    };
    const keep = (line: string) => void kept.keep(line, bound(`sip:${line}@10.0.0.9`))?.then(() => told.push(line));
    keep('full');
    keep('b');
    await virtual.run(1);
    expect(told).toEqual([]);
    first?.resolve(false);
    await virtual.run(1);
    expect(told).toEqual(['full']);
    keep('full');
    second?.resolve(true);
    await virtual.run(1);
    expect(told.toSorted()).toEqual(['b', 'full', 'full']);
    expect((await kept.load()).map(({ line }) => line)).toEqual(['b', 'full']);
    expect(kept.keep('b', bound('sip:b@10.0.0.9'))).toBeUndefined();
  });

  it('are written at once where the phone has moved, or says something else of itself', async () => {
    await registers('sip:a@10.0.0.9');
    await virtual.run(1000);
    expect(await registers('sip:a@10.0.0.9', 5070)).toBe(601);
    expect((await kept.load())[0]?.flow.remote.port).toBe(5070);
    await virtual.run(1000);
    expect(await registers('sip:b@10.0.0.9', 5070)).toBe(602);
    await virtual.run(1000);
    expect(await registers('sip:b@10.0.0.9', 5070, [['+sip.instance', '"<urn:x>"']])).toBe(603);
    expect(await stands('sip:a@10.0.0.9')).toBe(undefined);
  });

  it('that end are gone, and come again like new ones', async () => {
    await registers('sip:a@10.0.0.9');
    await kept.keep('line_1', []);
    expect(await stands('sip:a@10.0.0.9')).toBe(undefined);
    expect(await registers('sip:a@10.0.0.9')).toBe(600);
  });
});
