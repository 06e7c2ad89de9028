import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Ask, notProblem, OPERATOR_TOKEN, TestCloud } from './fixture.ts';

let cloud: TestCloud;
const origin = 'http://localhost:80';
const name = 'ada';
const password = 'correct horse battery';

beforeAll(async () => {
  cloud = await TestCloud.start();
  await cloud.call('account.create', { name, password, role: 'subscriber', homes: [] });
});
afterAll(() => cloud.stop());
/** Tries of the test before are forgiven. */
beforeEach(() => cloud.world.run(120_000));

const signIn = (body: object, more: Partial<Ask> = {}) =>
  cloud.ask({ method: 'POST', url: '/v1/sign-in', token: '', body, ...more });

async function cookie(): Promise<string> {
  const got = await signIn({ name, password });
  return String(got.headers['set-cookie']).split(';')[0] ?? '';
}

describe('sign-in', () => {
  test('with name and password: token and cookie', async () => {
    const got = await signIn({ name, password });
    expect(got.status).toBe(200);
    expect(got.body).toMatchObject({ name, role: 'subscriber', homes: [] });
    expect(String(got.headers['set-cookie'])).toMatch(
      /^hearthline=hlt_\w+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=604800$/,
    );
    const self = await cloud.ask({ url: '/v1/self', token: String(got.body.token) });
    expect(self.body).toMatchObject({ name, role: 'subscriber', allHomes: false });
  });

  test('with the operator’s token: a session of its own, which can end', async () => {
    const got = await signIn({ token: OPERATOR_TOKEN });
    const token = String(got.body.token);
    expect(token).not.toBe(OPERATOR_TOKEN);
    expect((await cloud.ask({ method: 'POST', url: '/v1/sign-out', token })).status).toBe(204);
    expect(notProblem(await cloud.ask({ url: '/v1/self', token }), 'unauthorized')).toBeUndefined();
    expect((await cloud.ask({ url: '/v1/self' })).status).toBe(200);
  });

  test('the operator’s own token cannot be signed out', async () => {
    expect(notProblem(await cloud.ask({ method: 'POST', url: '/v1/sign-out' }), 'conflict')).toBeUndefined();
    expect((await cloud.ask({ url: '/v1/self' })).status).toBe(200);
  });

  test.each([
    ['unknown name', { name: 'eve', password }],
    ['wrong password', { name, password: 'wrong' }],
    ['unknown token', { token: 'guess' }],
    ['nothing', {}],
  ])('%s: the same refusal', async (_what, body) => {
    const got = await signIn(body);
    expect(notProblem(got, 'unauthorized')).toBeUndefined();
    expect(got.body.detail).toBe('The name and password, or the token, are not right.');
    expect(got.headers['set-cookie']).toBeUndefined();
  });

  test('five tries a minute for an account and source, the sixth waits', async () => {
    for (let i = 0; i < 5; i++) expect((await signIn({ name, password: 'wrong' })).status).toBe(401);
    const sixth = await signIn({ name, password });
    expect(notProblem(sixth, 'rate_limited')).toBeUndefined();
    expect(Number(sixth.headers['retry-after'])).toBeGreaterThan(1);
    expect((await signIn({ name, password }, { from: '10.9.9.9' })).status).toBe(200);
    await cloud.world.run(Number(sixth.headers['retry-after']) * 1000);
    expect((await signIn({ name, password })).status).toBe(200);
  });

  test('a sign-in ends after seven days', async () => {
    const token = String((await signIn({ name, password })).body.token);
    cloud.world.skew('cloud', 7 * 24 * 3600 * 1000 - 1000);
    expect((await cloud.ask({ url: '/v1/self', token })).status).toBe(200);
    cloud.world.skew('cloud', 1001);
    expect((await cloud.ask({ url: '/v1/self', token })).status).toBe(401);
  });

  test('it is audited', async () => {
    await signIn({ name, password: 'wrong' });
    const { account } = (await signIn({ name, password })).body;
    const { items } = await cloud.call('audit.list', { limit: 2 });
    expect(items.map((item) => [item.verb, item.account, item.target, item.outcome])).toEqual([
      ['auth.sign-in', account, name, 'ok'],
      ['auth.sign-in', 'nobody', name, 'unauthorized'],
    ]);
  });
});

describe('cookie and origin', () => {
  const out: Ask = { method: 'POST', url: '/v1/sign-out', token: '' };

  test('a page of ours may change things, another site’s may not', async () => {
    const headers = { cookie: await cookie(), host: 'localhost:80' };
    for (const foreign of [
      { origin: 'https://evil.example' },
      { origin: 'null' },
      {},
      { origin: 'https://localhost:80' },
    ])
      expect(
        notProblem(await cloud.ask({ ...out, headers: { ...headers, ...foreign } }), 'wrong_origin'),
      ).toBeUndefined();
    expect((await cloud.ask({ url: '/v1/self', token: '', headers })).status).toBe(200);
    expect((await cloud.ask({ ...out, headers: { ...headers, origin } })).status).toBe(204);
    expect((await cloud.ask({ url: '/v1/self', token: '', headers })).status).toBe(401);
  });

  test('signing a stranger’s browser in from another site is refused', async () => {
    const got = await signIn({ name, password }, { headers: { origin: 'https://evil.example' } });
    expect(notProblem(got, 'wrong_origin')).toBeUndefined();
  });

  test('a bearer token needs no origin, and a bad one is not made good by a cookie', async () => {
    const headers = { cookie: await cookie(), host: 'localhost:80' };
    expect((await cloud.ask({ url: '/v1/self', token: 'guess', headers })).status).toBe(401);
  });

  test('a cookie given twice counts as none', async () => {
    const one = await cookie();
    const headers = { cookie: `${one}; ${one}`, host: 'localhost:80' };
    expect((await cloud.ask({ url: '/v1/self', token: '', headers })).status).toBe(401);
  });
});

describe('rates', () => {
  test('a credential: 100 at once, then 50 a second', async () => {
    const token = await cloud.subscriber('bob', []);
    for (let i = 0; i < 100; i++) expect((await cloud.ask({ url: '/v1/self', token })).status).toBe(200);
    const over = await cloud.ask({ url: '/v1/self', token });
    expect(notProblem(over, 'rate_limited')).toBeUndefined();
    expect(over.headers['retry-after']).toBe('1');
    await cloud.world.run(20);
    expect((await cloud.ask({ url: '/v1/self', token })).status).toBe(200);
    expect((await cloud.ask({ url: '/v1/self', token })).status).toBe(429);
    expect((await cloud.ask({ url: '/v1/self' })).status).toBe(200);
  });

  test('strangers: 60 at once from one source, then 10 a second', async () => {
    const from = '10.1.1.1';
    for (let i = 0; i < 60; i++) expect((await cloud.ask({ url: '/v1/self', token: 'guess', from })).status).toBe(401);
    expect(notProblem(await cloud.ask({ url: '/v1/self', token: 'guess', from }), 'rate_limited')).toBeUndefined();
    expect((await cloud.ask({ url: '/v1/self', token: 'guess', from: '10.1.1.2' })).status).toBe(401);
    expect((await cloud.ask({ url: '/v1/self', from })).status).toBe(200);
  });
});
