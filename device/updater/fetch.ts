/** Brings a bundle onto the disk: by HTTP ranges (RFC 9110, section 14), so that a cut costs one part at the most, or from a mounted stick. */
import { err, ok, type Result } from '#shared/kernel/result.ts';
import { type HttpReply, NetError, type World } from '#shared/kernel/world.ts';
import type { FaultCode } from '#shared/protocol/fault.ts';
import { BUNDLE_LIMIT } from '#shared/protocol/verbs/rollout.ts';

/** Octets that are asked for at once. */
export const PART = 1024 * 1024;
const TIMEOUT = 30_000;

/** Where a bundle lies. `expired` in a fault asks for another address. */
export interface Place {
  readonly url: string;
  /** SHA-256 of the key of the authority that must stand behind the server; absent: the web's own. */
  readonly pin?: string;
}

export interface FetchFault {
  readonly why: string;
  /** Trying again is no use. */
  readonly code?: FaultCode;
  /** The address is good no more. */
  readonly expired?: boolean;
}

export interface FetchOptions {
  readonly world: Pick<World, 'disk' | 'http' | 'log'>;
  /** The file that grows. */
  readonly path: string;
  readonly size?: number;
  /** False once nobody wants the bundle any more. */
  readonly wanted: () => boolean;
  /** Called with the octets that are here. */
  readonly progress: (octets: number) => void;
}

/** Downloads what is missing; resolves once the file has its size. What was downloaded stays for the next try. */
export async function download(options: FetchOptions, place: Place): Promise<Result<void, FetchFault>> {
  let size = options.size;
  while (options.wanted()) {
    const here = await sizeOf(options.world, options.path);
    if (size !== undefined && here >= size) {
      if (here === size) return ok(undefined);
      await options.world.disk.remove(options.path);
      continue;
    }
    const part = await ask(options.world, place, here);
    if (!part.ok) return part;
    const wrong = misfit(part.value, here, size);
    if (wrong !== undefined) return err(wrong);
    size ??= part.value.total;
    const kept = await keep(options, part.value.octets);
    if (!kept.ok) return kept;
    options.progress(here + part.value.octets.length);
    // Without a known size the server's own counts: the last octet ends it.
    if (here + part.value.octets.length >= size) return ok(undefined);
  }
  return err({ why: 'nobody wants it any more', code: 'update_stopped' });
}

/** Copies a file from a stick, so that it can be pulled and nobody changes it. */
export async function copy(options: FetchOptions, from: string): Promise<Result<void, FetchFault>> {
  const { world, path, wanted, progress } = options;
  if (from === path) return ok(undefined);
  await world.disk.remove(path);
  for (let at = 0; wanted(); ) {
    const part = await world.disk.part(from, at, PART).catch(() => undefined);
    if (part === undefined) return err({ why: `${from} cannot be read`, code: 'update_not_found' });
    if (part.length === 0) return ok(undefined);
    if (at + part.length > BUNDLE_LIMIT) return err({ why: 'larger than any bundle', code: 'update_damaged' });
    const kept = await keep(options, part);
    if (!kept.ok) return kept;
    at += part.length;
    progress(at);
  }
  return err({ why: 'nobody wants it any more', code: 'update_stopped' });
}

interface Part {
  readonly octets: Uint8Array;
  readonly total: number;
}

async function ask(world: Pick<World, 'http'>, { url, pin }: Place, here: number): Promise<Result<Part, FetchFault>> {
  let reply: HttpReply;
  try {
    reply = await world.http.request({
      method: 'GET',
      url,
      headers: { range: `bytes=${here}-${here + PART - 1}`, accept: 'application/octet-stream' },
      octets: true,
      limit: PART,
      timeout: TIMEOUT,
      ...(pin === undefined ? {} : { pin }),
    });
  } catch (error) {
    if (!(error instanceof NetError)) throw error;
    if (error.code === 'ETOOLARGE')
      return err({ why: 'the server sends no ranges of the file', code: 'update_download_failed' });
    return err({ why: `${error.code}: ${error.message}` });
  }
  return read(reply, here);
}

function read({ status, headers, octets = new Uint8Array() }: HttpReply, here: number): Result<Part, FetchFault> {
  if (status === 200 && here === 0) return ok({ octets, total: octets.length });
  if (status === 401 || status === 403 || status === 410)
    return err({ why: `the server answered ${status}`, expired: true });
  if (status === 404) return err({ why: 'the server has no such file', code: 'update_not_found' });
  if (status !== 206) return err({ why: `the server answered ${status}` });
  const range = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers['content-range'] ?? '');
  if (range === null || Number(range[1]) !== here || Number(range[2]) !== here + octets.length - 1)
    return err({ why: 'the server sent another range than was asked for' });
  return ok({ octets, total: Number(range[3]) });
}

/** Judged before anything is written. */
function misfit({ octets, total }: Part, here: number, size: number | undefined): FetchFault | undefined {
  if (size !== undefined && total !== size)
    return { why: `the file has ${total} octets, the release ${size}`, code: 'update_damaged' };
  if (total > BUNDLE_LIMIT || here + octets.length > total)
    return { why: 'the file is too large', code: 'update_damaged' };
  return octets.length === 0 ? { why: 'the server sent nothing' } : undefined;
}

async function keep({ world, path }: FetchOptions, octets: Uint8Array): Promise<Result<void, FetchFault>> {
  try {
    const file = await world.disk.append(path);
    try {
      await file.append(octets);
    } finally {
      await file.close();
    }
    return ok(undefined);
  } catch (error) {
    world.log.warn('updater.no-write', { error: String(error) });
    // What is half here is no use on a full disk, and the outcome itself needs room to be kept.
    await world.disk.remove(path).catch(() => {});
    return err({ why: 'the disk takes no more', code: 'update_no_room' });
  }
}

/** Octets of a file; 0 where there is none. */
export async function sizeOf({ disk }: Pick<World, 'disk'>, path: string): Promise<number> {
  if ((await disk.part(path, 0, 1)) === undefined) return 0;
  const file = await disk.append(path);
  try {
    return file.size;
  } finally {
    await file.close();
  }
}
