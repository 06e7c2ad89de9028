/** The open API on fastify: parsing and sending; every decision is made in `api.ts` and its neighbours. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import type { PartContext } from '#cloud/bus/part.ts';
import { err } from '#shared/kernel/result.ts';
import { type Fault, type FaultCode, fault } from '#shared/protocol/fault.ts';
import { SOCKET_PATH, serveSockets } from '../events/adapter-ws.ts';
import { addOAuth } from '../oauth/adapter-oidc.ts';
import { startPlatform } from '../platform.ts';
import { addPortal } from '../portal/server.ts';
import { addBundles } from './adapter-bundles.ts';
import { addPages, type ProcessFacts } from './adapter-pages.ts';
import { Api } from './api.ts';
import { SESSION_LENGTH } from './credentials.ts';
import { type FarmControl, farmHandlers } from './farm.ts';
import { isOurHost, securityHeaders, sessionCookie } from './guard.ts';
import { ourHosts } from './hosts.ts';
import { RequestCounts } from './metrics.ts';
import { type Answer, problemAnswer } from './problem.ts';
import type { Admission, Incoming } from './request.ts';
import { methodsOf, type Route, routes } from './routes.ts';
import { signInHandlers } from './sign-in.ts';

/** Octets of a request's body. */
export const BODY_LIMIT = 256 * 1024;
/** Octets of a request's line and header. */
export const HEADER_LIMIT = 16 * 1024;

/** What an app may be given beside its context. */
export interface AppOptions {
  /** Facts of the process for `/metrics`; absent in the virtual world. */
  readonly processFacts?: ProcessFacts;
}

/** What is kept beside each request. */
interface Visit {
  readonly since: number;
  readonly incoming: Incoming;
  admission?: Admission;
}

/**
 * Makes the API, serves the bus verbs of `application-server`, and gives the fastify app: `app.inject(…)` needs no socket.
 * `app.close()` ends its streams and takes the verbs from the bus.
 */
export async function createApp(
  context: PartContext,
  farm: FarmControl,
  options: AppOptions = {},
): Promise<FastifyInstance> {
  const app = fastify({
    bodyLimit: BODY_LIMIT,
    forceCloseConnections: true,
    requestTimeout: 30_000,
    keepAliveTimeout: 60_000,
    pluginTimeout: 0,
    return503OnClosing: false,
    http: { maxHeaderSize: HEADER_LIMIT },
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: refuseSocket,
    frameworkErrors: (error, request, reply) =>
      void sendProblem(request, reply.headers(securityHeaders), faultOf(error)),
  });
  const platform = startPlatform(context);
  const api = new Api(context, platform.feed);
  const counts = new RequestCounts();
  const hosts = ourHosts(context);
  const visits = new WeakMap<FastifyRequest, Visit>();
  const leaveBus = context.bus.serve('application-server', {
    ...farmHandlers(farm),
    ...signInHandlers(context),
    ...platform.handlers,
  });
  const sockets = serveSockets({ world: context.world, api, hosts, incomingOf: incomingOfMessage });
  sockets.attach(app.server);
  const open = new Set<() => void>();

  app.addHook('onClose', async () => {
    leaveBus();
    for (const close of open) close();
    sockets.close();
    await platform.stop();
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) =>
    parseJson(String(text), done),
  );

  app.addHook('onRequest', async (request, reply) => {
    const incoming = incomingOf(request);
    visits.set(request, { since: context.world.clock.mono(), incoming });
    reply.headers({ ...securityHeaders, 'x-request-id': request.id, ...correlation(incoming) });
    if (!isOurHost(incoming.header('host'), hosts())) return sendProblem(request, reply, fault('wrong_host'));
  });
  app.setNotFoundHandler((request, reply) => missing(request, reply));
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = faultOf(error);
    if (known.code === 'internal')
      context.world.log.error('api.failed', { error: error.stack ?? error.message, request: request.id });
    return sendProblem(request, reply, known);
  });

  for (const route of routes) addRoute(route);
  app.get(SOCKET_PATH, (request, reply) =>
    sendProblem(request, reply, fault('upgrade_required'), { upgrade: 'websocket' }),
  );
  addPages(app, { ...context, api, counts, visitOf: (request) => incomingOf(request), ...options });
  addBundles(app, context);
  await addOAuth(app, {
    ...context,
    incomingOf,
    overBudget: (incoming) => api.oauthBudget(incoming),
    refuse: (request, reply, reason) => sendProblem(request, reply, reason),
  });
  await addPortal(app, context);

  function addRoute(route: Route): void {
    app.route({
      method: route.http.method,
      ...(route.http.bodyLimit === undefined ? {} : { bodyLimit: route.http.bodyLimit }),
      url: route.http.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      exposeHeadRoute: route.http.method === 'GET' && route.http.stream === undefined,
      onRequest: async (request, reply) => {
        const visit = visits.get(request);
        const admitted = visit === undefined ? err(fault('internal')) : await api.admit(route, visit.incoming);
        if (!admitted.ok) return send(request, reply, problemAnswer(admitted.fault, pathOf(request), route.verb));
        if (visit !== undefined) visit.admission = admitted.value;
      },
      handler: (request, reply) => handle(route, request, reply),
    });
  }

  async function handle(route: Route, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const visit = visits.get(request);
    if (visit?.admission === undefined) return sendProblem(request, reply, fault('unauthorized'));
    const parts = {
      params: request.params as Record<string, string>,
      query: request.query as Record<string, string | string[]>,
      body: request.body,
    };
    const answer = await api.run(route, visit.incoming, visit.admission, parts);
    if ('stream' in answer) return stream(route.verb, request, reply, answer.stream);
    if (answer.outcome === 'ok') setCookie(route, visit.incoming, reply, answer);
    return send(request, reply, answer);
  }

  function stream(
    verb: Route['verb'],
    request: FastifyRequest,
    reply: FastifyReply,
    events: { chunks: AsyncGenerator<string>; close(): void },
  ) {
    open.add(events.close);
    reply.raw.once('close', () => {
      open.delete(events.close);
      events.close();
    });
    counts.add(verb, 'ok', 0);
    void reply.headers({ 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' });
    request.raw.socket.setTimeout?.(0);
    return reply.send(Readable.from(events.chunks, { objectMode: false, highWaterMark: 16 * 1024 }));
  }

  function send(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply {
    const since = visits.get(request)?.since ?? context.world.clock.mono();
    counts.add(answer.verb, answer.outcome, context.world.clock.mono() - since);
    return reply
      .code(answer.status)
      .headers({ 'cache-control': 'no-store', ...limits(request, answer), ...answer.headers })
      .send(answer.body);
  }

  /** What is left of the asker's allowance; of one that is used up, nothing for as long as Retry-After says. */
  function limits(request: FastifyRequest, { outcome, headers }: Answer): Readonly<Record<string, string>> {
    if (outcome === 'rate_limited') return { ratelimit: `"default";r=0;t=${headers['retry-after'] ?? '1'}` };
    return visits.get(request)?.admission?.limits ?? {};
  }

  function sendProblem(request: FastifyRequest, reply: FastifyReply, reason: Fault, more: Record<string, string> = {}) {
    return send(request, reply, problemAnswer(reason, pathOf(request), 'none', more));
  }

  function missing(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const methods = methodsOf(pathOf(request));
    if (methods.length === 0) return sendProblem(request, reply, fault('not_found', 'No operation has this path.'));
    const allow = { allow: methods.join(', ') };
    if (request.method === 'OPTIONS')
      return send(request, reply, { status: 204, headers: allow, body: '', verb: 'none', outcome: 'ok' });
    return sendProblem(request, reply, fault('method_not_allowed'), allow);
  }

  return app;
}

function setCookie(route: Route, incoming: Incoming, reply: FastifyReply, answer: Answer): void {
  if (route.verb === 'auth.sign-in') {
    const { token } = JSON.parse(answer.body) as { token: string };
    void reply.header('set-cookie', sessionCookie(token, incoming.secure, SESSION_LENGTH / 1000));
  }
  if (route.verb === 'auth.sign-out') void reply.header('set-cookie', sessionCookie('', incoming.secure, 0));
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '/';
}

function incomingOf(request: FastifyRequest): Incoming {
  return { ...incomingOfMessage(request.raw), path: pathOf(request), source: request.socket.remoteAddress ?? 'none' };
}

function incomingOfMessage(message: IncomingMessage): Incoming {
  return {
    method: message.method ?? 'GET',
    path: (message.url ?? '/').split('?', 1)[0] ?? '/',
    source: message.socket.remoteAddress ?? 'none',
    secure: 'encrypted' in message.socket && message.socket.encrypted === true,
    header: (name) => {
      const value = message.headers[name];
      return Array.isArray(value) ? value.join(', ') : value;
    },
  };
}

/** Names that a caller gave its request come back (W3C Trace Context; CAMARA's x-correlator). */
function correlation({ header }: Incoming): Readonly<Record<string, string>> {
  const trace = header('traceparent') ?? '';
  const correlator = header('x-correlator') ?? '';
  return {
    ...(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(trace) ? { traceparent: trace } : {}),
    ...(/^[A-Za-z0-9\-_:;./<>{}]{1,256}$/.test(correlator) ? { 'x-correlator': correlator } : {}),
  };
}

function parseJson(text: string, done: (error: Error | null, body?: unknown) => void): void {
  try {
    done(null, text === '' ? undefined : JSON.parse(text));
  } catch {
    done(Object.assign(new Error('not JSON'), { code: 'NOT_JSON' }));
  }
}

const known: Readonly<Record<string, readonly [FaultCode, string?]>> = {
  NOT_JSON: ['bad_request', 'The body is not valid JSON.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type'],
  FST_ERR_CTP_EMPTY_TYPE: ['unsupported_media_type'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['too_large', `A body has at most ${BODY_LIMIT} octets.`],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['bad_request', 'Content-Length does not match the body.'],
  FST_ERR_BAD_URL: ['bad_request', 'The path is not validly encoded.'],
  FST_ERR_INVALID_URL: ['bad_request', 'The path is not validly encoded.'],
};

function faultOf(error: FastifyError): Fault {
  const entry = Object.hasOwn(known, error.code ?? '') ? known[error.code] : undefined;
  if (entry !== undefined) return fault(...entry);
  return error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500
    ? fault('bad_request')
    : fault('internal');
}

/** A connection whose octets are no HTTP request gets a problem too, then ends. */
function refuseSocket(error: NodeJS.ErrnoException, socket: import('node:net').Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const code: FaultCode = error.code === 'HPE_HEADER_OVERFLOW' ? 'headers_too_large' : 'bad_request';
  const { status, headers, body } = problemAnswer(fault(code), '/', 'none');
  const lines = Object.entries({ ...headers, connection: 'close', 'content-length': String(body.length) });
  socket.end(
    `HTTP/1.1 ${status} Refused\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  );
}
