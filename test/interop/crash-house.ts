/**
 * A cloud and two gateways as real processes on loopback, phones in the test's own process. The cloud can be killed and is
 * started again on the same data and the same ports. The house keeps its own record of what was acknowledged.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { hostWorld } from '#shared/host/world.ts';
import { Phone, type PhoneOptions } from '#simulator/phone.ts';
import { tone } from '#simulator/voice.ts';

const root = resolve(import.meta.dirname, '../..');
const HOST = '127.0.0.1';
/** Ports of a house: of RTP for the cloud and for each gateway; then those of signalling, which nobody else may get while their owner is dead. */
const RTP_PORTS = 390;
const PORTS = { http: 1_180, mqtt: 1_181, sip: 1_182, sips: 1_183, phones: 1_184 } as const;
/** Milliseconds between two looks at whatever is waited for; at what costs the cloud work, fewer. */
const LOOK = 25;
const LOOK_ALL = 100;
/** Compiled modules, shared by all processes of all houses: a start then costs half. */
const MODULES = join(root, 'node_modules/.cache/modules');

interface CloudReady {
  readonly pid: number;
  readonly http: string;
  readonly mqtt: string;
  readonly sip: { readonly udp: string; readonly tcp: string; readonly tls: string };
  readonly operatorToken: string;
  readonly ca: string;
}
interface DeviceReady {
  readonly pid: number;
  readonly id: string;
  readonly sip: { readonly udp: string; readonly tcp: string };
  readonly localPage: string;
  readonly pairing: { readonly code: string | null } | null;
}
export interface Line {
  readonly id: string;
  readonly number: string;
  readonly sip: { readonly username: string; readonly password: string; readonly domain: string };
}
interface Home {
  readonly id: string;
  readonly name: string;
  readonly line: Line;
  readonly phone: Phone;
  readonly device: () => Running<DeviceReady>;
}
interface Running<T> {
  readonly child: ChildProcess;
  readonly ready: T;
}
interface Reply {
  readonly status: number;
  readonly body: unknown;
}
/** What the cloud said yes to. */
interface Acknowledged {
  readonly path: string;
  readonly key: string;
  readonly body: unknown;
  readonly session: string;
}

export const pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));

/** Looks until the condition holds; throws after `limit` ms. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limit = 20_000,
  look = LOOK,
): Promise<void> {
  for (const end = Date.now() + limit; Date.now() < end; await pause(look)) if (await condition()) return;
  throw new Error(`${what}: not within ${limit} ms`);
}

export const isDead = ({ child }: { readonly child: ChildProcess }) =>
  child.exitCode !== null || child.signalCode !== null;

export class House implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'hearthline-crash-'));
  readonly world = hostWorld({ level: 'error' });
  readonly acknowledged: Acknowledged[] = [];
  readonly homes: Home[] = [];
  /** Phones besides those of the homes. */
  readonly others: Phone[] = [];
  /** Pairing codes that were used. */
  readonly codes: string[] = [];
  /** Standard error of every process. */
  said = '';
  #low: number;
  #cloud: Running<CloudReady> | undefined;
  #keys = 0;

  private constructor(low: number) {
    this.#low = low;
  }

  /** `low` is the first of 1,200 ports, best below those that the system gives to anybody (32,768). */
  static async open(low: number): Promise<House> {
    const house = new House(low);
    try {
      await house.startCloud();
      await Promise.all(['elm', 'oak'].map((name, i) => house.#home(name, i)));
      house.homes.sort((a, b) => (a.name < b.name ? -1 : 1));
      await house.reachable();
      return house;
    } catch (error) {
      await house[Symbol.asyncDispose]();
      throw new Error(`${String(error)}\n${house.said}`);
    }
  }

  get cloud(): Running<CloudReady> {
    if (this.#cloud === undefined) throw new Error('the cloud was never started');
    return this.#cloud;
  }

  get database(): string {
    return join(this.folder, 'cloud', 'hearthline.db');
  }

  /** Starts the cloud on its data, always at the same ports. */
  async startCloud(crashAt?: number): Promise<void> {
    const at = (name: keyof typeof PORTS) => `${HOST}:${this.#low + PORTS[name]}`;
    this.#cloud = await this.#start<CloudReady>('cloud', [
      ...['cloud', '--data', join(this.folder, 'cloud'), '--public', HOST, '--log', 'error'],
      ...['--http', at('http'), '--mqtt', at('mqtt'), '--sip', at('sip'), '--sips', at('sips')],
      ...['--media', `${HOST}:${this.#low}-${this.#low + RTP_PORTS - 1}`],
      ...(crashAt === undefined ? [] : ['--crash-at', String(crashAt), '--crash-on-signal']),
    ]);
  }

  /** Kills the cloud as `kill -9` does, if it still lives. */
  async killCloud(): Promise<void> {
    await this.kill(this.cloud);
  }

  /** Ends a process as `kill -9` does. */
  async kill({ child }: { readonly child: ChildProcess }): Promise<void> {
    if (isDead({ child })) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await gone;
  }

  /** Ends a process politely; how it ended, and after how many ms. */
  async end({ child }: { readonly child: ChildProcess }): Promise<{ code: number | null; took: number }> {
    if (isDead({ child })) return { code: child.exitCode, took: 0 };
    const begun = Date.now();
    const gone = new Promise<number | null>((done) => child.once('exit', done));
    child.kill('SIGTERM');
    return { code: await gone, took: Date.now() - begun };
  }

  async startDevice(index: number): Promise<Running<DeviceReady>> {
    const low = this.#low + RTP_PORTS * (index + 1);
    return this.#start<DeviceReady>(`device-${index}`, [
      ...['device', '--state', join(this.folder, `device-${index}`), '--cloud', this.cloud.ready.http],
      ...['--sip', `${HOST}:${this.#low + PORTS.phones + index}`, '--media', `${HOST}:${low}-${low + RTP_PORTS - 1}`],
      ...['--page', `${HOST}:0`, '--log', 'error'],
    ]);
  }

  /** Both gateways are connected and both phones known to the softswitch. */
  async reachable(limit = 60_000): Promise<void> {
    const whole = async () => (await this.#missing()).length === 0;
    await eventually(whole, 'both homes to be reachable', limit, LOOK_ALL).catch(async (error: unknown) => {
      throw new Error(`${String(error)}; missing: ${await this.#missing()}`);
    });
  }

  /** What of the homes the cloud does not see. */
  async #missing(): Promise<string[]> {
    const missing: string[] = [];
    for (const { id, name } of this.homes) {
      const gateways = await this.get<{ items: { online: boolean }[] }>(`/v1/homes/${id}/gateways`);
      const lines = await this.get<{ items: { registered: boolean }[] }>(`/v1/homes/${id}/lines`);
      if (!gateways.items.every((one) => one.online)) missing.push(`gateway of ${name}`);
      if (!lines.items.every((one) => one.registered)) missing.push(`phone of ${name}`);
    }
    return missing;
  }

  async request(method: string, path: string, body?: unknown, key?: string): Promise<Reply> {
    const { http, operatorToken } = this.cloud.ready;
    const reply = await fetch(`${http}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${operatorToken}`,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await reply.text();
    return { status: reply.status, body: text === '' ? {} : (JSON.parse(text) as unknown) };
  }

  async get<T>(path: string): Promise<T> {
    const reply = await this.request('GET', path);
    if (reply.status !== 200) throw new Error(`GET ${path} answered ${reply.status}: ${JSON.stringify(reply.body)}`);
    return reply.body as T;
  }

  /** Every item of a list. */
  async all<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    for (let next: string | undefined = ''; next !== undefined; ) {
      const sign = path.includes('?') ? '&' : '?';
      const page: { items: T[]; next?: string } = await this.get(next === '' ? path : `${path}${sign}after=${next}`);
      items.push(...page.items);
      next = page.next;
    }
    return items;
  }

  /** Asks for a session by a key of its own; the answer, if there is one, goes on record. Undefined where none came. */
  async ask(path: string, body: unknown): Promise<string | undefined> {
    const key = `key-${++this.#keys}`;
    return this.repeat({ path, body, key });
  }

  async repeat(asked: Omit<Acknowledged, 'session'>): Promise<string | undefined> {
    const reply = await this.request('POST', asked.path, asked.body, asked.key).catch(() => undefined);
    if (reply === undefined) return undefined;
    if (reply.status >= 300) throw new Error(`POST ${asked.path}: ${reply.status} ${JSON.stringify(reply.body)}`);
    const session = (reply.body as { id: string }).id;
    this.acknowledged.push({ ...asked, session });
    return session;
  }

  get phones(): readonly Phone[] {
    return [...this.homes.map(({ phone }) => phone), ...this.others];
  }

  /** Calls that a phone dialled and heard answered. */
  callsHeardUp(): number {
    return this.phones
      .flatMap(({ calls }) => calls)
      .filter((call) => call.outgoing && call.status === 0 && call.state !== 'calling' && call.state !== 'ringing')
      .length;
  }

  /** Calls that a gateway keeps on its disk. */
  keptCalls(index: number): number {
    const folder = join(this.folder, `device-${index}`, 'sip', 'calls');
    return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')).length : 0;
  }

  /** Calls that phones are in. */
  busyPhones(): number {
    return this.phones.flatMap(({ calls }) => calls).filter(({ state }) => state !== 'ended').length;
  }

  /** Rows of the cloud's own database. */
  rows<T>(sql: string): T[] {
    const database = new DatabaseSync(this.database, { readOnly: true });
    try {
      return database.prepare(sql).all() as T[];
    } finally {
      database.close();
    }
  }

  /** Ends everything that was started. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const phone of this.phones) await phone.close();
    const running = [...this.#children].filter((child) => !isDead({ child }));
    await Promise.all(
      running.map(async (child) => {
        const late = setTimeout(() => child.kill('SIGKILL'), 8_000);
        await this.end({ child });
        clearTimeout(late);
      }),
    );
    for (const pid of this.#engines()) process.kill(pid, 'SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  readonly #children = new Set<ChildProcess>();

  /** Media engines that still live: each carries a folder of this house in its command line. */
  #engines(): number[] {
    return enginesOf(this.folder);
  }

  async #home(name: string, index: number): Promise<void> {
    const { body } = await this.request('POST', '/v1/homes', { name });
    const { id } = body as { id: string };
    let device = await this.startDevice(index);
    const file = join(this.folder, `device-${index}.json`);
    await eventually(() => typeof this.#read<DeviceReady>(file).pairing?.code === 'string', 'a code');
    const code = this.#read<DeviceReady>(file).pairing?.code ?? '';
    this.codes.push(code);
    await this.request('POST', `/v1/homes/${id}/gateways`, { code });
    const made = await this.request('POST', `/v1/homes/${id}/lines`, {
      name: `${name} phone`,
      class: 'unmetered',
    });
    const line = made.body as Line;
    await eventually(() => this.#read<DeviceReady>(file).pairing === null, `${name} to be paired`, 60_000);
    await pause(1000);
    const phone = await this.phone(line, device.ready.sip.udp, { voice: tone(443 + 174 * index, 1) });
    this.homes.push({
      ...{ id, name, line, phone },
      device: () => device,
    });
    this.#replace[index] = (next) => {
      device = next;
    };
  }

  readonly #replace: ((device: Running<DeviceReady>) => void)[] = [];

  /** A phone of a line, registered at a server. */
  async phone(line: Line, server: string, more: Partial<PhoneOptions> = {}): Promise<Phone> {
    const [host = '', port = '0'] = server.split(':');
    const phone = await Phone.open({
      ...{ world: this.world, host: HOST, server: { host, port: Number(port) } },
      ...{ domain: line.sip.domain, username: line.sip.username, password: line.sip.password },
      ...{ manner: 'answer', answerAfter: 100, ...more },
    });
    await eventually(async () => (await phone.register()) === 200, 'a phone to register', 20_000);
    return phone;
  }

  /** Starts a gateway again that was ended, where it listened before. */
  async restartDevice(index: number): Promise<void> {
    const home = this.homes[index];
    if (home === undefined) throw new Error('there is no such home');
    const next = await this.startDevice(index);
    this.#replace[index]?.(next);
  }

  #read<T>(file: string): T {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  }

  async #start<T>(name: string, words: readonly string[]): Promise<Running<T>> {
    const file = join(this.folder, `${name}.json`);
    rmSync(file, { force: true });
    const child = spawn(process.execPath, [join(root, 'cli/main.ts'), ...words, '--ready', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
      cwd: root,
      env: { ...process.env, NODE_COMPILE_CACHE: MODULES },
    });
    this.#children.add(child);
    child.stderr?.on('data', (data: Buffer) => {
      this.said += data.toString();
    });
    await eventually(
      () => {
        if (isDead({ child })) throw new Error(`${name} could not start: ${this.said}`);
        return existsSync(file);
      },
      `${name} to be ready`,
      60_000,
    );
    return { child, ready: this.#read<T>(file) };
  }
}

/** Process ids of the media engines of a folder. */
function enginesOf(folder: string): number[] {
  const found: number[] = [];
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (words.includes('media-engine/process.ts') && words.includes(folder)) found.push(pid);
    } catch {
      // It ended between the listing and now.
    }
  }
  return found;
}
