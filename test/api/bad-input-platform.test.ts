/** Bad input to the platform's own operations and to broadband: each gets its own problem, and nothing of it is done. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { FaultCode } from '#shared/protocol/fault.ts';
import { type Ask, notProblem, TestCloud } from './fixture.ts';

let cloud: TestCloud;
let home: string;
let hook: string;
let ada: string;

beforeAll(async () => {
  cloud = await TestCloud.start();
  home = (await cloud.call('home.create', { name: 'Elm' })).id;
  ada = await cloud.subscriber('ada', [home]);
  hook = (await cloud.call('webhook.create', { home, url: 'https://example.org/x' }, ada)).id;
});
afterAll(() => cloud.stop());

type Row = readonly [what: string, ask: () => Ask, code: FaultCode, pointer?: string];
const post = (url: string, body: object | string): Ask => ({ method: 'POST', url, body, token: ada });
const get = (url: string): Ask => ({ url, token: ada });
const raw = (url: string, body: string): Ask => ({
  ...post(url, body),
  headers: { 'content-type': 'application/json' },
});
const url = 'https://example.org/';

const events: readonly Row[] = [
  ['a cursor that is none', () => get('/v1/events?after=soon'), 'bad_request', '/after'],
  ['a cursor one character too long', () => get(`/v1/events?after=${'1'.repeat(11)}-1`), 'bad_request', '/after'],
  ['a type with a space', () => get('/v1/events?types=home.%20x'), 'bad_request', '/types/0'],
  ['33 types', () => get(`/v1/events?types=${Array(33).fill('home.x').join(',')}`), 'bad_request', '/types'],
  ['a star in the middle', () => get('/v1/events?types=home.*.x'), 'bad_request', '/types/0'],
  ['an unknown field', () => get('/v1/events?since=1'), 'bad_request', '/since'],
  ['no URL', () => post('/v1/webhooks', { home }), 'bad_request', '/url'],
  ['a URL of another scheme', () => post('/v1/webhooks', { home, url: 'file:///etc/passwd' }), 'bad_request', '/url'],
  ['a URL one too long', () => post('/v1/webhooks', { home, url: url.padEnd(1025, 'x') }), 'bad_request', '/url'],
  ['line feeds in a URL', () => post('/v1/webhooks', { home, url: `${url}\r\nx: y` }), 'bad_request', '/url'],
  [
    'a type of events that there is not',
    () => post('/v1/webhooks', { home, url, types: ['home.message.*', 'home.message.v1.recieved'] }),
    'bad_request',
    '/types/1',
  ],
  [
    'the same in a change',
    () => ({ ...post(`/v1/webhooks/${hook}`, { types: ['home.mesage.*'] }), method: 'PUT' }),
    'bad_request',
    '/types/0',
  ],
  ['another home', () => post('/v1/webhooks', { home: 'home_none', url }), 'not_found'],
  [
    'a state that is none',
    () => ({ ...post(`/v1/webhooks/${hook}`, { state: 'on' }), method: 'PUT' }),
    'bad_request',
    '/state',
  ],
  ['an unknown webhook', () => get('/v1/webhooks/hook_none'), 'not_found'],
  ['a webhook by path tricks', () => get('/v1/webhooks/..%2f..%2fhomes'), 'bad_request', '/webhook'],
  ['a delivery of another state', () => get(`/v1/webhooks/${hook}/deliveries?state=lost`), 'bad_request', '/state'],
  ['an unknown delivery', () => post(`/v1/webhooks/${hook}/deliveries/dlv_none/replay`, {}), 'not_found'],
  ['a body that is a list', () => raw('/v1/webhooks', '[]'), 'bad_request'],
  ['a body that is cut', () => raw('/v1/webhooks', '{"url":'), 'bad_request'],
];

const access: readonly Row[] = [
  ['a key without scopes', () => post('/v1/keys', { name: 'x', scopes: [] }), 'bad_request', '/scopes'],
  ['a scope of another form', () => post('/v1/keys', { name: 'x', scopes: ['homes'] }), 'bad_request', '/scopes/0'],
  ['65 scopes', () => post('/v1/keys', { name: 'x', scopes: Array(65).fill('homes:read') }), 'bad_request', '/scopes'],
  [
    'a key for more than a year',
    () => post('/v1/keys', { name: 'x', scopes: ['homes:read'], days: 367 }),
    'bad_request',
    '/days',
  ],
  [
    'a name with a control character',
    () => post('/v1/keys', { name: 'a\u0000', scopes: ['homes:read'] }),
    'bad_request',
    '/name',
  ],
  ['an unknown key', () => ({ ...get('/v1/keys/key_none'), method: 'DELETE' }), 'not_found'],
  [
    'nine redirects',
    () => post('/v1/clients', { name: 'x', scopes: ['homes:read'], redirects: Array(9).fill(url) }),
    'bad_request',
    '/redirects',
  ],
  [
    'a redirect with a fragment',
    () => post('/v1/clients', { name: 'x', scopes: ['homes:read'], redirects: [`${url}#x`] }),
    'bad_request',
    '/redirects/0',
  ],
  [
    'a script as a redirect',
    () => post('/v1/clients', { name: 'x', scopes: ['homes:read'], redirects: ['javascript:alert(1)'] }),
    'bad_request',
    '/redirects',
  ],
  ['an unknown consent', () => ({ ...get('/v1/consents/con_none'), method: 'DELETE' }), 'not_found'],
  ['no minutes', () => post(`/v1/homes/${home}/technicians`, { account: 'x', minutes: 0 }), 'bad_request', '/minutes'],
];

const broadband: readonly Row[] = [
  [
    'an unknown profile',
    () => post('/v1/qos/sessions', { home, profile: 'warp', duration: 1 }),
    'not_found',
    '/profile',
  ],
  ['no duration', () => post('/v1/qos/sessions', { home, profile: 'voice' }), 'bad_request', '/duration'],
  [
    'a duration of nothing',
    () => post('/v1/qos/sessions', { home, profile: 'voice', duration: 0 }),
    'bad_request',
    '/duration',
  ],
  [
    'a second more than a day',
    () => post('/v1/qos/sessions', { home, profile: 'voice', duration: 86_401 }),
    'bad_request',
    '/duration',
  ],
  [
    'an unknown device',
    () => post('/v1/qos/sessions', { home, profile: 'voice', duration: 1, device: 'dev_none' }),
    'not_found',
    '/device',
  ],
  ['an unknown session', () => get('/v1/qos/sessions/qos_none'), 'not_found'],
  ['presence of nowhere', () => get('/v1/homes/home_none/presence'), 'not_found'],
];

const families: readonly { readonly family: string; readonly rows: readonly Row[] }[] = [
  { family: 'events', rows: events },
  { family: 'keys, applications and consents', rows: access },
  { family: 'broadband', rows: broadband },
];

describe.each(families)('$family', ({ rows }) => {
  test.each(rows.map(([what, ask, code, pointer]) => ({ what, ask, code, pointer })))(
    '$what',
    async ({ ask, code, pointer }) => {
      const got = await cloud.ask(ask());
      expect([notProblem(got, code), got.text]).toEqual([undefined, got.text]);
      if (pointer !== undefined) expect(got.body.pointer).toBe(pointer);
    },
  );
});

describe('limits', () => {
  test('an account has 50 keys and 50 applications', async () => {
    const bob = await cloud.subscriber('bob', [home]);
    const cases = [
      ['/v1/keys', { name: 'k', scopes: ['homes:read'] }],
      ['/v1/clients', { name: 'c', scopes: ['homes:read'], redirects: [url] }],
    ] as const;
    for (const [path, body] of cases) {
      for (let n = 0; n < 50; n++) {
        await cloud.world.run(100);
        expect((await cloud.ask({ method: 'POST', url: path, body, token: bob })).status).toBe(201);
      }
      const more = await cloud.ask({ method: 'POST', url: path, body, token: bob });
      expect(notProblem(more, 'limit_reached')).toBeUndefined();
    }
  });

  test('a home keeps 100 quality sessions, and one lasts a day with all its extensions', async () => {
    const at = (await cloud.call('home.create', { name: 'Yew' })).id;
    const { id } = await cloud.call('qos.session.create', { home: at, profile: 'voice', duration: 86_400 });
    const longer = await cloud.ask({ method: 'POST', url: `/v1/qos/sessions/${id}/extend`, body: { seconds: 1 } });
    expect(notProblem(longer, 'limit_reached')).toBeUndefined();
    for (let n = 1; n < 100; n++) await cloud.call('qos.session.create', { home: at, profile: 'video', duration: 9 });
    const body = { home: at, profile: 'voice', duration: 9 };
    const more = await cloud.ask({ method: 'POST', url: '/v1/qos/sessions', body });
    expect(notProblem(more, 'limit_reached')).toBeUndefined();
  });

  test('nothing of the bad input was done', async () => {
    expect((await cloud.call('webhook.list', { home })).items.map((one) => one.id)).toEqual([hook]);
    expect((await cloud.call('key.list', {}, ada)).items).toEqual([]);
    expect((await cloud.call('client.list', {}, ada)).items).toEqual([]);
  });
});
