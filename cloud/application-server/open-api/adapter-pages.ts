/** Routes beside the verbs: health, metrics, the OpenAPI document, discovery for gateways, and a page for every fault. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PartContext } from '#cloud/bus/part.ts';
import { fault } from '#shared/protocol/fault.ts';
import { DISCOVERY_PATH, type Discovery } from '#shared/protocol/pairing.ts';
import { farmServers, servers } from '#shared/protocol/servers.ts';
import { openApiDocument } from '../docs.ts';
import type { Api } from './api.ts';
import { faultFacts, faultPage } from './error-page.ts';
import { isLoopback } from './guard.ts';
import { type Metric, metricText, type RequestCounts } from './metrics.ts';
import { problemAnswer } from './problem.ts';
import type { Incoming } from './request.ts';

/** Gauges of the process. */
export type ProcessFacts = () => {
  readonly residentOctets: number;
  readonly cpuSeconds: number;
  readonly uptimeSeconds: number;
};

export interface PagesContext extends PartContext {
  readonly api: Api;
  readonly counts: RequestCounts;
  readonly processFacts?: ProcessFacts;
  visitOf(request: FastifyRequest): Incoming;
}

export function addPages(app: FastifyInstance, context: PagesContext): void {
  const document = JSON.stringify(openApiDocument());
  const json = (reply: FastifyReply, body: string) =>
    reply.header('content-type', 'application/json; charset=utf-8').send(body);
  app.get('/openapi.json', (_request, reply) => json(reply, document));
  app.get('/healthz', async (_request, reply) => json(reply, JSON.stringify(await health(context))));
  app.get(DISCOVERY_PATH, (_request, reply) => json(reply, JSON.stringify(discovery(context))));
  app.get('/metrics', (request, reply) => metrics(context, request, reply));
  app.get<{ Params: { code: string } }>('/errors/:code', (request, reply) =>
    errorPage(request.params.code, request, reply),
  );
}

/** Alive means: the store answers. Servers that are down are named, but do not make the cloud unhealthy. */
async function health({ store, bus }: PagesContext): Promise<object> {
  await store.one('SELECT 1 AS alive');
  return { status: 'ok', stopped: farmServers.filter((name) => !bus.has(name)) };
}

/** Where gateways find MQTT and SIP, and whom they must believe there. */
function discovery({ config }: PagesContext): Discovery {
  const host = config.publicHost.includes(':') ? `[${config.publicHost}]` : config.publicHost;
  const securePort = config.bound.https?.split(':').at(-1);
  return {
    mqtt: `${host}:${config.bound.mqtt?.port ?? config.mqtt.port}`,
    sips: `${host}:${config.bound.sips?.port ?? config.sips.port}`,
    ca: config.authority.certificate,
    ...(securePort === undefined ? {} : { http: `https://${host}:${securePort}` }),
  };
}

/** Open to programs on this machine; from elsewhere only to operators and technicians. */
async function metrics(context: PagesContext, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const incoming = context.visitOf(request);
  if (!isLoopback(incoming.source)) {
    const { credential } = await context.api.credentialOf(incoming);
    const role = credential?.principal.role;
    if (role !== 'operator' && role !== 'technician') {
      const answer = problemAnswer(fault(role === undefined ? 'unauthorized' : 'forbidden'), '/metrics', 'none');
      return reply.code(answer.status).headers(answer.headers).send(answer.body);
    }
  }
  return reply
    .header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
    .send(context.counts.text() + gauges(context));
}

function gauges({ bus, processFacts }: PagesContext): string {
  const up: Metric = {
    name: 'hearthline_part_up',
    help: 'Whether a part of the cloud serves its verbs.',
    type: 'gauge',
    samples: servers.map((part) => ({ labels: { part }, value: bus.has(part) ? 1 : 0 })),
  };
  const facts = processFacts?.();
  const one = (name: string, type: Metric['type'], help: string, value: number): Metric => ({
    name,
    type,
    help,
    samples: [{ value }],
  });
  const all =
    facts === undefined
      ? [up]
      : [
          up,
          one('process_resident_memory_bytes', 'gauge', 'Resident memory.', facts.residentOctets),
          one('process_cpu_seconds_total', 'counter', 'Processor time, user and system.', facts.cpuSeconds),
          one('hearthline_uptime_seconds', 'gauge', 'Seconds since the process started.', facts.uptimeSeconds),
        ];
  return all.map(metricText).join('');
}

/** What a fault means, for people (HTML) and programs (JSON). */
function errorPage(code: string, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const facts = faultFacts(code);
  if (facts === undefined) {
    const answer = problemAnswer(fault('not_found', 'No fault has this code.'), '/errors', 'none');
    return reply.code(answer.status).headers(answer.headers).send(answer.body);
  }
  if (!(request.headers.accept ?? '').includes('text/html'))
    return reply.header('content-type', 'application/json; charset=utf-8').send(JSON.stringify(facts));
  return reply.header('content-type', 'text/html; charset=utf-8').send(faultPage(facts));
}
