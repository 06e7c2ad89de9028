/** The stage on the real world: one process, sockets on loopback, a store on disk, real time. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { startCloud } from '#cloud/main.ts';
import { openStore } from '#cloud/store/server.ts';
import { hostWorld } from '#shared/host/world.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import type { Ground } from './ground.ts';
import { Stage } from './stage.ts';
import { tracked } from './tracked.ts';

const HOST = '127.0.0.1';
const CLOUD_MEDIA = { low: 24_000, high: 24_999 } as const;

/** Opens a stage in a new temporary folder; every port is any free one. */
export async function realStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-stage-'));
  const data = join(folder, 'cloud');
  const world = hostWorld({ level: 'error' });
  let low = 20_000 + 200 * Math.floor(Math.random() * 20);
  const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  /** Where gateways reach the cloud. */
  let doors: readonly (number | undefined)[] = [];
  const ground: Ground = {
    clock: world.clock,
    host() {
      const wires = tracked(world);
      return { world: wires.world, address: HOST, cut: () => wires.close() };
    },
    async start() {
      const at = { host: HOST, port: 0 };
      const settings = { data, http: at, mqtt: at, sip: at, sips: at, media: { host: HOST, ...CLOUD_MEDIA } };
      const store = await openStore(join(data, 'hearthline.db'));
      const cloud = await startCloud(world, settings, { engineFor: threadEngine, store });
      doors = [cloud.config.bound.mqtt?.port, cloud.config.bound.sips?.port];
      return cloud;
    },
    stop: (cloud) => cloud.stop(),
    kill: () => Promise.reject(new Error('a cloud in this process cannot be killed')),
    authority: async (cloud) => cloud.config.authority,
    names: () => [HOST],
    mqtt: (cloud) => cloud.config.bound.mqtt ?? { host: '', port: 0 },
    memory: () => undefined,
    isWan: ({ port }) => doors.includes(port) || (port >= CLOUD_MEDIA.low && port <= CLOUD_MEDIA.high),
    folder: (name) => join(folder, name),
    engine: async (host) => {
      low += 400;
      return localEngine(host, { low, high: low + 399 });
    },
    url: (cloud) => cloud.config.bound.http ?? '',
    sip: (cloud) => cloud.config.bound.sipUdp ?? { host: '', port: 0 },
    pass,
    async until(condition, limit, what) {
      for (const end = Date.now() + limit; Date.now() < end; await pass(20)) if (await condition()) return;
      throw new Error(`${what}: not within ${limit} ms`);
    },
    settle: (promise) => promise,
    async request(cloud, method, path, body) {
      const reply = await world.http.request({
        method: method as 'GET',
        url: `${cloud.config.bound.http}${path}`,
        headers: {
          authorization: `Bearer ${cloud.operatorToken}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      return { status: reply.status, body: reply.body === '' ? {} : (JSON.parse(reply.body) as unknown) };
    },
    close: async () => rmSync(folder, { recursive: true, force: true }),
  };
  mkdirSync(data, { recursive: true });
  return Stage.open(ground);
}
