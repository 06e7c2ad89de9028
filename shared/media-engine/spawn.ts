/** Starts the engine process so that it lives on when its parent dies. */
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { spawnEntry } from '#shared/host/spawn.ts';
import type { GraphOptions } from './graph-host.ts';

export interface EngineProcessOptions extends GraphOptions {
  readonly socketPath: string;
  /** Worker threads; default: one per core but one, at least one. */
  readonly workers?: number;
  /** How long it lives without a parent, ms. */
  readonly aloneFor: number;
}

/** Longest path of a Unix socket that every platform takes, octets (sun_path less a reserve for `.token`). */
const PATH_LIMIT = 100;

/**
 * Where the engine of a folder (or another child, by `name`) listens: in the folder or, where that path is too long for a socket, in a folder of our own
 * under the temporary one, named by a hash. Throws where somebody else has made that folder.
 */
export function engineSocket(folder: string, name = 'engine.sock'): string {
  const path = join(resolve(folder), name);
  if (Buffer.byteLength(path) <= PATH_LIMIT) return path;
  const short = join(tmpdir(), `hearthline-${createHash('sha256').update(path).digest('hex').slice(0, 24)}`);
  mkdirSync(short, { recursive: true, mode: 0o700 });
  const facts = lstatSync(short);
  if (!facts.isDirectory() || facts.uid !== process.getuid?.()) throw new Error(`${short} belongs to somebody else`);
  return join(short, name);
}

/** The priority in the real-time class that the service manager asks for, in `HEARTHLINE_MEDIA_REALTIME`; none unless it is 1 to 99. */
export function askedRealtime(asked = process.env.HEARTHLINE_MEDIA_REALTIME): { realtime?: number } {
  return asked !== undefined && /^[1-9][0-9]?$/.test(asked) ? { realtime: Number(asked) } : {};
}

/** What it says on its way down is in `<socketPath>.log`. Answers with its process id. */
export function spawnEngine(options: EngineProcessOptions): number | undefined {
  mkdirSync(dirname(options.socketPath), { recursive: true, mode: 0o700 });
  const log = openSync(`${options.socketPath}.log`, 'a', 0o600);
  try {
    const child = spawnEntry('media-engine', [JSON.stringify(options)], {
      ...askedRealtime(),
      detached: true,
      stdio: ['ignore', 'ignore', log],
    });
    child.on('error', () => undefined);
    child.unref();
    return child.pid;
  } finally {
    closeSync(log);
  }
}
