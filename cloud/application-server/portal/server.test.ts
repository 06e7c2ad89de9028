import fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { createBus } from '#cloud/bus/in-process.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { utf8 } from '#shared/kernel/bytes.ts';
import { VirtualWorld } from '#simulator/world.ts';
import { addPortal } from './server.ts';

async function portal(files: Readonly<Record<string, string>>, built = true) {
  using virtual = new VirtualWorld({ seed: 1 });
  const world = virtual.host('cloud', ['10.0.0.1']);
  for (const [name, text] of Object.entries(files)) await world.disk.write(`/portal/${name}`, utf8(text));
  const address = { host: '10.0.0.1', port: 0 };
  const config = {
    data: '/data',
    http: address,
    mqtt: address,
    sip: address,
    sips: address,
    media: { host: '10.0.0.1', low: 0, high: 0 },
    publicHost: '10.0.0.1',
    domain: 'hearthline',
    authority: { certificate: '', key: '', keyHash: '' },
    server: { certificate: '', key: '' },
    bound: {},
    ...(built ? { portal: '/portal' } : {}),
  };
  const context: PartContext = { world, bus: createBus(world), store: openLocalStore(':memory:'), config };
  const app = fastify();
  await virtual.settle(addPortal(app, context));
  return app;
}

const build = {
  'index.html': '<title>Hearthline</title>',
  'icon.svg': '<svg/>',
  'manifest.webmanifest': '{}',
  'assets/index-abc.js': 'let a;',
  'assets/index-abc.js.map': '{}',
  'secret.key': 'no',
};

describe('the portal', () => {
  test('the page for every path of the app, checked again each time', async () => {
    const app = await portal(build);
    for (const url of ['/', '/pair', '/homes/home_1', '/sessions', '/records', '/farm']) {
      const got = await app.inject({ url });
      expect([url, got.statusCode, got.body]).toEqual([url, 200, build['index.html']]);
      expect(got.headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
    }
  });

  test('files whose name carries their hash stay for ever; an unchanged one costs no body', async () => {
    const app = await portal(build);
    const got = await app.inject({ url: '/assets/index-abc.js' });
    expect(got.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    const again = await app.inject({
      url: '/',
      headers: { 'if-none-match': String((await app.inject({ url: '/' })).headers.etag) },
    });
    expect([again.statusCode, again.body]).toEqual([304, '']);
  });

  test('packed for those that take it', async () => {
    const app = await portal(build);
    const got = await app.inject({ url: '/assets/index-abc.js', headers: { 'accept-encoding': 'br, gzip' } });
    expect(got.headers['content-encoding']).toBe('gzip');
    const plain = await app.inject({ url: '/assets/index-abc.js' });
    expect([plain.headers['content-encoding'], plain.body]).toEqual([undefined, 'let a;']);
  });

  test.each([
    '/secret.key',
    '/assets/index-abc.js.map',
    '/assets/../secret.key',
    '/..%2f..%2fetc%2fpasswd',
    '/assets',
    '/nothing.js',
  ])('nothing else: %s', async (url) => {
    const app = await portal(build);
    expect((await app.inject({ url })).statusCode).toBe(404);
  });

  test('not built: says how', async () => {
    for (const app of [await portal({}), await portal({}, false)]) {
      const got = await app.inject({ url: '/' });
      expect([got.statusCode, got.headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
      expect(got.body).toContain('npm run prepare');
    }
  });
});
