/**
 * Hosts of our own in network namespaces: a bridge as the internet without a way out, the operator's cloud, and homes whose
 * gateway stands between the bridge (WAN) and a LAN with a phone. Everything that was made is taken down again.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const root = resolve(import.meta.dirname, '../..');

export interface CloudReady {
  readonly http: string;
  readonly sip: { readonly udp: string; readonly tls: string };
  readonly operatorToken: string;
  readonly ca: string;
}
export interface DeviceReady {
  readonly id: string;
  readonly sip: { readonly udp: string };
  readonly pairing: { readonly code: string } | null;
}

export class Namespaces implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-ns-'));
  readonly #prefix = `hl${process.pid}`;
  readonly #names: string[] = [];
  readonly #children: ChildProcess[] = [];
  #veths = 0;

  ip(...words: string[]): string {
    return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  name(host: string): string {
    return `${this.#prefix}-${host}`;
  }

  /** A namespace with loopback up. */
  add(host: string): void {
    this.ip('netns', 'add', this.name(host));
    this.#names.push(this.name(host));
    this.within(host, 'ip', 'link', 'set', 'lo', 'up');
  }

  /** A cable between two namespaces; addresses like `10.77.0.1/24`, none for a bridge's port. */
  cable(a: { host: string; as: string; address?: string }, b: { host: string; as: string; address?: string }): void {
    const [x, y] = [`v${process.pid % 10000}a${this.#veths}`, `v${process.pid % 10000}b${this.#veths++}`];
    this.ip('link', 'add', x, 'type', 'veth', 'peer', 'name', y);
    for (const [end, device] of [
      [a, x],
      [b, y],
    ] as const) {
      this.ip('link', 'set', device, 'netns', this.name(end.host));
      this.within(end.host, 'ip', 'link', 'set', device, 'name', end.as);
      if (end.address !== undefined)
        this.within(
          end.host,
          'ip',
          'address',
          'add',
          end.address,
          'dev',
          end.as,
          ...(end.address.includes(':') ? ['nodad'] : []),
        );
      this.within(end.host, 'ip', 'link', 'set', end.as, 'up');
    }
  }

  /** As `within`, without holding up this process: a machine whose console it reads would stand still meanwhile. */
  async meanwhile(host: string, command: string, ...words: string[]): Promise<string> {
    const run = promisify(execFile);
    return (await run('ip', ['netns', 'exec', this.name(host), command, ...words])).stdout;
  }

  /** Runs a program in a namespace and gives what it printed. */
  within(host: string, command: string, ...words: string[]): string {
    return execFileSync('ip', ['netns', 'exec', this.name(host), command, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Starts a program in a namespace; it ends with this process, however that does. */
  start(
    host: string,
    command: string,
    words: readonly string[],
    environment: Record<string, string> = {},
  ): ChildProcess {
    const within = ['ip', 'netns', 'exec', this.name(host), command, ...words];
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...within], {
      stdio: ['pipe', 'pipe', 'pipe'],
      cwd: root,
      env: { ...process.env, ...environment },
    });
    this.#children.push(child);
    return child;
  }

  /** Starts `hearthline …` and waits for its ready file. */
  async hearthline<T>(
    host: string,
    file: string,
    words: readonly string[],
    environment: Record<string, string> = {},
  ): Promise<{ ready: T; child: ChildProcess; output: () => string }> {
    const ready = join(this.folder, file);
    rmSync(ready, { force: true });
    const child = this.start(host, join(root, 'bin/hearthline'), [...words, '--ready', ready], environment);
    let text = '';
    child.stdout?.on('data', (data) => {
      text += data;
    });
    child.stderr?.on('data', (data) => {
      text += data;
    });
    await eventually(
      () => {
        if (child.exitCode !== null) throw new Error(`${words[0]} ended: ${text}`);
        return existsSync(ready);
      },
      20_000,
      `${words[0]} to be ready: ${text}`,
    );
    return { ready: this.read<T>(file), child, output: () => text };
  }

  read<T>(file: string): T {
    return JSON.parse(readFileSync(join(this.folder, file), 'utf8')) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children.reverse()) await stopped(child);
    for (const name of this.#names) {
      // Media engines are processes of their own; none may outlive its namespace.
      for (const pid of execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).split('\n').filter(Boolean)) {
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {
          // It ended between the listing and now.
        }
      }
      this.ip('netns', 'del', name);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Ends a program: first asked, after 6 s made to. */
export async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 6000);
  await ended;
  clearTimeout(timer);
}

export async function eventually(
  condition: () => boolean | Promise<boolean>,
  limit: number,
  what: string,
): Promise<void> {
  for (const end = Date.now() + limit; Date.now() < end; ) {
    if (await condition()) return;
    await new Promise((resume) => setTimeout(resume, 100));
  }
  throw new Error(`${what}: not within ${limit} ms`);
}
