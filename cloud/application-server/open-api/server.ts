/** The open API as a part of the cloud: listens on http and, if configured, https. */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Health, Part, PartContext, RunningPart } from '#cloud/bus/part.ts';
import { onRenewed } from '#cloud/bus/server-certificate.ts';
import type { Address } from '#shared/kernel/world.ts';
import { createApp, HEADER_LIMIT } from './adapter-fastify.ts';
import type { FarmControl } from './farm.ts';
import { sweep } from './sweep.ts';

/** Makes the part; `farm` shows and switches the service servers. */
export function createOpenApi({ farm }: { readonly farm: FarmControl }): Part {
  return {
    name: 'application-server',
    async start(context) {
      const app = await createApp(context, farm, { processFacts });
      try {
        return await listen(app, context);
      } catch (error) {
        await app.close();
        throw error;
      }
    },
  };
}

async function listen(app: FastifyInstance, context: PartContext): Promise<RunningPart> {
  const { config } = context;
  await app.listen({ host: config.http.host, port: config.http.port }).catch((error: unknown) => {
    throw new Error(explainListen(error, config.http, '--http'));
  });
  config.bound.http = urlOf('http', config.http.host, app.server.address());
  const secure = await listenSecure(app, context);
  const leave = onRenewed(context, ({ certificate, key }) => secure?.setSecureContext({ cert: certificate, key }));
  const stopSweeping = sweep(context);
  return running(app, async () => {
    stopSweeping();
    leave();
    secure?.closeAllConnections();
    if (secure !== undefined) await new Promise<void>((resolve) => secure.close(() => resolve()));
  });
}

function running(app: FastifyInstance, release: () => Promise<void>): RunningPart {
  let stopped: Promise<void> | undefined;
  return {
    health: (): Health => ({ state: 'running', load: 0, legs: 0 }),
    stop: () => {
      stopped ??= release().then(() => app.close());
      return stopped;
    },
  };
}

async function listenSecure(app: FastifyInstance, { config }: PartContext) {
  const { https } = config;
  if (https === undefined) return undefined;
  const options = { cert: config.server.certificate, key: config.server.key, maxHeaderSize: HEADER_LIMIT };
  const server = createServer(options, (request, response) => app.routing(request, response));
  server.requestTimeout = 30_000;
  server.on('upgrade', (request, socket, head) => app.server.emit('upgrade', request, socket, head));
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(explainListen(error, https, '--https'))));
    server.listen(https.port, https.host, resolve);
  });
  config.bound.https = urlOf('https', https.host, server.address());
  return server;
}

function urlOf(scheme: string, host: string, address: AddressInfo | string | null): string {
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const shown = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme}://${shown.includes(':') ? `[${shown}]` : shown}:${port}`;
}

function explainListen(error: unknown, { host, port }: Address, flag: string): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  if (code === 'EADDRINUSE')
    return `Port ${port} on ${host} is in use: give another with ${flag} HOST:PORT (port 0 takes any free one).`;
  return `Cannot listen on ${host}:${port} (${code}): choose another address with ${flag} HOST:PORT.`;
}

function processFacts() {
  const { user, system } = process.cpuUsage();
  return {
    residentOctets: process.memoryUsage.rss(),
    cpuSeconds: (user + system) / 1e6,
    uptimeSeconds: process.uptime(),
  };
}
