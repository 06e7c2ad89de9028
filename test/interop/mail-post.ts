/** A cloud with its mail doors, another operator's mail server (aiosmtpd) as its relay, and a DNS, all real and on loopback. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { FakeDns } from '../support/fake-dns.ts';

const root = resolve(import.meta.dirname, '../..');
/** Debian's own Python: the packages of the peers belong to it. */
export const PYTHON = '/usr/bin/python3';
export const PEER_FILES = ['dkim', 'aiosmtpd'].map((name) => `/usr/lib/python3/dist-packages/${name}/__init__.py`);
/** Compiled modules, shared by all starts of the cloud. */
const MODULES = join(root, 'node_modules/.cache/modules');
const PEER = join(root, 'test/interop/mail-peer.py');

interface Ready {
  readonly http: string;
  readonly smtp: string;
  readonly submission: string;
  readonly operatorToken: string;
}
/** A mail that the other operator's server took. */
export interface Taken {
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly messageId: string;
  readonly signed: string | null;
  readonly dkim: boolean;
}
export interface Mailbox {
  readonly id: string;
  readonly address: string;
  readonly smtp: { readonly username: string; readonly password: string };
}

export const pause = (ms: number) => new Promise<void>((done) => setTimeout(done, ms));

/** Looks until there is something; throws after `limit` ms. */
export async function until<T>(
  look: () => T | undefined | Promise<T | undefined>,
  what: string,
  limit = 15_000,
): Promise<T> {
  for (const end = Date.now() + limit; Date.now() < end; await pause(25)) {
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(`${what}: not within ${limit} ms`);
}

export class MailPost implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-mail-'));
  readonly taken: Taken[] = [];
  dns!: FakeDns;
  ready!: Ready;
  cloud!: ChildProcess;
  #peer!: ChildProcess;
  #relay = '';
  #keys = 0;

  static async open(): Promise<MailPost> {
    const post = new MailPost();
    writeFileSync(join(post.folder, 'zone.json'), '{}');
    post.dns = await FakeDns.open();
    post.#relay = `smtp://127.0.0.1:${await post.#startPeer()}`;
    await post.start();
    return post;
  }

  #startPeer(): Promise<number> {
    this.#peer = spawn(PYTHON, [PEER, join(this.folder, 'zone.json')], { stdio: ['pipe', 'pipe', 'inherit'] });
    return new Promise((done, fail) => {
      this.#peer.once('exit', () => fail(new Error('the other mail server did not start')));
      createInterface({ input: this.#peer.stdout ?? process.stdin }).on('line', (line) => {
        const said = JSON.parse(line) as Taken & { readonly port?: number };
        if (said.port === undefined) this.taken.push(said);
        else done(said.port);
      });
    });
  }

  /** Starts the cloud on its data; ports are new. `crashAt`: dies at that crash point after SIGUSR2. */
  async start(crashAt?: number): Promise<void> {
    const file = join(this.folder, 'ready.json');
    rmSync(file, { force: true });
    const free = (...flags: string[]) => flags.flatMap((flag) => [flag, '127.0.0.1:0']);
    this.cloud = spawn(
      join(root, 'bin/hearthline'),
      [
        ...['cloud', '--data', join(this.folder, 'data'), '--ready', file, '--media', '127.0.0.1:43000-43099'],
        ...free('--http', '--mqtt', '--sip', '--sips', '--smtp', '--submission'),
        ...['--relay', this.#relay, '--mail-dns', this.dns.address, '--mail-domain', 'hearthline.example'],
        ...(crashAt === undefined ? [] : ['--crash-at', String(crashAt), '--crash-on-signal']),
      ],
      { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, NODE_COMPILE_CACHE: MODULES } },
    );
    const isReady = () => {
      if (this.isDead) throw new Error('the cloud did not start');
      return existsSync(file) || undefined;
    };
    await until(isReady, 'the cloud to be ready', 30_000);
    this.ready = JSON.parse(readFileSync(file, 'utf8')) as Ready;
  }

  get isDead(): boolean {
    return this.cloud.exitCode !== null || this.cloud.signalCode !== null;
  }

  /** Ends the cloud, politely or as a crash. */
  async stop(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.isDead) return;
    const gone = new Promise((done) => this.cloud.once('exit', done));
    this.cloud.kill(signal);
    await gone;
  }

  /** Calls the API as the operator; throws on a problem. */
  async api<T>(path: string, body?: object, key = `k${++this.#keys}`): Promise<T> {
    const reply = await fetch(`${this.ready.http}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${this.ready.operatorToken}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json', 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = (await reply.json()) as T;
    if (!reply.ok) throw new Error(`${path}: ${reply.status} ${JSON.stringify(answer)}`);
    return answer;
  }

  /** A home with a mailbox of this address. */
  async mailbox(address: string): Promise<Mailbox> {
    const { id } = await this.api<{ id: string }>('/v1/homes', { name: address });
    return this.api<Mailbox>('/v1/mailboxes', { home: id, address });
  }

  async inbox(mailbox: string): Promise<{ id: string; subject: string; from: string }[]> {
    const page = await this.api<{ items: { id: string; subject: string; from: string }[] }>(
      `/v1/mails?mailbox=${mailbox}&folder=inbox&limit=500`,
    );
    return page.items;
  }

  /** Publishes our own key in the zone of the other server. */
  async publishKey(): Promise<void> {
    const { records } = await this.api<{ records: { name: string; value: string }[] }>('/v1/mail-domain');
    const zone = Object.fromEntries(records.map(({ name, value }) => [name, value]));
    writeFileSync(join(this.folder, 'zone.json'), JSON.stringify(zone));
  }

  /** A mail as another operator's software signs it; `key` is a file with its private key. */
  sign(mail: string, domain: string, key: string): string {
    const made = spawnSync(PYTHON, [PEER, 'sign', domain, 's1', key], { input: mail, encoding: 'latin1' });
    if (made.status !== 0) throw new Error(made.stderr);
    return made.stdout;
  }

  /** Runs swaks at one of the doors: its exit code and all that was said. */
  async swaks(
    door: 'smtp' | 'submission',
    ...words: string[]
  ): Promise<{ readonly code: number | null; readonly said: string }> {
    const child = spawn('swaks', ['--server', this.ready[door], '--timeout', '10', ...words]);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
    const code = await new Promise<number | null>((done) => child.once('close', done));
    return { code, said };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGTERM');
    this.#peer.stdin?.end();
    this.dns.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
