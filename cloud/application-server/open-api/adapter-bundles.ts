/**
 * Hands the bundles of releases to gateways: `GET /bundles/{release}?ticket=…`, with ranges (RFC 9110, section 14), so that a download goes
 * on where it was cut. A ticket is of one gateway and one release; without a good one there is nothing to see.
 */
import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { Context } from '#cloud/bus/bus.ts';
import type { PartContext } from '#cloud/bus/part.ts';
import { bundlePath } from '#cloud/store/bundle.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { problemAnswer } from './problem.ts';
import { readRange } from './range.ts';

/** Octets that are read from the disk at once. */
const PART = 256 * 1024;
const AS_API: Context = { principal: { kind: 'part', part: 'application-server' } };

export function addBundles(app: FastifyInstance, context: PartContext): void {
  app.get<{ Params: { release: string }; Querystring: { ticket?: unknown } }>(
    '/bundles/:release',
    async (request, reply) => {
      const { release } = request.params;
      const { ticket } = request.query;
      if (!/^rel_[0-9a-z]{26}$/.test(release) || typeof ticket !== 'string' || ticket.length > 160)
        return refuse(reply, fault('ticket_invalid'));
      const open = await context.bus.request('release.open', { release, ticket }, AS_API);
      if (!open.ok) return refuse(reply, open.fault);
      const { size, sha256 } = open.value;
      const etag = `"${sha256}"`;
      const condition = request.headers['if-range'];
      const asked = condition === undefined || condition === etag ? request.headers.range : undefined;
      const range = readRange(asked, size);
      void reply.headers({ 'accept-ranges': 'bytes', etag, 'cache-control': 'no-store' });
      if (range === 'unsatisfiable') return reply.code(416).header('content-range', `bytes */${size}`).send();
      const { first, last } = range ?? { first: 0, last: size - 1 };
      void reply
        .code(range === undefined ? 200 : 206)
        .type('application/octet-stream')
        .header('content-length', String(last - first + 1));
      if (range !== undefined) void reply.header('content-range', `bytes ${first}-${last}/${size}`);
      return reply.send(
        Readable.from(parts(context, release, first, last), { objectMode: false, highWaterMark: PART }),
      );
    },
  );
}

async function* parts({ world, config }: PartContext, release: string, first: number, last: number) {
  for (let at = first; at <= last; ) {
    const part = await world.disk.part(bundlePath(config.data, release), at, Math.min(PART, last + 1 - at));
    // A release that is withdrawn meanwhile ends the reply short of its length, which the gateway sees.
    if (part === undefined || part.length === 0) return;
    yield part;
    at += part.length;
  }
}

function refuse(reply: FastifyReply, why: Fault): FastifyReply {
  const { status, headers, body } = problemAnswer(why, '/bundles', 'none');
  return reply.code(status).headers(headers).send(body);
}
