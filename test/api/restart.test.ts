import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createApp } from '#cloud/application-server/open-api/adapter-fastify.ts';
import { ensureOperatorToken } from '#cloud/application-server/open-api/credentials.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import { oamp } from '#cloud/farm/oamp/server.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { VirtualWorld } from '#simulator/world.ts';

const address = { host: '10.0.0.1', port: 0 };
const config = {
  ...{ data: '/data', http: address, mqtt: address, sip: address, sips: address },
  media: { host: '10.0.0.1', low: 0, high: 0 },
  publicHost: '10.0.0.1',
  domain: 'hearthline',
  authority: { certificate: '', key: '', keyHash: '' },
  server: { certificate: '', key: '' },
};

test('a new process on the same data gives a repeated key the first reply, and knows tokens and sign-ins', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearthline-restart-'));
  using virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('cloud', ['10.0.0.1']);

  /** One life of the process: sends the same requests, then stops. */
  async function life(cookie?: string) {
    const context = {
      world,
      bus: createBus(world),
      store: openLocalStore(join(folder, 'db')),
      config: { ...config, bound: {} },
    };
    await ensureOperatorToken(context.store, world, 'op');
    const part = await oamp.start(context);
    const app = await createApp(context, {
      list: () => [],
      stop: () => Promise.reject(),
      start: () => Promise.reject(),
    });
    const headers = { authorization: 'Bearer op', 'idempotency-key': 'k' };
    const made = await app.inject({ method: 'POST', url: '/v1/homes', headers, payload: { name: 'Elm' } });
    const homes = await app.inject({ url: '/v1/homes', headers: { authorization: 'Bearer op' } });
    const self = cookie === undefined ? undefined : await app.inject({ url: '/v1/self', headers: { cookie } });
    const signedIn = await app.inject({ method: 'POST', url: '/v1/sign-in', payload: { token: 'op' } });
    await app.close();
    await part.stop();
    await context.store.close();
    const next = String(signedIn.headers['set-cookie']).split(';')[0];
    return { made, homes: homes.json<{ items: unknown[] }>().items.length, self: self?.statusCode, cookie: next };
  }

  try {
    const first = await virtual.settle(life());
    const second = await virtual.settle(life(first.cookie));
    expect(first.made.statusCode).toBe(201);
    expect([second.made.statusCode, second.made.body]).toEqual([201, first.made.body]);
    expect(second.made.headers['idempotency-replayed']).toBe('true');
    expect([first.homes, second.homes, second.self]).toEqual([1, 1, 200]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
