/** The stage on the virtual world: one thread, virtual time, a trace hash over every packet and journal row. */
import { createApp } from '#cloud/application-server/open-api/adapter-fastify.ts';
import type { FarmControl } from '#cloud/application-server/open-api/farm.ts';
import type { Part } from '#cloud/bus/part.ts';
import { threadEngine } from '#cloud/farm/media/server.ts';
import type { Cloud } from '#cloud/main.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import { type Ground, Stage } from './stage.ts';
import { type VirtualOptions, VirtualWorld } from './world.ts';

const CLOUD = '10.0.0.1';
type App = Awaited<ReturnType<typeof createApp>>;

export interface VirtualStage {
  readonly stage: Stage;
  readonly world: VirtualWorld;
}

/** Opens a stage on a new virtual world of this seed. */
export async function virtualStage(options: VirtualOptions): Promise<VirtualStage> {
  const world = new VirtualWorld(options);
  let hosts = 0;
  const addresses = new Map<string, string>([['cloud', CLOUD]]);
  const apps = new Map<Store, App>();
  // The database of the one cloud; it outlives a restart of the cloud as a file would.
  let store: Store | undefined;

  const ground: Ground = {
    host(name) {
      const address = addresses.get(name) ?? `10.1.${hosts >> 8}.${(hosts++ & 255) + 1}`;
      addresses.set(name, address);
      return { world: world.host(name, [address]), address };
    },
    async cloud() {
      store ??= traced(openLocalStore(':memory:'), world);
      const kept = store;
      return {
        settings: {
          data: '/data',
          http: { host: CLOUD, port: 8080 },
          https: { host: CLOUD, port: 8443 },
          mqtt: { host: CLOUD, port: 8883 },
          sip: { host: CLOUD, port: 5060 },
          sips: { host: CLOUD, port: 5061 },
          media: { host: CLOUD, low: 20_000, high: 29_999 },
        },
        pieces: {
          store: { ...kept, close: async () => {} },
          engineFor: threadEngine,
          openApi: (farm) => openApi(world, farm, (app) => apps.set(kept, app)),
        },
      };
    },
    folder: (name) => `/state/${name}`,
    engine: async (host) => localEngine(host, { low: 20_000, high: 29_999 }),
    url: (cloud) => `https://${CLOUD}:8443#sha256-${cloud.config.authority.keyHash}`,
    pass: (ms) => world.run(ms),
    until: async (condition, limit, what) => {
      const end = world.now + limit;
      while (!(await world.settle(Promise.resolve(condition())))) {
        if (world.now >= end) throw new Error(`${what}: not within ${limit} ms of virtual time (seed ${options.seed})`);
        await world.run(50);
      }
    },
    settle: (promise) => world.settle(promise),
    async request(cloud: Cloud, method, path, body) {
      const app = apps.get(store as Store);
      if (app === undefined) throw new Error('the open API has not started');
      const reply = await app.inject({
        method: method as 'GET',
        url: path,
        headers: {
          host: `${CLOUD}:8443`,
          authorization: `Bearer ${cloud.operatorToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { payload: JSON.stringify(body) }),
      });
      return { status: reply.statusCode, body: reply.body === '' ? {} : (JSON.parse(reply.body) as unknown) };
    },
    close: async () => {
      await store?.close();
      world[Symbol.dispose]();
    },
  };
  return { stage: await Stage.open(ground), world };
}

/** The open API inside the process, answering for the cloud's HTTPS address on the virtual network. */
function openApi(world: VirtualWorld, farm: FarmControl, made: (app: App) => void): Part {
  return {
    name: 'application-server',
    async start(context) {
      const app = await createApp(context, farm);
      await app.ready();
      made(app);
      context.config.bound.https = `https://${CLOUD}:8443`;
      const leave = world.serveHttp('cloud', `${CLOUD}:8443`, async (request) => {
        const reply = await app.inject({
          method: request.method,
          url: request.path,
          headers: { host: `${CLOUD}:8443`, ...request.headers },
          ...(request.body === undefined ? {} : { payload: request.body }),
        });
        const headers = Object.fromEntries(Object.entries(reply.headers).map(([name, value]) => [name, String(value)]));
        return { status: reply.statusCode, headers, body: reply.body };
      });
      return {
        health: () => ({ state: 'running', load: 0, legs: 0 }),
        stop: async () => {
          leave();
          await app.close();
        },
      };
    },
  };
}

/** A store whose every commit is part of the trace. */
function traced(store: Store, world: VirtualWorld): Store {
  return {
    commit: async (statements) => {
      const result = await store.commit(statements);
      if (result.ok) world.trace('commit', JSON.stringify(statements));
      return result;
    },
    all: (sql, params) => store.all(sql, params),
    one: (sql, params) => store.one(sql, params),
    close: () => store.close(),
  };
}
