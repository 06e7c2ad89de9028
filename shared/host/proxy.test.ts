/** The real network by a real proxy of Node.js' own: what goes by it, and what happens when it will not. */
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTls } from 'node:https';
import { type AddressInfo, createServer as createTcp, connect as dial, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Address } from '#shared/kernel/world.ts';
import { hostCrypto } from './crypto.ts';
import { ANSWER_LIMIT, goesByProxy, readProxy } from './proxy.ts';
import { hostWorld } from './world.ts';

const own = Object.values(networkInterfaces())
  .flat()
  .find((one) => one?.family === 'IPv4' && !one.internal)?.address;

let authority: string;
let site: ReturnType<typeof createTls>;
let proxy: ReturnType<typeof createServer>;
let asked: string[];
let answer: (socket: Socket) => boolean;
const portOf = (server: { address(): AddressInfo | string | null }) => (server.address() as AddressInfo).port;
const listen = (server: typeof site | typeof proxy | ReturnType<typeof createTcp>, host: string) =>
  new Promise<void>((done) => void server.listen(0, host, () => done()));

beforeAll(async () => {
  const crypto = hostCrypto();
  const key = await crypto.createKey();
  const [notBefore, notAfter] = [Date.now() - 60_000, Date.now() + 3_600_000];
  const options = { subject: 'site', publicKey: key.publicKey, signer: key.privateKey, notBefore, notAfter };
  authority = await crypto.issue({ ...options, use: 'authority' });
  const names = own === undefined ? [] : [own];
  const cert = await crypto.issue({ ...options, subject: 'leaf', issuer: authority, use: 'server', names });
  site = createTls({ cert: `${cert}\n${authority}`, key: key.privateKey }, (_, reply) => reply.end('behind the proxy'));
  await listen(site, own ?? '127.0.0.1');
  proxy = createServer().on('connect', (request: IncomingMessage, socket: Socket) => {
    asked.push(request.url ?? '');
    socket.on('error', () => {});
    if (!answer(socket)) return;
    const [host = '', port = ''] = (request.url ?? '').split(':');
    const far = dial(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\nVia: 1.1 test\r\n\r\n');
      far.pipe(socket).pipe(far);
    });
    far.on('error', () => socket.destroy());
  });
  await listen(proxy, '127.0.0.1');
});
afterAll(() => {
  site.close();
  proxy.close();
});
beforeEach(() => {
  asked = [];
  answer = () => true;
});
const refusing = (how: (socket: Socket) => unknown) => (socket: Socket) => {
  how(socket);
  return false;
};
const by = (): Address => ({ host: '127.0.0.1', port: portOf(proxy) });
const target = () => `${own}:${portOf(site)}`;

describe.skipIf(own === undefined)('by a proxy', () => {
  test('https is fetched and a TLS stream opened; the certificate is checked as ever', async () => {
    const world = hostWorld({ level: 'error', proxy: by() });
    const get = (ca?: string) =>
      world.http.request({ method: 'GET', url: `https://${target()}/`, ...(ca === undefined ? {} : { ca }) });
    expect(await get(authority)).toMatchObject({ status: 200, body: 'behind the proxy' });
    await expect(get()).rejects.toMatchObject({ name: 'NetError' });
    const stream = await world.net.connect({ host: own ?? '', port: portOf(site), tls: { ca: authority } });
    expect(stream.secure).toBe(true);
    stream.destroy();
    expect(asked).toEqual([target(), target(), target()]);
  });

  test.each<[string, () => void, RegExp]>([
    [
      'refuses',
      () => {
        answer = refusing((socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
      },
      /refused \(403\)/,
    ],
    [
      'hangs up',
      () => {
        answer = refusing((socket) => socket.destroy());
      },
      /closed|reset/i,
    ],
    [
      'talks nonsense',
      () => {
        answer = refusing((socket) => socket.write('x'.repeat(ANSWER_LIMIT + 1)));
      },
      /like one/,
    ],
    [
      'says nothing',
      () => {
        answer = () => false;
      },
      /in time/,
    ],
  ])('that %s, words come and nothing hangs', async (_, prepare, words) => {
    prepare();
    const world = hostWorld({ level: 'error', proxy: by() });
    await expect(
      world.http.request({ method: 'GET', url: `https://${target()}/`, ca: authority, timeout: 300 }),
    ).rejects.toThrow(words);
    const stream = world.net.connect({ host: own ?? '', port: portOf(site), tls: { ca: authority }, timeout: 300 });
    await expect(stream).rejects.toThrow(words);
  });
});

test('this machine itself, and streams without TLS, never go by it', async () => {
  const plain = createTcp((socket) => socket.end());
  await listen(plain, own ?? '127.0.0.1');
  const world = hostWorld({ level: 'error', proxy: { host: '127.0.0.1', port: 1 } });
  (await world.net.connect({ host: own ?? '127.0.0.1', port: portOf(plain) })).destroy();
  plain.close();
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '::1']) expect(goesByProxy(host)).toBe(false);
  expect(goesByProxy('127.example')).toBe(true);
});

test.each([
  ['http://proxy.example:3128', { host: 'proxy.example', port: 3128 }],
  ['http://[2001:db8::1]:8080/', { host: '2001:db8::1', port: 8080 }],
  ['http://proxy.example', undefined],
  ['https://proxy.example:1', undefined],
  ['http://a:70000', undefined],
  ['http://u:p@a:1', undefined],
])('%s', (text, address) => expect(readProxy(text)).toEqual(address));
