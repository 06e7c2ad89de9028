/** The stage on the real world: one process, sockets on loopback, a store on disk, real time. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { threadEngine } from '#cloud/farm/media/server.ts';
import { openStore } from '#cloud/store/server.ts';
import { hostWorld } from '#shared/host/world.ts';
import { localEngine } from '#shared/media-engine/local.ts';
import { type Ground, Stage } from './stage.ts';

const HOST = '127.0.0.1';

/** Opens a stage in a new temporary folder; every port is any free one. */
export async function realStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-stage-'));
  const data = join(folder, 'cloud');
  const world = hostWorld({ level: 'error' });
  let low = 20_000 + 200 * Math.floor(Math.random() * 20);
  const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const ground: Ground = {
    host: () => ({ world, address: HOST }),
    async cloud() {
      const at = { host: HOST, port: 0 };
      const settings = {
        data,
        http: at,
        mqtt: at,
        sip: at,
        sips: at,
        media: { host: HOST, low: 24_000, high: 24_999 },
      };
      return { settings, pieces: { engineFor: threadEngine, store: await openStore(join(data, 'hearthline.db')) } };
    },
    folder: (name) => join(folder, name),
    engine: async (host) => {
      low += 400;
      return localEngine(host, { low, high: low + 399 });
    },
    url: (cloud) => cloud.config.bound.http ?? '',
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
