/**
 * Events over WebSocket (RFC 6455) at `/v1/events/ws`: each text message is one CloudEvent, the same octets as on every other way. After
 * a batch comes `{"cursor":"…"}`, the place to name as `?after=` when coming back. A browser is known by its cookie and
 * must come from a page of ours; programs send a bearer token.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { readCursor, writeCursor } from '#cloud/store/event-reader.ts';
import { every } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { homeFault } from '../open-api/access.ts';
import type { Api } from '../open-api/api.ts';
import { isOurHost, isSameOrigin, securityHeaders } from '../open-api/guard.ts';
import { problemAnswer } from '../open-api/problem.ts';
import type { Admission, Incoming } from '../open-api/request.ts';
import { mergeRequest, type Route, routes } from '../open-api/routes.ts';
import type { Following } from './follow.ts';

export const SOCKET_PATH = '/v1/events/ws';
/** Octets of a message from a client; it has nothing to say. */
const MESSAGE_LIMIT = 1024;
/** Octets that may wait for a slow client before the next page is read. */
const WAITING_OCTETS = 256 * 1024;
/** Milliseconds between pings; a client that has not answered the one before is cut off. */
const PING_EVERY = 30_000;

interface Surroundings {
  readonly world: World;
  readonly api: Api;
  hosts(): ReadonlySet<string>;
  incomingOf(request: IncomingMessage): Incoming;
}

interface Wish {
  readonly route: Route;
  readonly incoming: Incoming;
  readonly admission: Admission;
  readonly request: VerbRequest<'event.list'>;
}

/** Answers the upgrade requests of a server; the result ends every socket. */
export function serveSockets(at: Surroundings): { attach(server: Server): void; close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MESSAGE_LIMIT, clientTracking: true });
  const answer = async (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    const wish = await judge(at, message);
    if ('code' in wish) return refuse(socket, wish);
    sockets.handleUpgrade(message, socket, head, (client) => serve(at, client, wish));
  };
  return {
    attach(server) {
      server.on('upgrade', (message, socket, head) => {
        socket.on('error', () => socket.destroy());
        answer(message, socket, head).catch((error: unknown) => {
          at.world.log.error('api.socket-failed', { error: String(error) });
          socket.destroy();
        });
      });
    },
    close() {
      for (const client of sockets.clients) client.terminate();
      sockets.close();
    },
  };
}

/** Whether a request may become a socket: host, path, origin, credential, fields, and room for one more stream. */
async function judge({ api, hosts, incomingOf }: Surroundings, message: IncomingMessage): Promise<Wish | Fault> {
  const incoming = incomingOf(message);
  if (!isOurHost(incoming.header('host'), hosts())) return fault('wrong_host');
  const route = routes.find(({ verb }) => verb === 'event.list');
  if (incoming.path !== SOCKET_PATH || route === undefined) return fault('not_found');
  const origin = incoming.header('origin');
  const foreign = !isSameOrigin(origin, incoming.header('host'), incoming.secure);
  if (incoming.header('authorization') === undefined && foreign) return fault('wrong_origin');
  const admitted = await api.admit(route, incoming);
  if (!admitted.ok) return admitted.fault;
  const query = new URL(message.url ?? '/', 'http://local').searchParams;
  const fields = Object.fromEntries([...query.keys()].map((name) => [name, query.getAll(name)]));
  const single = Object.fromEntries(
    Object.entries(fields).map(([name, all]) => [name, all.length === 1 ? (all[0] ?? '') : all]),
  );
  const merged = mergeRequest(route, { params: {}, query: single, body: undefined });
  if (!merged.ok) return merged.fault;
  const wrong = route.check(merged.value) ?? homeFault(admitted.value.context.principal, merged.value);
  const request = merged.value as VerbRequest<'event.list'>;
  return wrong ?? api.streams.full(admitted.value) ?? { route, incoming, admission: admitted.value, request };
}

function refuse(socket: Duplex, reason: Fault): void {
  const { status, headers, body } = problemAnswer(reason, SOCKET_PATH, 'event.list');
  const all = {
    ...securityHeaders,
    ...headers,
    connection: 'close',
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} Refused\r\n${lines.join('')}\r\n${body}`);
}

function serve({ world, api }: Surroundings, client: WebSocket, wish: Wish): void {
  const leave = api.streams.enter(wish.admission);
  let following: Following | undefined;
  let alive = true;
  const stopPings = every(world.clock, PING_EVERY, () => {
    if (!alive) return client.terminate();
    alive = false;
    client.ping();
  });
  client.on('pong', () => {
    alive = true;
  });
  client.on('error', () => client.terminate());
  client.on('close', () => {
    stopPings();
    leave();
    following?.close();
  });
  void (async () => {
    const from = readCursor(wish.request.after ?? '') ?? (await api.streams.newest());
    following = api.streams.follow(wish, wish.request, from);
    if (client.readyState !== client.OPEN) return following.close();
    client.send(JSON.stringify({ cursor: writeCursor(from) }));
    for await (const { items, cursor } of following.batches) {
      for (const { text } of items) client.send(text);
      client.send(JSON.stringify({ cursor: writeCursor(cursor) }));
      if (client.bufferedAmount > WAITING_OCTETS) await drained(client);
    }
    client.close(1008, 'The credential may hear no more.');
  })().catch((error: unknown) => {
    world.log.error('api.socket-failed', { error: String(error) });
    client.terminate();
  });
}

/** Resolves once what was sent before has left, or the client is gone. */
function drained(client: WebSocket): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', () => resolve());
    client.ping(undefined, undefined, () => resolve());
  });
}
