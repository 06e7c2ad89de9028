/** A cloud as a process of its own, with its folder; it can be made to die at a crash point. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { hostHttp } from '#shared/host/http.ts';

const READY_WITHIN = 30_000;
const root = resolve(import.meta.dirname, '../..');

export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

interface Ready {
  readonly http: string;
  readonly operatorToken: string;
  /** With `--softswitches`. */
  readonly softswitches?: readonly { readonly pid: number; readonly udp: string }[];
}

export class MortalCloud {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-install-'));
  #child: ChildProcess | undefined;
  #ready: Ready | undefined;

  /** Where it listens, once it has started. */
  get ready(): Ready {
    if (this.#ready === undefined) throw new Error('the cloud has not started');
    return this.#ready;
  }

  get isDead(): boolean {
    return this.#child === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** `more`: further options of the command. */
  async start(crashAt?: number, more: readonly string[] = []): Promise<void> {
    await this.stop('SIGKILL');
    const ready = join(this.folder, 'ready.json');
    rmSync(ready, { force: true });
    mkdirSync(join(this.folder, 'data'), { recursive: true });
    const any = ['http', 'mqtt', 'sip', 'sips'].flatMap((name) => [`--${name}`, '127.0.0.1:0']);
    const crash = crashAt === undefined ? [] : ['--crash-at', String(crashAt), '--crash-on-signal'];
    const args = [
      'cli/main.ts',
      'cloud',
      '--data',
      join(this.folder, 'data'),
      ...any,
      '--media',
      '127.0.0.1:28000-28100',
      '--ready',
      ready,
      '--log',
      'error',
      ...crash,
      ...more,
    ];
    this.#child = spawn(join(root, 'bin/node'), args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
    for (const end = performance.now() + READY_WITHIN; performance.now() < end; await pause(20)) {
      if (this.isDead) throw new Error('the cloud ended while it started');
      try {
        this.#ready = JSON.parse(readFileSync(ready, 'utf8')) as Ready;
        return;
      } catch {
        // Not written yet.
      }
    }
    throw new Error('the cloud did not start');
  }

  arm(): void {
    this.#child?.kill('SIGUSR2');
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const child = this.#child;
    if (child === undefined || this.isDead) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await gone;
  }

  async ask<T>(
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
    key?: string,
  ): Promise<{ status: number; body: T }> {
    const { http = '', operatorToken = '' } = this.#ready ?? {};
    const reply = await hostHttp().request({
      method,
      url: `${http}${path}`,
      timeout: 20_000,
      headers: {
        authorization: `Bearer ${operatorToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: reply.status, body: (reply.body === '' ? {} : JSON.parse(reply.body)) as T };
  }
}
