/** What benches of whole processes share: `hearthline` commands as children in a folder of their own, and what /proc tells. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

export const HOST = '127.0.0.1';
const root = resolve(import.meta.dirname, '..');
/** Ticks of /proc/PID/stat per second: what Linux shows to every program. */
const TICKS = 100;
/** What `bin/hearthline` tells Node for a cloud. */
const AS_INSTALLED = ['--max-semi-space-size=64'];
/** Milliseconds that a process may take to be ready, and to end when told to. */
const READY_WITHIN = 30_000;
const END_WITHIN = 8_000;

/** Address, token and first code of what has started; a device has no `http`, a cloud no `pairing`. */
interface Ready {
  readonly http: string;
  readonly operatorToken: string;
  readonly sip: { readonly udp: string };
  readonly pairing: { readonly code: string | null } | null;
}

export interface Running {
  readonly pid: number;
  readonly ready: Ready;
  /** From the spawn to the ready file, ms. */
  readonly took: number;
  /** CPU seconds of the process until then. */
  readonly cpu: number;
  /** Its media engine, which lives on for a while when it ends. */
  readonly engine: number | undefined;
}

/** Children of one bench. Disposed of, or at a signal, they and their engines have ended by their pids, and the folder is gone. */
export class Processes implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-bench-'));
  readonly #children: ChildProcess[] = [];
  readonly #engines: number[] = [];
  #count = 0;
  #disposed: Promise<void> | undefined;

  constructor() {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => void this[Symbol.asyncDispose]().finally(() => process.exit(2)));
  }

  /** Runs any program in the folder; its output is not kept. */
  program(name: string, words: readonly string[]): ChildProcess {
    if (this.#disposed !== undefined) throw new Error('the bench is ending');
    const child = spawn(name, words, { cwd: this.folder, stdio: 'ignore' });
    this.#children.push(child);
    return child;
  }

  /** Starts a `hearthline` command, with flags for Node, and waits for its ready file. */
  async hearthline(words: readonly string[], node: readonly string[] = []): Promise<Running> {
    const file = join(this.folder, `ready-${++this.#count}.json`);
    const start = performance.now();
    const child = this.program(process.execPath, [...node, join(root, 'cli/main.ts'), ...words, '--ready', file]);
    while (!existsSync(file)) {
      if (ended(child)) throw new Error(`hearthline ${words[0]} ended with ${child.exitCode ?? child.signalCode}`);
      if (performance.now() - start > READY_WITHIN) throw new Error(`hearthline ${words[0]} is not ready in 30 s`);
      await pause(2);
    }
    const took = performance.now() - start;
    const pid = child.pid ?? 0;
    const cpu = cpuOf(pid);
    const [engine] = childrenOf(pid);
    if (engine !== undefined) this.#engines.push(engine);
    return { pid, ready: JSON.parse(readFileSync(file, 'utf8')) as Ready, took, cpu, engine };
  }

  /** The cloud on any free ports of the loopback, with flags for Node beside those that `bin/hearthline` gives it. */
  cloud(name = 'cloud', node: readonly string[] = []): Promise<Running> {
    const any = ['http', 'mqtt', 'sip', 'sips'].flatMap((one) => [`--${one}`, `${HOST}:0`]);
    const data = join(this.folder, name);
    const words = ['cloud', '--data', data, ...any, '--media', `${HOST}:10000-19999`, '--log', 'error'];
    return this.hearthline(words, [...AS_INSTALLED, ...node]);
  }

  /** Ends everything that was started, the youngest first. */
  async end(): Promise<void> {
    for (const child of this.#children.splice(0).reverse()) {
      if (ended(child)) continue;
      const late = setTimeout(() => child.kill('SIGKILL'), END_WITHIN);
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      await gone;
      clearTimeout(late);
    }
    for (const pid of this.#engines.splice(0)) await endEngine(pid);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.end().finally(() => rmSync(this.folder, { recursive: true, force: true }));
    return this.#disposed;
  }
}

const ended = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** Ends an engine by its pid and waits until it has gone, so that the next start finds nobody. */
async function endEngine(pid: number): Promise<void> {
  const isEngine = () => read(pid, 'cmdline').includes('media-engine');
  if (isEngine()) process.kill(pid, 'SIGTERM');
  for (const end = performance.now() + END_WITHIN; isEngine() && performance.now() < end; ) await pause(20);
}

/** A file of /proc/PID; empty once the process has gone. */
function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** Fields of /proc/PID/stat after the command's name: the first is the state. */
const statOf = (pid: number): string[] =>
  read(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ');

export function childrenOf(pid: number): number[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return all.map(Number).filter((one) => statOf(one)[1] === String(pid));
}

/** CPU seconds that a process has used, in user and system together. */
export function cpuOf(pid: number): number {
  const stat = statOf(pid);
  return (Number(stat[11] ?? 0) + Number(stat[12] ?? 0)) / TICKS;
}

/** Datagrams for a port that the kernel threw away because nobody fetched them in time; the IPv4 sockets of the port together. */
export function dropsAt(port: number): number {
  const rows = readFileSync('/proc/net/udp', 'utf8').trim().split('\n').slice(1);
  return rows
    .map((row) => row.trim().split(/\s+/))
    .filter(([, local = '']) => Number.parseInt(local.slice(local.indexOf(':') + 1), 16) === port)
    .reduce((sum, fields) => sum + Number(fields.at(-1)), 0);
}

/** Resident memory of a process, MiB. */
export function residentOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(read(pid, 'status'))?.[1] ?? 0) / 1024;
}

/** Calls the open API as the operator; throws on a problem. */
export async function post<T>(cloud: Running, path: string, body: unknown): Promise<T> {
  const reply = await fetch(`${cloud.ready.http}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${cloud.ready.operatorToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!reply.ok) throw new Error(`POST ${path} answered ${reply.status}: ${await reply.text()}`);
  return (await reply.json()) as T;
}

export const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

/** Load average of the last minute: what else ran on the machine. */
export const load = (): string => `load average ${(loadavg()[0] ?? 0).toFixed(1)}`;
