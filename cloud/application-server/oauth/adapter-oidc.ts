/**
 * OAuth 2 by oidc-provider under `/oauth`: authorization code with PKCE, client credentials, device code, refresh tokens, revocation
 * (RFC 6749, 7636, 8628, 7009). It is loaded at the first request for it. Sign-in and consent are pages of ours.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { InteractionDetails, PageContext, Provider } from 'oidc-provider';
import type { PartContext } from '#cloud/bus/part.ts';
import { tokenHash } from '#cloud/store/directory.ts';
import { hex, latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { Fault } from '#shared/protocol/fault.ts';
import { isGrantable, scopesOfRole } from '../open-api/access.ts';
import { isSameOrigin, securityHeaders } from '../open-api/guard.ts';
import type { Incoming } from '../open-api/request.ts';
import { clientFacts, homesToGive, keepConsent, scopesAsked, signIn } from './consent.ts';
import { Items } from './items.ts';
import { codePage, confirmPage, consentPage, escaped, page, STYLE, signInPage } from './pages.ts';

/** Octets of a form. */
const FORM_LIMIT = 8192;
/** Seconds that tokens and codes live. */
export const LIVES = {
  AccessToken: 3600,
  ClientCredentials: 3600,
  AuthorizationCode: 60,
  DeviceCode: 600,
  RefreshToken: 30 * 86_400,
  Interaction: 900,
  Session: 3600,
  Grant: 366 * 86_400,
  IdToken: 3600,
} as const;

interface Surroundings extends PartContext {
  incomingOf(request: FastifyRequest): Incoming;
  /** Too many requests of a stranger. */
  overBudget(incoming: Incoming): Fault | undefined;
  refuse(request: FastifyRequest, reply: FastifyReply, reason: Fault): FastifyReply;
}

export async function addOAuth(app: FastifyInstance, at: Surroundings): Promise<void> {
  let provider: Promise<Provider> | undefined;
  const get = () => (provider ??= createProvider(at));
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // Forms are read by whoever serves the path.
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.addHook('onRequest', async (request, reply) => {
      const late = at.overBudget(at.incomingOf(request));
      if (late !== undefined) return at.refuse(request, reply, late);
    });
    scope.get('/oauth/style.css', (_request, reply) => reply.type('text/css; charset=utf-8').send(STYLE));
    scope.get('/oauth/interaction/:uid', async (request, reply) => {
      const visit: Visit = { at, provider: await get(), request, reply };
      const details = await interaction(visit);
      return details === undefined ? expired(reply) : show(visit, details);
    });
    scope.post('/oauth/interaction/:uid', async (request, reply) => {
      const { header, secure } = at.incomingOf(request);
      if (!isSameOrigin(header('origin'), header('host'), secure))
        return at.refuse(request, reply, { code: 'wrong_origin' });
      const form = await readForm(request.raw);
      const visit: Visit = { at, provider: await get(), request, reply };
      const details = await interaction(visit);
      return details === undefined || form === undefined ? expired(reply) : decide(visit, details, form);
    });
    scope.all('/oauth/*', async (request, reply) => {
      const serve = (await get()).callback();
      reply.hijack();
      mount(request.raw);
      for (const [name, value] of Object.entries(securityHeaders)) reply.raw.setHeader(name, value);
      reply.raw.setHeader('cache-control', 'no-store');
      await serve(request.raw, reply.raw);
    });
  });
}

interface Visit {
  readonly at: Surroundings;
  readonly provider: Provider;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
}

/** The provider believes that it stands at the root; `originalUrl` tells it where it is mounted. */
function mount(message: IncomingMessage & { originalUrl?: string }): void {
  message.originalUrl = message.url ?? '/';
  message.url = message.originalUrl.replace(/^\/oauth/, '');
}

async function interaction({ provider, request, reply }: Visit): Promise<InteractionDetails | undefined> {
  try {
    const details = await provider.interactionDetails(request.raw, reply.raw);
    const { uid } = request.params as { readonly uid?: string };
    return details.uid === uid ? details : undefined;
  } catch {
    return undefined;
  }
}

/** With a stricter referrer policy a browser would hide the origin of our own form from us. */
function html(reply: FastifyReply, text: string, status = 200): FastifyReply {
  return reply
    .code(status)
    .headers({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'same-origin',
    })
    .send(text);
}

function expired(reply: FastifyReply): FastifyReply {
  return html(reply, page('Too late', '<p>This request is over. Go back to the application and begin again.</p>'), 400);
}

/** The form's answer leads on to the application, which a browser holds against form-action too. */
function allowRedirect(reply: FastifyReply, redirect: unknown): void {
  const url = typeof redirect === 'string' && URL.canParse(redirect) ? new URL(redirect) : undefined;
  if (url === undefined) return;
  const target = url.protocol === 'https:' || url.protocol === 'http:' ? url.origin : url.protocol;
  const policy = securityHeaders['content-security-policy'] ?? '';
  void reply.header('content-security-policy', policy.replace("form-action 'self'", `form-action 'self' ${target}`));
}

async function show(visit: Visit, details: InteractionDetails, error?: string): Promise<FastifyReply> {
  const { at, reply } = visit;
  const client = await clientFacts(at.store, String(details.params.client_id));
  if (client === undefined) return expired(reply);
  allowRedirect(reply, details.params.redirect_uri);
  const account = details.session?.accountId;
  if (details.prompt.name === 'login' || account === undefined)
    return html(reply, signInPage(details.uid, client.name, error));
  const homes = await homesToGive(at.store, account);
  const scopes = scopesAsked(details.params.scope, client);
  const { name: application, developer } = client;
  return html(reply, consentPage({ uid: details.uid, application, developer, homes, scopes }, error));
}

async function decide(visit: Visit, details: InteractionDetails, form: URLSearchParams): Promise<FastifyReply> {
  switch (form.get('do')) {
    case 'sign-in': {
      const { at, request } = visit;
      const source = request.socket.remoteAddress ?? 'none';
      const who = await signIn(at, form.get('name') ?? '', form.get('password') ?? '', source);
      return who.ok ? finish(visit, { login: { accountId: who.value } }) : show(visit, details, who.fault);
    }
    case 'allow':
      return allow(visit, details, form.getAll('home'));
    default:
      return finish(visit, { error: 'access_denied', error_description: 'The person refused.' });
  }
}

async function allow(visit: Visit, details: InteractionDetails, wanted: readonly string[]): Promise<FastifyReply> {
  const { at, provider, reply } = visit;
  const account = details.session?.accountId;
  const clientId = String(details.params.client_id);
  const client = await clientFacts(at.store, clientId);
  if (account === undefined || client === undefined || details.prompt.name !== 'consent') return expired(reply);
  const homes = (await homesToGive(at.store, account)).map((home) => home.id).filter((home) => wanted.includes(home));
  if (homes.length === 0) return show(visit, details, 'Choose a home, or refuse.');
  const scopes = scopesAsked(details.params.scope, client);
  const grant = new provider.Grant({ accountId: account, clientId });
  // The standing scopes of OpenID Connect open nothing here.
  grant.addOIDCScope(['openid', 'offline_access', ...scopes].join(' '));
  const id = await grant.save();
  await keepConsent(at, { id, account, client: clientId, name: client.name, homes, scopes });
  return finish(visit, { consent: { grantId: id } });
}

async function finish(visit: Visit, result: Readonly<Record<string, unknown>>): Promise<FastifyReply> {
  const { provider, request, reply } = visit;
  reply.hijack();
  await provider.interactionFinished(request.raw, reply.raw, result, { mergeWithLastSubmission: true });
  return reply;
}

async function readForm(message: IncomingMessage): Promise<URLSearchParams | undefined> {
  let text = '';
  for await (const part of message) {
    text += latin1(part as Uint8Array);
    if (text.length > FORM_LIMIT) return undefined;
  }
  return new URLSearchParams(text);
}

async function createProvider(at: Surroundings): Promise<Provider> {
  const { Provider } = await import('oidc-provider');
  const { config, world } = at;
  const provider = new Provider(`${config.bound.https ?? config.bound.http ?? 'http://localhost'}/oauth`, {
    adapter: (model: string) => new Items(model, at),
    cookies: {
      keys: [hex(world.crypto.hash('sha256', utf8(`${config.authority.key} cookies`)))],
      names: { session: '_hl_oauth', interaction: '_hl_ask', resume: '_hl_resume' },
    },
    jwks: { keys: [await signingKey(at)] },
    scopes: ['openid', 'offline_access', ...scopesOfRole('subscriber').filter(isGrantable)],
    pkce: { required: () => true },
    ttl: LIVES,
    rotateRefreshToken: true,
    issueRefreshToken: async (_context: unknown, client: { grantTypeAllowed(type: string): boolean }) =>
      client.grantTypeAllowed('refresh_token'),
    findAccount: async (_context: unknown, id: string) => ({ accountId: id, claims: async () => ({ sub: id }) }),
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/oauth/interaction/${uid}` },
    renderError: async (context: PageContext, out: Readonly<Record<string, unknown>>) => {
      context.type = 'html';
      const words = String(out.error_description ?? out.error ?? '');
      context.body = page('That did not work', `<p>${escaped(words)}</p>`);
    },
    features: features(),
  });
  // Secrets are kept as SHA-256; the presented one is compared by its hash.
  provider.Client.prototype.compareClientSecret = function compare(this: { clientSecret?: string }, actual: string) {
    const hash = utf8(tokenHash(world.crypto, actual));
    return this.clientSecret !== undefined && world.crypto.equal(utf8(this.clientSecret), hash);
  };
  provider.on('server_error', (_context, error) => world.log.error('oauth.failed', { error: error.message }));
  return provider;
}

function features(): Readonly<Record<string, unknown>> {
  return {
    devInteractions: { enabled: false },
    userinfo: { enabled: false },
    rpInitiatedLogout: { enabled: false },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    deviceFlow: {
      enabled: true,
      mask: '****-****',
      userCodeInputSource: async (context: PageContext, form: string, _out: unknown, error: unknown) => {
        context.body = codePage(form, error !== undefined);
      },
      userCodeConfirmSource: async (
        context: PageContext,
        form: string,
        client: { readonly clientName?: string },
        _info: unknown,
        code: string,
      ) => {
        context.body = confirmPage(form, client.clientName ?? 'this device', code);
      },
      successSource: async (context: PageContext) => {
        context.body = page('Connected', '<p>You can go back to the device.</p>');
      },
    },
  };
}

/** The key that signs what must be signed; made at the first use, lasts as long as the data. */
async function signingKey({ world, config }: Surroundings): Promise<Readonly<Record<string, unknown>>> {
  const path = `${config.data}/oauth-key.json`;
  const kept = await world.disk.read(path);
  if (kept !== undefined) return JSON.parse(latin1(kept)) as Record<string, unknown>;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256', kid: 'hearthline' };
  await world.disk.write(path, utf8(JSON.stringify(key)));
  return key;
}
