import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultCode } from '#shared/protocol/fault.ts';
import { type Ask, notProblem, TestCloud } from './fixture.ts';

let cloud: TestCloud;
let home: string;
let other: string;
let subscriber: string;
let technician: string;

beforeAll(async () => {
  cloud = await TestCloud.start();
  home = (await cloud.call('home.create', { name: 'Elm Street 1' })).id;
  other = (await cloud.call('home.create', { name: 'Oak Street 2' })).id;
  subscriber = await cloud.subscriber('ada', [home]);
  technician = await cloud.subscriber('tom', [], 'technician');
  await cloud.call('farm.stop', { server: 'media' });
});
afterAll(() => cloud.stop());

interface Bad {
  readonly what: string;
  readonly ask: () => Ask;
  readonly code: FaultCode;
  readonly pointer?: string;
  readonly header?: readonly [name: string, value: string];
}

const post = (url: string, body: Ask['body'], headers: Ask['headers'] = {}): Ask => ({
  method: 'POST',
  url,
  body: body ?? {},
  headers,
});
const json = { 'content-type': 'application/json' };

const table: readonly Bad[] = [
  {
    what: 'no token',
    ask: () => ({ url: '/v1/homes', token: '' }),
    code: 'unauthorized',
    header: ['www-authenticate', 'Bearer realm="hearthline"'],
  },
  { what: 'wrong token', ask: () => ({ url: '/v1/homes', token: 'guess' }), code: 'unauthorized' },
  {
    what: 'token of another kind',
    ask: () => ({ url: '/v1/homes', token: '', headers: { authorization: 'Basic b3A6b3A=' } }),
    code: 'unauthorized',
  },
  { what: 'token too long', ask: () => ({ url: '/v1/homes', token: 'a'.repeat(257) }), code: 'unauthorized' },
  { what: 'role may not', ask: () => ({ ...post('/v1/homes', { name: 'x' }), token: subscriber }), code: 'forbidden' },
  {
    what: 'technician without consent',
    ask: () => ({ url: `/v1/homes/${home}`, token: technician }),
    code: 'not_found',
  },
  { what: 'unknown home', ask: () => ({ url: '/v1/homes/home_none' }), code: 'not_found' },
  { what: 'another home', ask: () => ({ url: `/v1/homes/${other}`, token: subscriber }), code: 'not_found' },
  {
    what: 'line in another home',
    ask: () => ({ ...post(`/v1/homes/${other}/lines`, {}), token: subscriber }),
    code: 'not_found',
  },
  { what: 'malformed JSON', ask: () => post('/v1/homes', '{"name":', json), code: 'bad_request' },
  { what: 'JSON that is no object', ask: () => post('/v1/homes', '[1]', json), code: 'bad_request', pointer: '' },
  { what: 'no body', ask: () => post('/v1/homes', ''), code: 'bad_request', pointer: '/name' },
  {
    what: 'wrong content type',
    ask: () => post('/v1/homes', 'name=x', { 'content-type': 'application/x-www-form-urlencoded' }),
    code: 'unsupported_media_type',
  },
  {
    what: 'text as content type',
    ask: () => post('/v1/homes', '{"name":"x"}', { 'content-type': 'text/plain' }),
    code: 'unsupported_media_type',
  },
  {
    what: 'payment one past its limit',
    ask: () => post(`/v1/homes/${home}/balance`, { mode: 'prepaid', add: 1_000_000_000_001 }),
    code: 'bad_request',
    pointer: '/add',
  },
  {
    what: 'body one octet too large',
    ask: () => post('/v1/homes', `{"name":"${'x'.repeat(256 * 1024 - 10)}"}`, json),
    code: 'too_large',
  },
  {
    what: 'unknown field',
    ask: () => post('/v1/homes', { name: 'x', colour: 'red' }),
    code: 'bad_request',
    pointer: '/colour',
  },
  {
    what: 'field named __proto__',
    ask: () => post('/v1/homes', '{"name":"x","__proto__":{"a":1}}', json),
    code: 'bad_request',
    pointer: '/__proto__',
  },
  { what: 'missing field', ask: () => post('/v1/homes', {}), code: 'bad_request', pointer: '/name' },
  { what: 'wrong type', ask: () => post('/v1/homes', { name: 3 }), code: 'bad_request', pointer: '/name' },
  {
    what: 'control character',
    ask: () => post('/v1/homes', { name: 'a\u0007b' }),
    code: 'bad_request',
    pointer: '/name',
  },
  {
    what: 'name one character too long',
    ask: () => post('/v1/homes', { name: 'x'.repeat(65) }),
    code: 'bad_request',
    pointer: '/name',
  },
  {
    what: 'word that is none of the choices',
    ask: () => post(`/v1/homes/${home}/lines`, { kind: 'toaster' }),
    code: 'bad_request',
    pointer: '/kind',
  },
  {
    what: 'field of the path in the body',
    ask: () => post(`/v1/homes/${home}/lines`, { home: other }),
    code: 'bad_request',
    pointer: '/home',
  },
  {
    what: 'query on a POST',
    ask: () => post('/v1/homes?name=x', { name: 'x' }),
    code: 'bad_request',
    pointer: '/name',
  },
  {
    what: 'unknown query field',
    ask: () => ({ url: '/v1/homes?colour=red' }),
    code: 'bad_request',
    pointer: '/colour',
  },
  {
    what: 'query that is no number',
    ask: () => ({ url: '/v1/homes?limit=ten' }),
    code: 'bad_request',
    pointer: '/limit',
  },
  { what: 'query out of range', ask: () => ({ url: '/v1/homes?limit=501' }), code: 'bad_request', pointer: '/limit' },
  {
    what: 'query given twice',
    ask: () => ({ url: '/v1/homes?limit=1&limit=2' }),
    code: 'bad_request',
    pointer: '/limit',
  },
  { what: 'id with a slash', ask: () => ({ url: '/v1/homes/a%2fb' }), code: 'bad_request', pointer: '/home' },
  { what: 'path that is not encoded', ask: () => ({ url: '/v1/homes/%ff' }), code: 'bad_request' },
  {
    what: 'wrong method',
    ask: () => ({ method: 'PUT', url: '/v1/homes' }),
    code: 'method_not_allowed',
    header: ['allow', 'GET, HEAD, POST'],
  },
  {
    what: 'method that nobody knows here',
    ask: () => ({ method: 'PATCH', url: '/v1/sessions/ses_1/events' }),
    code: 'method_not_allowed',
    header: ['allow', 'GET'],
  },
  { what: 'unknown path', ask: () => ({ url: '/v1/nothing' }), code: 'not_found' },
  { what: 'unknown fault page', ask: () => ({ url: '/errors/constructor' }), code: 'not_found' },
  {
    what: 'part that is not running',
    ask: () => ({ url: '/v1/media' }),
    code: 'server_unavailable',
    header: ['retry-after', '1'],
  },
  { what: 'foreign host', ask: () => ({ url: '/v1/homes', headers: { host: 'evil.example' } }), code: 'wrong_host' },
  {
    what: 'foreign host that looks like ours',
    ask: () => ({ url: '/', headers: { host: '10.0.0.1.evil.example' } }),
    code: 'wrong_host',
  },
  { what: 'malformed host', ask: () => ({ url: '/v1/homes', headers: { host: 'a b' } }), code: 'wrong_host' },
  {
    what: 'bad idempotency key',
    ask: () => post('/v1/homes', { name: 'x' }, { 'idempotency-key': 'with space' }),
    code: 'bad_request',
  },
  {
    what: 'idempotency key one too long',
    ask: () => post('/v1/homes', { name: 'x' }, { 'idempotency-key': 'k'.repeat(129) }),
    code: 'bad_request',
  },
];

describe('bad input gets its own problem', () => {
  test.each(table)('$what -> $code', async ({ ask, code, pointer, header }) => {
    const got = await cloud.ask(ask());
    expect(notProblem(got, code)).toBeUndefined();
    if (pointer !== undefined) expect(got.body.pointer).toBe(pointer);
    if (header !== undefined) expect(got.headers[header[0]]).toBe(header[1]);
    expect(got.headers['content-security-policy']).toContain("default-src 'none'");
    expect(got.headers['x-content-type-options']).toBe('nosniff');
  });

  test('nothing of it was done', async () => {
    const { items } = await cloud.call('home.list', {});
    expect(items.map((item) => item.name).sort()).toEqual(['Elm Street 1', 'Oak Street 2']);
  });

  test('a stopped server is named', async () => {
    const got = await cloud.ask({ url: '/v1/media' });
    expect(got.body.server).toBe('media');
  });
});
