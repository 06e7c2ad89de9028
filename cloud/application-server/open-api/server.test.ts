/** The part on real sockets: what only shows on the wire. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request as secureRequest } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadCredentials } from '#cloud/authority.ts';
import { createBus } from '#cloud/bus/in-process.ts';
import type { PartContext, RunningPart } from '#cloud/bus/part.ts';
import { openLocalStore } from '#cloud/store/local.ts';
import { hostWorld } from '#shared/host/world.ts';
import { BODY_LIMIT, HEADER_LIMIT } from './adapter-fastify.ts';
import { ensureOperatorToken } from './credentials.ts';
import { createOpenApi } from './server.ts';

const world = hostWorld({ level: 'error' });
const folder = mkdtempSync(join(tmpdir(), 'hearthline-api-'));
const local = { host: '127.0.0.1', port: 0 };
const part = createOpenApi({
  farm: {
    list: () => [],
    stop: () => Promise.reject(new Error('no server')),
    start: () => Promise.reject(new Error('no server')),
  },
});
let context: PartContext;
let running: RunningPart;

beforeAll(async () => {
  const config = {
    data: folder,
    http: local,
    https: local,
    mqtt: local,
    sip: local,
    sips: local,
    media: { host: '127.0.0.1', low: 0, high: 0 },
    publicHost: '127.0.0.1',
    domain: 'hearthline',
    ...(await loadCredentials(world, folder, ['127.0.0.1', 'localhost'])),
    bound: {},
  };
  context = { world, bus: createBus(world), store: openLocalStore(':memory:'), config };
  await ensureOperatorToken(context.store, world, 'op');
  running = await part.start(context);
});
afterAll(async () => {
  await running.stop();
  await context.store.close();
  rmSync(folder, { recursive: true });
});

const base = () => context.config.bound.http ?? '';
const portOf = (url: string) => Number(new URL(url).port);

/** Sends raw octets and gives all that comes back until the server closes. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(portOf(base()), '127.0.0.1', () => socket.write(text));
    let got = '';
    socket.on('data', (data) => {
      got += data.toString('latin1');
    });
    socket.on('close', () => resolve(got));
    socket.on('error', (error: NodeJS.ErrnoException) =>
      error.code === 'ECONNRESET' || error.code === 'EPIPE' ? resolve(got) : reject(error),
    );
  });
}

describe('on the wire', () => {
  test('answers on http with the bound address', async () => {
    const reply = await fetch(`${base()}/healthz`);
    expect([reply.status, ((await reply.json()) as { status: string }).status]).toEqual([200, 'ok']);
  });

  test('a header at the limit passes, a larger one gets 431', async () => {
    const head = (pad: number) =>
      `GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\nx-pad: ${'a'.repeat(pad)}\r\n\r\n`;
    expect(await raw(head(HEADER_LIMIT - 200))).toMatch(/^HTTP\/1\.1 200 /);
    const refused = await raw(head(HEADER_LIMIT + 1));
    expect(refused).toMatch(/^HTTP\/1\.1 431 /);
    expect(refused).toContain('application/problem+json');
    expect(refused).toContain('"code":"headers_too_large"');
  });

  test('octets that are no HTTP get a problem, and the server goes on', async () => {
    for (const junk of [
      '\u0016\u0003\u0001\u0002\u0000\u0001',
      'GET\r\n\r\n',
      'POST /v1/homes HTTP/1.1\r\ncontent-length: -1\r\n\r\n',
    ])
      expect(await raw(junk)).toMatch(/^HTTP\/1\.1 400 /);
    expect((await fetch(`${base()}/healthz`)).status).toBe(200);
  });

  test('a body beyond the limit is refused by its declared length', async () => {
    const reply = await fetch(`${base()}/v1/homes`, {
      method: 'POST',
      headers: { authorization: 'Bearer op', 'content-type': 'application/json' },
      body: 'x'.repeat(BODY_LIMIT + 1),
    });
    expect([reply.status, ((await reply.json()) as { code: string }).code]).toEqual([413, 'too_large']);
  });

  test('https with the operator’s certificate: the cookie is bound to host and scheme', async () => {
    const url = new URL('/v1/sign-in', context.config.bound.https);
    const headers = await new Promise<import('node:http').IncomingHttpHeaders>((resolve, reject) => {
      const sent = secureRequest(
        url,
        { method: 'POST', ca: context.config.authority.certificate, headers: { 'content-type': 'application/json' } },
        (reply) => {
          reply.resume().on('end', () => resolve(reply.headers));
        },
      );
      sent.on('error', reject);
      sent.end('{"token":"op"}');
    });
    expect(headers['set-cookie']?.[0]).toMatch(
      /^__Host-hearthline=\S+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=\d+; Secure$/,
    );
  });

  test('discovery names the ports and the authority', async () => {
    const found = await (await fetch(`${base()}/.well-known/hearthline`)).json();
    expect(found).toEqual({
      mqtt: '127.0.0.1:0',
      sips: '127.0.0.1:0',
      ca: context.config.authority.certificate,
      http: `https://127.0.0.1:${portOf(context.config.bound.https ?? '')}`,
    });
  });

  test('metrics count by verb and outcome', async () => {
    await fetch(`${base()}/v1/self`);
    const text = await (await fetch(`${base()}/metrics`)).text();
    expect(text).toMatch(/^hearthline_http_requests_total\{verb="auth.self",outcome="unauthorized"\} [1-9]/m);
    expect(text).toMatch(/^hearthline_part_up\{part="oamp"\} 0$/m);
    expect(text).toMatch(/^process_resident_memory_bytes [1-9]/m);
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE) \w+ .+|\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? -?[\d.e+-]+)$/);
  });

  test('a fault’s page, for people and for programs', async () => {
    const page = await fetch(`${base()}/errors/uplink_full`, { headers: { accept: 'text/html' } });
    expect([page.headers.get('content-type'), (await page.text()).includes('End another call')]).toEqual([
      'text/html; charset=utf-8',
      true,
    ]);
    expect(await (await fetch(`${base()}/errors/uplink_full`)).json()).toMatchObject({ http: 503 });
  });

  test('a busy port is an error that names its flag', async () => {
    const taken = { ...context.config, http: { host: '127.0.0.1', port: portOf(base()) }, bound: {} };
    const other = { ...context, bus: createBus(world), config: taken };
    await expect(part.start(other)).rejects.toThrow(/in use.*--http/);
    await expect(part.start({ ...other, config: { ...taken, http: local, https: taken.http } })).rejects.toThrow(
      /in use.*--https/,
    );
    expect(other.bus.has('application-server')).toBe(false);
  });

  test('stops with a connection open, and twice without harm', async () => {
    const other = {
      ...context,
      bus: createBus(world),
      config: { ...context.config, bound: {} as PartContext['config']['bound'] },
    };
    const second = await part.start(other);
    const socket = connect(portOf(other.config.bound.http ?? ''), '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    await second.stop();
    await second.stop();
    await closed;
    expect(other.bus.has('application-server')).toBe(false);
  });
});
