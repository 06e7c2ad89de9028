/** Events over real connections: WebSocket, server-sent events and webhooks carry the same octets; strangers are kept out. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { EVENTS_KEPT } from '#cloud/application-server/open-api/sweep.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { RealApi } from './real.ts';

let api: RealApi;
let home: string;
let other: string;
let ada: string;
let server: Server;
const posted: { headers: IncomingHttpHeaders; body: string }[] = [];

beforeAll(async () => {
  api = await RealApi.start();
  home = (await api.call('home.create', { name: 'Elm' })).id;
  other = (await api.call('home.create', { name: 'Oak' })).id;
  ada = await api.person('ada', [home]);
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += part));
    request.on('end', () => {
      posted.push({ headers: request.headers, body });
      // More than is read of an answer.
      response.writeHead(200).end('x'.repeat(100_000));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await api.stop();
});

const receiver = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;

async function happen(subject: string, at = home): Promise<void> {
  await api.context.store.commit([
    eventRow(api.context.world, { type: 'home.thing.v1.happened', home: at, subject, data: { text: 'é' } }),
  ]);
  api.context.bus.publish('event.appended', {});
}

/** A socket and what came over it. */
function connect(path = '/v1/events/ws', headers: Record<string, string> = { authorization: `Bearer ${ada}` }) {
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}${path}`, { headers });
  const got: string[] = [];
  socket.on('message', (data) => got.push(String(data)));
  const opened = new Promise<number>((resolve) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, reply) => resolve(reply.statusCode ?? 0));
    socket.once('error', () => undefined);
  });
  const closed = new Promise<number>((resolve) => socket.once('close', (code) => resolve(code)));
  return { socket, got, opened, closed };
}

async function until(true_: () => boolean): Promise<void> {
  for (let n = 0; n < 500 && !true_(); n++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(true_()).toBe(true);
}

describe('WebSocket', () => {
  test('carries the octets of the webhook and of server-sent events, and resumes behind a cursor', async () => {
    const hook = await api.call('webhook.create', { home, url: receiver() });
    const { socket, got, opened } = connect();
    expect(await opened).toBe(101);
    await until(() => got.length === 1);
    const aborted = new AbortController();
    const headers = { authorization: `Bearer ${ada}`, accept: 'text/event-stream' };
    const sse = await fetch(`${api.url}/v1/events?types=home.thing.*`, { headers, signal: aborted.signal });
    await happen('one');
    await happen('hidden', other);
    await until(() => got.length >= 3 && posted.length === 1);
    const reader = sse.body?.getReader();
    let text = '';
    while (!text.includes('data: ')) text += new TextDecoder().decode((await reader?.read())?.value);
    aborted.abort();
    const event = got.find((one) => one.includes('"specversion"')) ?? '';
    expect(posted[0]?.body).toBe(event);
    expect(text).toContain(`data: ${event}\n`);
    expect(posted[0]?.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8');
    expect(got.join()).not.toContain('hidden');
    const first = JSON.parse(got[0] ?? '') as { cursor: string };
    socket.close();
    const again = connect(`/v1/events/ws?after=${first.cursor}&types=home.thing.*`);
    await until(() => again.got.includes(event));
    again.socket.close();
    await api.call('webhook.delete', { webhook: hook.id });
  });

  test.each([
    ['no credential', '/v1/events/ws', () => ({}), 403],
    ['a wrong token', '/v1/events/ws', () => ({ authorization: 'Bearer nonsense' }), 401],
    [
      'a page of elsewhere with the cookie',
      '/v1/events/ws',
      () => ({ cookie: `hearthline=${ada}`, origin: 'https://evil.example' }),
      403,
    ],
    ['another home', '/v1/events/ws?home=OTHER', () => ({ authorization: `Bearer ${ada}` }), 404],
    ['an unknown field', '/v1/events/ws?x=1', () => ({ authorization: `Bearer ${ada}` }), 400],
    ['another path', '/v1/homes', () => ({ authorization: `Bearer ${ada}` }), 404],
    ['another host', '/v1/events/ws', () => ({ authorization: `Bearer ${ada}`, host: 'evil.example' }), 421],
  ] as const)('is refused to %s', async (_name, path, headers, status) => {
    expect(await connect(path.replace('OTHER', other), headers()).opened).toBe(status);
  });

  test('our own page gets in by its cookie', async () => {
    const { socket, opened } = connect('/v1/events/ws', { cookie: `hearthline=${ada}`, origin: api.url });
    expect(await opened).toBe(101);
    socket.close();
  });

  test('ends when the credential does', async () => {
    const key = await api.call('key.create', { name: 'short', scopes: ['events:read'] }, ada);
    const { opened, closed } = connect('/v1/events/ws', { authorization: `Bearer ${key.token}` });
    expect(await opened).toBe(101);
    await api.call('key.revoke', { key: key.id }, ada);
    await happen('after');
    expect(await closed).toBe(1008);
  });

  test('a client that talks too much is cut off', async () => {
    const { socket, opened, closed } = connect();
    await opened;
    socket.send('x'.repeat(5000));
    expect(await closed).toBe(1009);
  });
});

describe('webhooks over TCP', () => {
  test('a long answer is not read to its end, and a subscriber’s name for loopback is refused', async () => {
    const hook = await api.call('webhook.create', { home, url: receiver() });
    const mine = await api.call('webhook.create', { home, url: `https://localhost.localdomain:1/` }, ada);
    posted.length = 0;
    await happen('two');
    await until(() => posted.length === 1);
    const list = () => api.call('delivery.list', { webhook: hook.id });
    for (let n = 0; n < 200 && (await list()).items[0]?.state !== 'delivered'; n++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect((await list()).items[0]?.state).toBe('delivered');
    const refused = async () => (await api.call('delivery.list', { webhook: mine.id }, ada)).items[0]?.error;
    for (let n = 0; n < 300 && (await refused()) === undefined; n++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await refused()).toMatch(/^(EACCES|ENOTFOUND)/);
  });

  test('an answer that trickles in gets no more time', async () => {
    const drip = createServer((_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => drip.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(drip.address() as AddressInfo).port}/`;
    const asked = api.context.world.http.request({ method: 'GET', url, timeout: 300, cut: true, limit: 4096 });
    await expect(asked).rejects.toMatchObject({ code: 'ETIMEDOUT' });
    drip.closeAllConnections();
    drip.close();
  });

  test('events are kept for a month', () => expect(EVENTS_KEPT).toBe(30 * 86_400_000));
});
