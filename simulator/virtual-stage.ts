/** The stage on the virtual world: one thread, virtual time, a trace hash over every packet and journal row. */
import { createApp } from '#cloud/application-server/open-api/adapter-fastify.ts';
import type { FarmControl } from '#cloud/application-server/open-api/farm.ts';
import { loadCredentials } from '#cloud/authority.ts';
import type { Part } from '#cloud/bus/part.ts';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { type Cloud, startCloud } from '#cloud/main.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import type { Store } from '#cloud/store/store.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { MediaEngine } from '#shared/media-engine/engine.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import type { Ground, Prepare } from './ground.ts';
import { mortal, mortalEngine } from './mortal.ts';
import { Stage } from './stage.ts';
import { tracked } from './tracked.ts';
import { type VirtualOptions, VirtualWorld } from './world.ts';

const CLOUD = '10.0.0.1';
const DATA = '/data';
type App = Awaited<ReturnType<typeof createApp>>;

export interface VirtualStage {
  readonly stage: Stage;
  readonly world: VirtualWorld;
}

/** Opens a stage on a new virtual world of this seed. Each call of the stage moves time itself, so only one may run at a time. */
export async function virtualStage(options: VirtualOptions, prepare?: Prepare): Promise<VirtualStage> {
  const { ground, world } = virtualGround(options, prepare);
  return { stage: await Stage.open(ground), world };
}

/**
 * The same ground for a program that does many things at once: its calls only wait, and whoever started the program moves
 * time (`world.settle`).
 */
export function drivenGround(
  options: VirtualOptions,
  prepare?: Prepare,
): { readonly ground: Ground; readonly world: VirtualWorld } {
  const { ground, world } = virtualGround(options, prepare);
  const pass = (ms: number) => sleep(ground.clock, ms);
  return {
    world,
    ground: {
      ...ground,
      pass,
      async until(condition, limit, what) {
        const end = world.now + limit;
        while (!(await condition())) {
          if (world.now >= end) throw new Error(`${what}: not within ${limit} ms`);
          await pass(20);
        }
      },
      settle: (promise) => promise,
    },
  };
}

function virtualGround(
  options: VirtualOptions,
  prepare?: Prepare,
): { readonly ground: Ground; readonly world: VirtualWorld } {
  const world = new VirtualWorld(options);
  const address = addresses();
  const host = (name: string, beside?: string) => {
    const own = address(name, beside);
    return { world: world.host(name, [own]), address: own, cut: () => world.network.drop(name, true) };
  };
  const cloud = new VirtualCloud(world, prepare);
  const ground: Ground = {
    clock: host('stage').world.clock,
    host,
    start: () => cloud.start(),
    stop: (running) => running.stop(),
    kill: async () => cloud.kill(),
    folder: (name) => `/state/${name}`,
    engine: async (at) => localEngine(at, { low: 20_000, high: 29_999 }),
    url: (running) => `https://${CLOUD}:8443#sha256-${running.config.authority.keyHash}`,
    sip: (running) => running.config.bound.sipUdp ?? { host: '', port: 0 },
    authority: async (running) => running.config.authority,
    names: () => [CLOUD],
    mqtt: () => ({ host: CLOUD, port: 8883 }),
    memory: () => undefined,
    isWan: (to) => to.host === CLOUD,
    pass: (ms) => world.run(ms),
    until: async (condition, limit, what) => {
      const end = world.now + limit;
      while (!(await world.settle(Promise.resolve(condition())))) {
        if (world.now >= end) throw new Error(`${what}: not within ${limit} ms of virtual time (seed ${options.seed})`);
        await world.run(50);
      }
    },
    settle: (promise) => world.settle(promise),
    request: (running, method, path, body) => cloud.request(running, method, path, body),
    close: async () => {
      await cloud.close();
      world[Symbol.dispose]();
    },
  };
  return { ground, world };
}

/** Gives every host its address: each home a LAN of its own (24 bits), its gateway the first address in it. */
function addresses(): (name: string, beside?: string) => string {
  const lans = new Map<string, { readonly lan: string; next: number }>([['cloud', { lan: '10.0.0', next: 2 }]]);
  const known = new Map<string, string>([['cloud', CLOUD]]);
  return (name, beside) => {
    const given = known.get(name);
    if (given !== undefined) return given;
    const n = lans.size - 1;
    const lan = lans.get(beside ?? '') ?? { lan: `10.${1 + (n >> 8)}.${n & 255}`, next: 1 };
    if (!lans.has(beside ?? '')) lans.set(name, lan);
    const address = `${lan.lan}.${lan.next++}`;
    known.set(name, address);
    return address;
  };
}

/** The one cloud of a virtual world: its store and its media engine outlive it, as files and a process of their own would. */
class VirtualCloud {
  readonly #world: VirtualWorld;
  #store: Store | undefined;
  #engine: MediaEngine | undefined;
  #app: App | undefined;
  #kill: (() => void) | undefined;
  #prepare: Prepare | undefined;

  constructor(world: VirtualWorld, prepare: Prepare | undefined) {
    this.#world = world;
    this.#prepare = prepare;
  }

  async start(): Promise<Cloud> {
    this.#store ??= traced(openLocalStore(':memory:'), this.#world);
    const host = this.#world.host('cloud', [CLOUD]);
    const prepare = this.#prepare;
    this.#prepare = undefined;
    await prepare?.(host, this.#store, (await loadCredentials(host, DATA, [])).authority);
    const wires = tracked(host);
    const { world, kill } = mortal(wires.world, () => wires.close());
    let alive = true;
    let leave = () => {};
    this.#kill = () => {
      alive = false;
      leave();
      kill();
    };
    const living = () => alive;
    const settings = {
      data: DATA,
      http: { host: CLOUD, port: 8080 },
      https: { host: CLOUD, port: 8443 },
      mqtt: { host: CLOUD, port: 8883 },
      sip: { host: CLOUD, port: 5060 },
      sips: { host: CLOUD, port: 5061 },
      media: { host: CLOUD, low: 20_000, high: 29_999 },
    };
    return startCloud(world, settings, {
      store: mortalStore(this.#store, living),
      engineFor: async (context) => {
        this.#engine ??= await threadEngine({ ...context, world: host });
        return mortalEngine(this.#engine, living);
      },
      openApi: (farm) =>
        openApi(this.#world, farm, (app, left) => {
          this.#app = app;
          leave = left;
        }),
    });
  }

  kill(): void {
    this.#kill?.();
  }

  async request(cloud: Cloud, method: string, path: string, body: unknown) {
    if (this.#app === undefined) throw new Error('the open API has not started');
    const reply = await this.#app.inject({
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
  }

  async close(): Promise<void> {
    await this.#store?.close();
  }
}

/** The store as one start of the cloud has it: its end leaves the file alone, and after its death it changes nothing. */
function mortalStore(store: Store, living: () => boolean): Store {
  const never = <T>() => new Promise<T>(() => {});
  return {
    commit: (statements) => (living() ? store.commit(statements) : never()),
    all: (sql, params) => store.all(sql, params),
    one: (sql, params) => store.one(sql, params),
    close: async () => {},
  };
}

/** The open API inside the process, answering for the cloud's HTTPS address on the virtual network. */
function openApi(world: VirtualWorld, farm: FarmControl, made: (app: App, leave: () => void) => void): Part {
  return {
    name: 'application-server',
    async start(context) {
      const app = await createApp(context, farm);
      await app.ready();
      context.config.bound.https = `https://${CLOUD}:8443`;
      const leave = world.serveHttp('cloud', `${CLOUD}:8443`, async (request) => {
        const reply = await app.inject({
          method: request.method,
          url: request.path,
          headers: { host: `${CLOUD}:8443`, ...request.headers },
          ...(request.body === undefined ? {} : { payload: request.body }),
        });
        const headers = Object.fromEntries(Object.entries(reply.headers).map(([name, value]) => [name, String(value)]));
        return request.octets === true
          ? { status: reply.statusCode, headers, body: '', octets: Uint8Array.from(reply.rawPayload) }
          : { status: reply.statusCode, headers, body: reply.body };
      });
      made(app, leave);
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
