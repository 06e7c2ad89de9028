/** Serves the built portal from memory: a path is only ever a key of a map, so none can lead out of the folder. */
import { gzipSync } from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { PartContext } from '#cloud/bus/part.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { appPaths, contentType, NOT_BUILT } from './files.ts';

interface PortalFile {
  readonly type: string;
  readonly octets: Uint8Array;
  readonly packed: Uint8Array;
  readonly tag: string;
  /** Its name carries a hash of its content. */
  readonly forever: boolean;
}

/** Adds `GET /`, the files of the build and, for every path of the web app, its page. */
export async function addPortal(app: FastifyInstance, context: PartContext): Promise<void> {
  const files = await load(context);
  const page = files.get('/index.html') ?? notBuilt(context);
  for (const [path, file] of files) app.get(path, (request, reply) => send(request, reply, file));
  for (const path of appPaths) app.get(path, (request, reply) => send(request, reply, page));
}

async function load(context: PartContext): Promise<Map<string, PortalFile>> {
  const files = new Map<string, PortalFile>();
  const folder = context.config.portal;
  if (folder === undefined) return files;
  for (const [inside, forever] of [
    ['', false],
    ['/assets', true],
  ] as const) {
    for (const name of await context.world.disk.list(`${folder}${inside}`)) {
      const type = contentType(name);
      const octets = type === undefined ? undefined : await context.world.disk.read(`${folder}${inside}/${name}`);
      if (type !== undefined && octets !== undefined)
        files.set(`${inside}/${name}`, toFile(context, type, octets, forever));
    }
  }
  return files;
}

function toFile({ world }: PartContext, type: string, octets: Uint8Array, forever: boolean): PortalFile {
  const tag = `"${hex(world.crypto.hash('sha256', octets)).slice(0, 32)}"`;
  return { type, octets, packed: gzipSync(octets), tag, forever };
}

function notBuilt(context: PartContext): PortalFile {
  return toFile(context, 'text/plain; charset=utf-8', utf8(NOT_BUILT), false);
}

function send(request: FastifyRequest, reply: FastifyReply, file: PortalFile): FastifyReply {
  void reply.headers({
    'content-type': file.type,
    'cache-control': file.forever ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: file.tag,
    vary: 'accept-encoding',
  });
  if (request.headers['if-none-match'] === file.tag) return reply.code(304).send();
  const packs = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  if (packs) void reply.header('content-encoding', 'gzip');
  return reply.send(Buffer.from(packs ? file.packed : file.octets));
}
