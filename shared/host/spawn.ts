/**
 * Starts our own child processes and worker threads by name: from their `.ts` files in a clone, and from the executable itself
 * where the program is one file (Node's single executable application).
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { getAsset, isSea } from 'node:sea';
import { Worker } from 'node:worker_threads';

/** What starts as a process of its own, with its file below `shared/`. The executable's entry has a case for each. */
export const processes = {
  'media-engine': 'media-engine/process.ts',
  'applet-sandbox': 'applet/process.ts',
} as const;

/** What starts as a worker thread, with its file below `shared/`; in the executable an asset, a script of its own. */
export const workers = { 'media-worker': 'media-engine/worker.ts' } as const;

/** Files of packages that travel as assets; in a clone each is found as a module. */
const packageFiles = { 'quickjs.wasm': '@jitl/quickjs-wasmfile-release-sync/wasm' } as const;

export type ProcessName = keyof typeof processes;
export type WorkerName = keyof typeof workers;

const shared = resolve(import.meta.dirname ?? '/', '..');
/** Stands before the name of an entry on the command line of the executable, so that it shows in a list of processes. */
const MARK = '@';

/** The entry that this process was started as, its mark taken out of `argv`; undefined for a person's command line. */
export function takeEntry(argv: string[]): ProcessName | undefined {
  const word = argv[2] ?? '';
  const name = (Object.keys(processes) as ProcessName[]).find((one) => word === `${MARK}${one}`);
  if (name !== undefined) argv.splice(2, 1);
  return name;
}

export interface EntryOptions extends Pick<SpawnOptions, 'cwd' | 'detached' | 'stdio' | 'env'> {
  /** Flags of Node.js for the child. */
  readonly flags?: readonly string[];
  /**
   * Puts the child and all its threads into the real-time class that takes turns (SCHED_RR), at this priority (1 to 99; sched(7)).
   * Needs `chrt`, and the right to. Without turns (SCHED_FIFO) a thread of V8 that looks again and again for its sweeper to end
   * never lets that run where there is one processor: everything stands still.
   */
  readonly realtime?: number;
}

/** Starts a process of ours. Its `argv[2]` and on are `args` in either form. */
export function spawnEntry(name: ProcessName, args: readonly string[], options: EntryOptions): ChildProcess {
  const { flags = [], realtime, ...rest } = options;
  const start = (words: readonly string[], how: SpawnOptions) =>
    realtime === undefined
      ? spawn(process.execPath, words, how)
      : spawn('chrt', ['--rr', String(realtime), process.execPath, ...words], how);
  if (!isSea()) return start([...flags, join(shared, processes[name]), ...args], rest);
  const env = { ...(rest.env ?? process.env), NODE_OPTIONS: flags.join(' ') };
  return start([`${MARK}${name}`, ...args], { ...rest, env });
}

/** The flags of Node's permission model that let a child read its own code; the executable holds its code in itself. */
export function readOwnCode(): string[] {
  if (isSea()) return [];
  const root = resolve(shared, '..');
  // The packages may stand elsewhere, behind a link.
  return [`--allow-fs-read=${root}`, `--allow-fs-read=${realpathSync(join(root, 'node_modules'))}`];
}

/** Starts a worker thread of ours. */
export function startWorker(name: WorkerName, workerData: unknown): Worker {
  return isSea()
    ? new Worker(getAsset(name, 'utf8'), { eval: true, workerData })
    : new Worker(join(shared, workers[name]), { workerData });
}

/** Octets of a package's file. */
export function packageFile(name: keyof typeof packageFiles): Uint8Array {
  if (isSea()) return new Uint8Array(getAsset(name));
  return readFileSync(createRequire(import.meta.url).resolve(packageFiles[name]));
}
