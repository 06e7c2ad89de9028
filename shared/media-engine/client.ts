/** The engine process as a `MediaEngine`: attaches to a living one, or starts one. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as dial, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { EngineError, type EngineEvent, type MediaEngine } from './engine.ts';
import { ALONE } from './local.ts';
import { type EngineProcessOptions, spawnEngine } from './spawn.ts';
import { type Answer, type CommandName, type Greeting, Lines, REPLY_LIMIT, WIRE_VERSION } from './wire.ts';

export type AttachOptions = Omit<EngineProcessOptions, 'aloneFor'> & { readonly aloneFor?: number };

/** A command without an answer after this long counts as lost, ms. */
const ANSWER_WITHIN = 10_000;
/** How long a started engine may take until it listens, ms. */
const START_WITHIN = 30_000;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/**
 * The engine behind `socketPath`. Rejects with `gone` when none can be started. When the process dies later, commands
 * reject with `gone`, every node that it had is reported as `lost`, and the next command starts a new process.
 */
export async function attachEngine(options: AttachOptions): Promise<MediaEngine> {
  const client = new EngineClient({ aloneFor: ALONE, ...options });
  await client.attach();
  return client;
}

/** Ends the engine behind `socketPath` with all that it holds. Where none runs, nothing happens. */
export async function endEngine(socketPath: string): Promise<void> {
  await new EngineClient({ socketPath, low: 0, high: 0, aloneFor: ALONE }).end();
}

/** Lets an engine go that nobody will use from here on: one that holds nothing ends, calls keep theirs for the next parent. */
export async function leaveEngine(engine: MediaEngine): Promise<void> {
  const nodes = await engine.list().catch(() => []);
  await engine.close(nodes.length === 0);
}

class EngineClient implements MediaEngine {
  readonly #options: EngineProcessOptions;
  readonly #handlers: ((event: EngineEvent) => void)[] = [];
  readonly #waiting = new Map<number, Waiting>();
  /** Owners by node id, to tell which are lost with the process. */
  readonly #owners = new Map<string, string>();
  /** Lines of this turn that are still to be written. */
  #outgoing = '';
  #socket: Socket | undefined;
  #attaching: Promise<Greeting> | undefined;
  #reopening = false;
  #next = 1;
  #closed = false;

  constructor(options: EngineProcessOptions) {
    this.#options = options;
  }

  /** Connects, starting the process if need be, and learns which nodes exist. */
  async attach(): Promise<void> {
    const { version, low, high } = await this.#connected();
    let nodes = await this.list();
    const other = low !== this.#options.low || high !== this.#options.high;
    if (version !== WIRE_VERSION || (other && nodes.length === 0)) {
      // An engine of another version, or an idle one on another range of ports, makes room for ours.
      const closed = once(this.#socket as Socket, 'close');
      this.#reopening = true;
      await this.#command('end', []).catch(() => undefined);
      await closed;
      this.#reopening = false;
      await this.#connected();
      nodes = await this.list();
    }
    for (const { id, owner } of nodes) this.#owners.set(id, owner);
  }

  /** Ends the process if there is one, and waits until it has let go. */
  async end(): Promise<void> {
    this.#closed = true;
    const greeting = await this.#greet().catch(() => undefined);
    const socket = this.#socket;
    if (greeting === undefined || socket === undefined) return;
    const closed = once(socket, 'close');
    await this.#command('end', []).catch(() => undefined);
    await closed;
  }

  endpoint(...args: Parameters<MediaEngine['endpoint']>): ReturnType<MediaEngine['endpoint']> {
    this.#owners.set(args[0].id, args[0].owner);
    return this.#command('endpoint', args);
  }
  remote(...args: Parameters<MediaEngine['remote']>): Promise<void> {
    return this.#command('remote', args);
  }
  room(...args: Parameters<MediaEngine['room']>): Promise<void> {
    this.#owners.set(args[0], args[1]);
    return this.#command('room', args);
  }
  player(...args: Parameters<MediaEngine['player']>): Promise<void> {
    this.#owners.set(args[0].id, args[0].owner);
    return this.#command('player', args);
  }
  recorder(...args: Parameters<MediaEngine['recorder']>): Promise<void> {
    this.#owners.set(args[0].id, args[0].owner);
    return this.#command('recorder', args);
  }
  press(...args: Parameters<MediaEngine['press']>): Promise<void> {
    return this.#command('press', args);
  }
  start(...args: Parameters<MediaEngine['start']>): Promise<void> {
    return this.#command('start', args);
  }
  connect(...args: Parameters<MediaEngine['connect']>): Promise<void> {
    return this.#command('connect', args);
  }
  release(id: string): Promise<void> {
    // Before it is answered: a node of that id may be made anew meanwhile, which is another one.
    this.#owners.delete(id);
    return this.#command('release', [id]);
  }
  list(): ReturnType<MediaEngine['list']> {
    return this.#command('list', []);
  }
  stats(...args: Parameters<MediaEngine['stats']>): ReturnType<MediaEngine['stats']> {
    return this.#command('stats', args);
  }

  onEvent(handler: (event: EngineEvent) => void): void {
    this.#handlers.push(handler);
  }

  async close(end: boolean): Promise<void> {
    if (end && this.#socket !== undefined) await this.#command('end', []).catch(() => undefined);
    this.#closed = true;
    this.#handlers.length = 0;
    this.#flush();
    this.#socket?.end();
  }

  async #command<T>(name: CommandName, args: readonly unknown[]): Promise<T> {
    if (this.#socket === undefined) await this.#connected();
    return await new Promise<T>((resolve, reject) => {
      const n = this.#next++;
      const timer = setTimeout(() => {
        this.#waiting.delete(n);
        reject(new EngineError('gone', `the media engine did not answer ${name}`));
      }, ANSWER_WITHIN);
      this.#waiting.set(n, { resolve, reject, timer });
      this.#send(`${JSON.stringify({ n, do: name, args })}\n`);
    });
  }

  /** Lines of one turn of the loop leave in one write, in their order: calls bring many, and each write has its price. */
  #send(line: string): void {
    if (this.#outgoing === '') setImmediate(() => this.#flush());
    this.#outgoing += line;
  }

  #flush(): void {
    const lines = this.#outgoing;
    this.#outgoing = '';
    if (lines !== '') this.#socket?.write(lines);
  }

  #connected(): Promise<Greeting> {
    if (this.#closed) return Promise.reject(new EngineError('gone', 'this engine was let go'));
    this.#attaching ??= this.#open().finally(() => {
      this.#attaching = undefined;
    });
    return this.#attaching;
  }

  /** Tries the path; after the first failure a process is started, then tried again until it listens. */
  async #open(): Promise<Greeting> {
    const until = performance.now() + START_WITHIN;
    let started = false;
    for (let wait = 10; performance.now() < until; wait = Math.min(200, wait * 2)) {
      const greeting = await this.#greet().catch(() => undefined);
      if (greeting !== undefined) return greeting;
      if (!started) spawnEngine(this.#options);
      started = true;
      await pause(wait);
    }
    throw new EngineError('gone', `no media engine answers; see ${this.#options.socketPath}.log`);
  }

  /** Connects and shows the token; rejects where nobody listens or the token is refused. */
  #greet(): Promise<Greeting> {
    return new Promise((resolve, reject) => {
      const token = readFileSync(`${this.#options.socketPath}.token`, 'utf8');
      const lines = new Lines(REPLY_LIMIT);
      const socket = dial(this.#options.socketPath, () => socket.write(`${JSON.stringify({ token })}\n`));
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        reject(new EngineError('gone', 'nobody listens, or the token is refused'));
        if (this.#socket === socket) void this.#lost();
      });
      socket.on('data', (data: Buffer) => {
        const complete = lines.push(data);
        if (complete === undefined) return void socket.destroy();
        for (const line of complete) {
          const answer = JSON.parse(line) as Answer;
          if ('n' in answer && answer.n === 0 && 'value' in answer) {
            this.#socket = socket;
            resolve(answer.value as Greeting);
          } else this.#take(answer);
        }
      });
    });
  }

  #take(answer: Answer): void {
    if ('event' in answer) {
      if (answer.event.on === 'lost') this.#owners.delete(answer.event.id);
      for (const handler of this.#handlers) handler(answer.event);
      return;
    }
    const waiting = this.#waiting.get(answer.n);
    if (waiting === undefined) return;
    this.#waiting.delete(answer.n);
    clearTimeout(waiting.timer);
    if ('error' in answer) waiting.reject(new EngineError(answer.error.code, answer.error.message));
    else waiting.resolve(answer.value as never);
  }

  /** The line is cut: the process is attached or started anew, and the nodes that it no longer has are reported. */
  async #lost(): Promise<void> {
    this.#socket = undefined;
    this.#outgoing = '';
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new EngineError('gone', 'the media engine has ended'));
    }
    this.#waiting.clear();
    if (this.#closed || this.#reopening) return;
    const before = [...this.#owners];
    const nodes = await this.#connected().then(
      () => this.list(),
      () => [],
    );
    const alive = new Set(nodes.map((node) => node.id));
    for (const [id, owner] of before) {
      if (!alive.has(id) && this.#owners.delete(id)) {
        for (const handler of this.#handlers) handler({ on: 'lost', id, owner });
      }
    }
  }
}
