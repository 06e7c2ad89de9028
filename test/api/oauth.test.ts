/** OAuth 2 as an application and a browser see it: consent in plain words, tokens bound to homes and scopes, revoked at once. */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { RealApi } from './real.ts';

const BACK = 'https://app.example/back';
let api: RealApi;
let home: string;
let second: string;
let other: string;
let ada: string;
let dev: string;
let client: VerbReply<'client.create'>;

beforeAll(async () => {
  api = await RealApi.start();
  home = (await api.call('home.create', { name: 'Elm <1>' })).id;
  second = (await api.call('home.create', { name: 'Oak 2' })).id;
  other = (await api.call('home.create', { name: 'Ash 3' })).id;
  ada = await api.person('ada', [home, second]);
  dev = await api.person('dev', [], 'developer');
  client = await api.call(
    'client.create',
    {
      name: 'Door & log',
      redirects: [BACK],
      scopes: ['homes:read', 'lines:read', 'events:read', 'webhooks:write', 'webhooks:read'],
    },
    dev,
  );
});
afterAll(() => api.stop());

/** A browser as far as OAuth needs one: cookies, redirects followed by hand within our origin. */
class Browser {
  readonly #cookies = new Map<string, string>();

  async go(
    path: string,
    form?: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<{ url: string; text: string; status: number }> {
    let url = new URL(path, api.url).href;
    let body =
      form === undefined
        ? undefined
        : new URLSearchParams(
            Object.entries(form).flatMap(([name, value]) =>
              [value].flat().map((one): [string, string] => [name, String(one)]),
            ),
          );
    for (let n = 0; n < 10; n++) {
      const reply = await fetch(url, {
        method: body === undefined ? 'GET' : 'POST',
        redirect: 'manual',
        headers: { cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; '), origin: api.url },
        ...(body === undefined ? {} : { body }),
      });
      for (const line of reply.headers.getSetCookie()) {
        const [pair = ''] = line.split(';');
        const at = pair.indexOf('=');
        if (/expires=Thu, 01 Jan 1970/i.test(line)) this.#cookies.delete(pair.slice(0, at));
        else this.#cookies.set(pair.slice(0, at), pair.slice(at + 1));
      }
      const next = reply.headers.get('location');
      if (next === null) return { url, text: await reply.text(), status: reply.status };
      url = new URL(next, url).href;
      body = undefined;
      if (!url.startsWith(api.url)) return { url, text: '', status: reply.status };
    }
    throw new Error('redirected in a circle');
  }
}

const verifier = randomBytes(32).toString('base64url');
const challenge = createHash('sha256').update(verifier).digest('base64url');

function authorize(more: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams({
    client_id: client.id,
    response_type: 'code',
    redirect_uri: BACK,
    scope: 'homes:read lines:read events:read webhooks:write webhooks:read',
    state: 's1',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...more,
  });
  return `/oauth/auth?${query}`;
}

async function post(path: string, form: Readonly<Record<string, string>>, basic?: string) {
  const reply = await fetch(`${api.url}${path}`, {
    method: 'POST',
    headers: basic === undefined ? {} : { authorization: `Basic ${Buffer.from(basic).toString('base64')}` },
    body: new URLSearchParams(form),
  });
  const text = await reply.text();
  return { status: reply.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, string> };
}

const uidOf = (url: string) => new URL(url).pathname;

/** The whole way: sign in, consent for one home, code, tokens. */
async function consented(homes: readonly string[] = [home]) {
  const browser = new Browser();
  const login = await browser.go(authorize());
  const consent = await browser.go(uidOf(login.url), {
    do: 'sign-in',
    name: 'ada',
    password: 'ada is a good password',
  });
  const back = await browser.go(uidOf(consent.url), { do: 'allow', home: homes });
  const code = new URL(back.url).searchParams.get('code') ?? '';
  const redeem = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: BACK,
    code_verifier: verifier,
    client_id: client.id,
  };
  return { login, consent, back, code, redeem, tokens: await post('/oauth/token', redeem) };
}

describe('authorization code', () => {
  test('signs in, asks in plain words, and gives a token for that home and those scopes alone', async () => {
    const { login, consent, back, tokens } = await consented();
    expect(login.text).toContain('Door &#38; log asks to see your home');
    expect(consent.text).toContain('See your telephone lines');
    expect(consent.text).toContain('Elm &#60;1&#62;');
    expect(consent.text).toContain('by dev');
    expect(consent.text).not.toContain('Ash 3');
    expect(new URL(back.url).searchParams.get('state')).toBe('s1');
    expect(tokens).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
    const token = tokens.body.access_token ?? '';
    expect((await api.call('home.list', {}, token)).items.map((one) => one.id)).toEqual([home]);
    expect((await api.ask('line.list', { home }, token)).status).toBe(200);
    expect((await api.ask('line.list', { home: second }, token)).status).toBe(404);
    expect((await api.ask('line.list', { home: other }, token)).status).toBe(404);
    expect((await api.ask('gateway.list', { home }, token)).status).toBe(403);
    expect((await api.ask('key.create', { name: 'x', scopes: ['homes:read'] }, token)).status).toBe(403);
    const rows = await api.context.store.all<{ payload: string; id: string }>('SELECT id, payload FROM oauth_item');
    const kept = JSON.stringify(rows);
    for (const secret of [token, tokens.body.refresh_token ?? '-']) expect(kept).not.toContain(secret);
  });

  test('revoking the consent ends token, refresh token and webhooks at once', async () => {
    const { tokens } = await consented();
    const token = tokens.body.access_token ?? '';
    const hook = await api.call('webhook.create', { home, url: 'https://example.org/x' }, token);
    const list = (await api.call('consent.list', {}, ada)).items;
    const mine = list.at(-1);
    expect(mine).toMatchObject({ kind: 'application', to: 'Door & log', homes: [home] });
    await api.call('consent.revoke', { consent: mine?.id ?? '' }, ada);
    expect((await api.ask('home.list', {}, token)).status).toBe(401);
    const again = { grant_type: 'refresh_token', refresh_token: tokens.body.refresh_token ?? '', client_id: client.id };
    expect(await post('/oauth/token', again)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } });
    expect((await api.ask('webhook.get', { webhook: hook.id })).status).toBe(404);
  });

  test('a refresh token gives a new token once; used twice, it ends them all', async () => {
    const { tokens } = await consented();
    const refresh = (token = '') =>
      post('/oauth/token', { grant_type: 'refresh_token', refresh_token: token, client_id: client.id });
    const next = await refresh(tokens.body.refresh_token);
    expect(next.status).toBe(200);
    expect((await api.ask('home.list', {}, next.body.access_token)).status).toBe(200);
    expect((await refresh(tokens.body.refresh_token)).status).toBe(400);
    expect((await api.ask('home.list', {}, next.body.access_token)).status).toBe(401);
  });

  test('a token revoked by its application is refused', async () => {
    const { tokens } = await consented();
    const token = tokens.body.access_token ?? '';
    expect((await post('/oauth/token/revocation', { token, client_id: client.id })).status).toBe(200);
    expect((await api.ask('home.list', {}, token)).status).toBe(401);
  });

  test('a code is good once, for its verifier, its redirect and its client', async () => {
    const { redeem } = await consented();
    expect((await post('/oauth/token', redeem)).body.error).toBe('invalid_grant');
    const browser = new Browser();
    const login = await browser.go(authorize());
    const consent = await browser.go(uidOf(login.url), {
      do: 'sign-in',
      name: 'ada',
      password: 'ada is a good password',
    });
    const back = await browser.go(uidOf(consent.url), { do: 'allow', home: [home] });
    const code = new URL(back.url).searchParams.get('code') ?? '';
    expect((await post('/oauth/token', { ...redeem, code, code_verifier: 'x'.repeat(43) })).body.error).toBe(
      'invalid_grant',
    );
  });

  test.each([
    ['no PKCE', { code_challenge: '', code_challenge_method: '' }, 'invalid_request'],
    ['a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['a scope that it is not registered for', { scope: 'calls:write' }, 'invalid_scope'],
  ])('%s is refused', async (_name, more, code) => {
    const back = await new Browser().go(authorize(more as Record<string, string>));
    expect(new URL(back.url).searchParams.get('error')).toBe(code);
  });

  test('another redirect gets nothing', async () => {
    const got = await new Browser().go(authorize({ redirect_uri: 'https://evil.example/' }));
    expect([got.status, got.url.startsWith(api.url)]).toEqual([400, true]);
  });

  test('refusing, a wrong password, no home, and a form from elsewhere', async () => {
    const browser = new Browser();
    const login = await browser.go(authorize());
    const wrong = await browser.go(uidOf(login.url), { do: 'sign-in', name: 'ada', password: 'no' });
    expect(wrong.text).toContain('not right');
    const consent = await browser.go(uidOf(login.url), {
      do: 'sign-in',
      name: 'ada',
      password: 'ada is a good password',
    });
    expect((await browser.go(uidOf(consent.url), { do: 'allow', home: [other] })).text).toContain('Choose a home');
    const forged = await fetch(consent.url, {
      method: 'POST',
      headers: { origin: 'https://evil.example' },
      body: 'do=allow',
    });
    expect(forged.status).toBe(403);
    const back = await browser.go(uidOf(consent.url), { do: 'refuse' });
    expect(new URL(back.url).searchParams.get('error')).toBe('access_denied');
    expect((await browser.go(uidOf(consent.url))).text).toContain('Too late');
  });
});

describe('other grants', () => {
  test('client credentials give the developer’s own data', async () => {
    const own = await api.call(
      'client.create',
      { name: 'robot', scopes: ['homes:read'], grants: ['client_credentials'], confidential: true },
      ada,
    );
    const got = await post(
      '/oauth/token',
      { grant_type: 'client_credentials', scope: 'homes:read' },
      `${own.id}:${own.secret}`,
    );
    expect(got.status).toBe(200);
    expect((await api.call('home.list', {}, got.body.access_token)).items.map((one) => one.id).sort()).toEqual(
      [home, second].sort(),
    );
    expect((await api.ask('line.list', { home }, got.body.access_token)).status).toBe(403);
    expect((await post('/oauth/token', { grant_type: 'client_credentials' }, `${own.id}:wrong`)).status).toBe(401);
    await api.call('client.delete', { client: own.id }, ada);
    expect((await api.ask('home.list', {}, got.body.access_token)).status).toBe(401);
  });

  test('a device shows a code, a person enters it and consents', async () => {
    const device = await api.call(
      'client.create',
      { name: 'TV', scopes: ['homes:read'], grants: ['device_code'] },
      dev,
    );
    const asked = await post('/oauth/device/auth', { client_id: device.id, scope: 'homes:read' });
    const poll = () =>
      post('/oauth/token', {
        grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        device_code: asked.body.device_code ?? '',
        client_id: device.id,
      });
    expect((await poll()).body.error).toBe('authorization_pending');
    const browser = new Browser();
    const start = await browser.go(new URL(asked.body.verification_uri ?? '').pathname);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(start.text)?.[1] ?? '';
    const login = await browser.go('/oauth/device', { xsrf, user_code: asked.body.user_code ?? '', confirm: 'yes' });
    const consent = await browser.go(uidOf(login.url), {
      do: 'sign-in',
      name: 'ada',
      password: 'ada is a good password',
    });
    const done = await browser.go(uidOf(consent.url), { do: 'allow', home: [second] });
    expect(done.text).toContain('Connected');
    const tokens = await poll();
    expect((await api.call('home.list', {}, tokens.body.access_token)).items.map((one) => one.id)).toEqual([second]);
  });

  test.each([
    ['a scope that no application may have', { scopes: ['keys:write'] }],
    ['a scope of the operator', { scopes: ['accounts:write'] }],
    ['a redirect over http', { redirects: ['http://app.example/'] }],
    ['a redirect of a scheme without a dot', { redirects: ['myapp:/back'] }],
    ['no redirect', { redirects: [] }],
    ['credentials without a secret', { grants: ['client_credentials' as const] }],
  ])('an application cannot be registered with %s', async (_name, more) => {
    const got = await api.ask('client.create', { name: 'x', redirects: [BACK], scopes: ['homes:read'], ...more }, dev);
    expect(got.status).toBe(400);
  });
});
