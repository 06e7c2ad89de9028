import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callCloud } from './cloud-call.ts';

let origin = '';
let answer: (request: IncomingMessage, reply: ServerResponse, nth: number) => void;
const asked: IncomingMessage[] = [];
const server = createServer((request, reply) => answer(request, reply, asked.push(request)));

beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

const call = (method: 'GET' | 'POST' | 'PUT', body?: object) => {
  asked.length = 0;
  return callCloud<unknown>({ cloud: origin, token: 't' }, { method, path: '/v1/x', ...(body && { body }) });
};

describe('a command asks the cloud', () => {
  it.each(['GET', 'POST', 'PUT'] as const)(
    '%s: sends once more what no answer came to, under the same key',
    async (method) => {
      answer = (request, reply, nth) => (nth === 1 ? request.socket.destroy() : reply.end('{"id":"a"}'));
      expect(await call(method)).toEqual({ ok: true, value: { id: 'a' } });
      const keys = asked.map(({ headers }) => headers['idempotency-key']);
      expect(keys).toEqual(method === 'POST' ? [expect.stringMatching(/.{16}/), keys[0]] : [undefined, undefined]);
    },
  );

  it('gives up when the second answer is lost too', async () => {
    answer = (request) => request.socket.destroy();
    expect(await call('POST')).toMatchObject({
      fault: { code: 3, words: expect.stringMatching(/reached.*\nNext: /s) },
    });
    expect(asked.length).toBe(2);
  });

  it('asks once where nobody listens, and says the address', async () => {
    const reply = await callCloud({ cloud: 'http://127.0.0.1:9', token: 't' }, { method: 'GET', path: '/v1/x' });
    expect(reply).toMatchObject({ fault: { code: 3, words: expect.stringContaining('http://127.0.0.1:9') } });
  });

  it('says so where something else answers', async () => {
    answer = (_request, reply) => reply.writeHead(502).end('<html>');
    expect(await call('GET')).toMatchObject({ fault: { code: 3, words: expect.stringContaining('answered 502') } });
  });

  it.each([
    [{ code: 'not_found', detail: 'There is no home home_x' }, /^There is no home home_x\.\nNext: .+ \[not_found\]$/],
    [{ code: 'constructor', title: 'Odd' }, /^Odd\.$/],
    [null, /^The request failed\.$/],
  ])('a fault is words: %j', async (problem, words) => {
    answer = (_request, reply) => reply.writeHead(404).end(JSON.stringify(problem));
    expect(await call('GET')).toEqual({ ok: false, fault: { code: 2, words: expect.stringMatching(words), problem } });
  });

  it.each([
    ['nowhere', 't', 'not a URL'],
    ['ftp://127.0.0.1', 't', 'not a URL'],
    ['http://127.0.0.1:8080/api/', 't', 'write http://127.0.0.1:8080'],
    ['https://cloud.example#sha256-00', 't', 'the hash of the authority’s key'],
    ['https://cloud.example#nonsense', 't', 'the hash of the authority’s key'],
    [`http://127.0.0.1#sha256-${'0'.repeat(64)}`, 't', 'https'],
    ['http://127.0.0.1:8080', 'a\nb', '--token'],
    ['http://127.0.0.1:8080', '', '--token'],
    ['http://127.0.0.1:8080', 'tök', '--token'],
  ])('%s with token %j: is said before anybody is asked', async (cloud, token, words) => {
    expect(await callCloud({ cloud, token }, { method: 'GET', path: '/v1/x' })).toMatchObject({
      fault: { code: 3, words: expect.stringContaining(words) },
    });
  });

  it.each([
    ['hex', 'a'.repeat(64)],
    ['base64url', 'A'.repeat(43)],
  ])('a pin may be written in %s', async (_how, pin) => {
    const cloud = `https://127.0.0.1:9#sha256-${pin}`;
    expect(await callCloud({ cloud, token: 't' }, { method: 'GET', path: '/v1/x' })).toMatchObject({
      fault: { code: 3, words: expect.stringContaining('ECONNREFUSED') },
    });
  });

  it('who says how long to wait is not made to wait twice', async () => {
    answer = () => {};
    asked.length = 0;
    const late = await callCloud({ cloud: origin, token: 't' }, { method: 'GET', path: '/v1/x', timeout: 50 });
    expect(late).toMatchObject({ fault: { code: 3, words: expect.stringContaining('ETIMEDOUT') } });
    expect(asked.length).toBe(1);
    server.closeAllConnections();
  });
});
