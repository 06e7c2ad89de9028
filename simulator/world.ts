/**
 * The virtual world: one seed, one thread, its own clocks, network, disks and cryptography. Everything that a program of ours can
 * ask of the world comes from here, so the same seed gives the same run: `hash()` covers every packet delivered and all that
 * programs add by `trace`. Time moves only in `run` and `until`, from deadline to deadline.
 */
import { createHash } from 'node:crypto';
import { jsonLog, type LogLevel } from '#shared/host/log.ts';
import { DeadlineHeap } from '#shared/kernel/heap.ts';
import { type Clock, type HttpReply, type HttpRequest, type Log, NetError, type World } from '#shared/kernel/world.ts';
import { type KeyRing, virtualCrypto } from './crypto.ts';
import { VirtualDisk } from './disk.ts';
import { type LinkProfile, VirtualNetwork } from './network.ts';
import { installPlatform } from './platform.ts';
import { Seeded, streamOf } from './random.ts';

export interface VirtualOptions {
  readonly seed: number;
  /** Wall clock at the start, ms; default 2026-01-01T00:00Z. */
  readonly start?: number;
  /** Log lines of all hosts go here; default nowhere. */
  readonly log?: (line: string) => void;
  readonly level?: LogLevel;
}

const START = 1_767_225_600_000;
const realImmediate = setImmediate;

type HttpHandler = (request: HttpRequest & { readonly path: string; readonly from: string }) => Promise<HttpReply>;

export class VirtualWorld implements Disposable {
  readonly seed: number;
  readonly network: VirtualNetwork;
  readonly #heap = new DeadlineHeap<() => void>();
  readonly #disks = new Map<string, VirtualDisk>();
  readonly #skew = new Map<string, number>();
  readonly #ring: KeyRing = new Map();
  readonly #http = new Map<string, { readonly host: string; readonly handler: HttpHandler }>();
  readonly #hash = createHash('sha256');
  readonly #start: number;
  readonly #log: Log;
  readonly #restore: () => void;
  #now = 0;

  constructor(options: VirtualOptions) {
    this.seed = options.seed;
    this.#start = options.start ?? START;
    this.#log = jsonLog(
      options.log ?? (() => {}),
      options.log === undefined ? 'error' : (options.level ?? 'info'),
      () => this.#start + this.#now,
    );
    const scheduler = {
      now: () => this.#now,
      wall: () => this.#start + this.#now,
      after: (ms: number, run: () => void) => void this.#heap.add(this.#now + ms, run),
      trace: (
        kind: string,
        from: { host: string; port: number },
        to: { host: string; port: number },
        data: Uint8Array,
      ) => {
        this.#hash
          .update(`${this.#now} ${kind} ${from.host}:${from.port} ${to.host}:${to.port} ${data.length} `)
          .update(data);
      },
    };
    this.network = new VirtualNetwork(scheduler, new Seeded(options.seed, streamOf('network')));
    this.#restore = installPlatform(this.#clock('platform'));
  }

  /** Milliseconds since the start. */
  get now(): number {
    return this.#now;
  }

  /** A host with its own addresses, disk and random stream. The same name again is the same host after a restart. */
  host(name: string, addresses: readonly string[]): World {
    const random = new Seeded(this.seed, streamOf(`${name}#${this.#now}`));
    return {
      clock: this.#clock(name),
      random,
      net: this.network.attach(name, addresses),
      disk: this.disk(name),
      crypto: virtualCrypto(random, this.#ring),
      http: { request: (request) => this.#request(name, request) },
      log: this.#log.child({ host: name }),
    };
  }

  disk(name: string): VirtualDisk {
    const known = this.#disks.get(name);
    if (known !== undefined) return known;
    const disk = new VirtualDisk();
    this.#disks.set(name, disk);
    return disk;
  }

  /** Answers the HTTP requests for `authority` (`host:port`) on behalf of a host. */
  serveHttp(host: string, authority: string, handler: HttpHandler): () => void {
    this.#http.set(authority, { host, handler });
    return () => void this.#http.delete(authority);
  }

  link(
    profile: Partial<LinkProfile> & { readonly from?: string; readonly to?: string; readonly oneWay?: boolean },
  ): void {
    this.network.link(profile);
  }

  partition(names: readonly string[]): void {
    this.network.partition(names);
  }

  heal(): void {
    this.network.heal();
  }

  /** Moves a host's wall clock by `ms` against the true time. */
  skew(name: string, ms: number): void {
    this.#skew.set(name, (this.#skew.get(name) ?? 0) + ms);
  }

  /** Adds to the trace hash, for example journal rows. */
  trace(kind: string, text: string): void {
    this.#hash.update(`${this.#now} ${kind} ${text}\n`);
  }

  /** SHA-256 over the trace so far, hex. */
  hash(): string {
    return this.#hash.copy().digest('hex');
  }

  /** Lets `ms` milliseconds pass. */
  async run(ms: number): Promise<void> {
    await this.#advance(this.#now + ms, () => false);
  }

  /** Lets time pass until `condition` holds; throws once `limit` milliseconds have passed without it. */
  async until(condition: () => boolean, limit: number, what = 'the condition'): Promise<void> {
    const end = this.#now + limit;
    await this.#advance(end, condition);
    if (!condition()) throw new Error(`${what} did not come within ${limit} ms of virtual time (seed ${this.seed})`);
  }

  /** Lets time pass until a promise settles, and gives its outcome. */
  async settle<T>(promise: Promise<T>, limit = 60_000): Promise<T> {
    let settled = false;
    const mark = () => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.until(() => settled, limit, 'the promise');
    return promise;
  }

  /** Gives the platform its own timers and clock back. */
  [Symbol.dispose](): void {
    this.#restore();
  }

  async #advance(end: number, done: () => boolean): Promise<void> {
    await this.#quiet();
    while (!done()) {
      const next = this.#heap.peek();
      if (next === undefined || next.deadline > end) {
        this.#now = end;
        return;
      }
      this.#now = Math.max(this.#now, next.deadline);
      // All that is due at one moment runs in order before time may move on.
      for (let entry = this.#heap.next(this.#now); entry !== undefined; entry = this.#heap.next(this.#now)) {
        entry.value();
        await this.#quiet();
      }
    }
  }

  /** Until no promise or next-tick callback is left: nothing in a virtual world waits for anything else. */
  #quiet(): Promise<void> {
    return new Promise((resolve) => realImmediate(resolve));
  }

  #clock(name: string): Clock {
    return {
      mono: () => this.#now,
      wall: () => this.#start + Math.floor(this.#now) + (this.#skew.get(name) ?? 0),
      at: (deadline, run) => {
        if (deadline === Number.POSITIVE_INFINITY) return { cancel() {} };
        const entry = this.#heap.add(Math.max(deadline, this.#now), run);
        return { cancel: () => this.#heap.cancel(entry) };
      },
    };
  }

  async #request(from: string, request: HttpRequest): Promise<HttpReply> {
    const url = new URL(request.url);
    const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
    const server = this.#http.get(`${url.hostname}:${port}`);
    const pass = (ms: number) => new Promise<void>((resolve) => void this.#heap.add(this.#now + ms, resolve));
    if (server === undefined || !this.network.reachable(from, server.host)) {
      await pass(server === undefined ? 1 : (request.timeout ?? 10_000));
      throw new NetError(server === undefined ? 'ECONNREFUSED' : 'ETIMEDOUT', `${url.origin} cannot be reached`);
    }
    if (request.allow?.(url.hostname) === false)
      throw new NetError('EACCES', `${url.origin}: its address is not allowed`);
    await pass(this.network.delay(from, server.host));
    const reply = await server.handler({ ...request, path: url.pathname + url.search, from });
    await pass(this.network.delay(server.host, from));
    if (!this.network.reachable(from, server.host))
      throw new NetError('ECONNRESET', `${url.origin}: the connection broke`);
    return reply;
  }
}
