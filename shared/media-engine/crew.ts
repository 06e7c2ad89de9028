/**
 * The workers of the engine process: a group belongs to one of them, the least loaded when it began. A worker that
 * crashes is replaced; its nodes are reported as lost.
 */
import type { Worker } from 'node:worker_threads';
import { startWorker } from '#shared/host/spawn.ts';
import { EngineError, type EngineEvent, type NodeInfo } from './engine.ts';
import { type GraphOptions, NODES } from './graph-host.ts';
import type { Answer, CommandName } from './wire.ts';

interface Member {
  worker: Worker;
  readonly options: GraphOptions;
  readonly waiting: Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>;
  /** Nodes by id, with their owner and group. */
  readonly nodes: Map<string, { readonly owner: string; readonly group: string }>;
}

export class Crew {
  readonly #members: Member[] = [];
  readonly #onEvent: (event: EngineEvent) => void;
  #next = 1;
  #ending = false;

  /** The range of ports is shared out among `workers` threads. */
  constructor(options: GraphOptions, workers: number, onEvent: (event: EngineEvent) => void) {
    this.#onEvent = onEvent;
    const pairs = Math.floor((options.high - options.low + 1) / 2 / workers);
    for (let i = 0; i < workers; i++) {
      const low = options.low + 2 * pairs * i;
      const high = i === workers - 1 ? options.high : low + 2 * pairs - 1;
      this.#members.push(this.#member({ ...options, low, high }));
    }
  }

  /** Sends a command to the worker that it concerns. Rejects with an EngineError. */
  async run(name: CommandName, args: readonly unknown[]): Promise<unknown> {
    switch (name) {
      case 'list':
        return ((await this.#all('list')) as NodeInfo[][]).flat();
      case 'end':
        this.#ending = true;
        return await this.#all('end');
      case 'endpoint':
      case 'player':
      case 'recorder': {
        const spec = args[0] as { id: string; owner: string; group: string };
        return await this.#create(name, args, spec.id, spec.owner, spec.group);
      }
      case 'room':
        return await this.#create(name, args, args[0] as string, args[1] as string, args[2] as string);
      default:
        return await this.#existing(name, args);
    }
  }

  /** Ends the threads. */
  async stop(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#members.map((member) => member.worker.terminate()));
  }

  async #create(
    name: CommandName,
    args: readonly unknown[],
    id: string,
    owner: string,
    group: string,
  ): Promise<unknown> {
    const held = this.#holder(id);
    if (held !== undefined) return await this.#ask(held, name, args);
    const all = this.#members.reduce((sum, member) => sum + member.nodes.size, 0);
    if (all >= NODES) throw new EngineError('limit_reached', `the engine holds ${NODES} nodes already`);
    const member = this.#place(group);
    member.nodes.set(id, { owner, group });
    try {
      return await this.#ask(member, name, args);
    } catch (error) {
      member.nodes.delete(id);
      throw error;
    }
  }

  async #existing(name: CommandName, args: readonly unknown[]): Promise<unknown> {
    const id = args[0] as string;
    const member = this.#holder(id);
    if (name === 'connect') return await this.#connect(args, member);
    if (member === undefined) {
      if (name === 'release' || name === 'stats') return undefined;
      throw new EngineError('unknown_node', 'there is no such node');
    }
    // Before it is answered: a node of that id may be made anew meanwhile, which is another one.
    if (name === 'release') member.nodes.delete(id);
    return await this.#ask(member, name, args);
  }

  async #connect(args: readonly unknown[], from: Member | undefined): Promise<unknown> {
    const to = this.#holder(args[1] as string);
    if (from !== undefined && to !== undefined && from !== to) {
      throw new EngineError('other_group', 'the nodes belong to different groups');
    }
    // One missing node: the graph of the other knows what to say.
    const member = from ?? to ?? this.#members[0];
    return member === undefined ? undefined : await this.#ask(member, 'connect', args);
  }

  #holder(id: string): Member | undefined {
    return this.#members.find((member) => member.nodes.has(id));
  }

  #place(group: string): Member {
    const same = this.#members.find((member) => [...member.nodes.values()].some((node) => node.group === group));
    if (same !== undefined) return same;
    return this.#members.reduce((least, member) => (member.nodes.size < least.nodes.size ? member : least));
  }

  async #all(name: CommandName): Promise<unknown[]> {
    return await Promise.all(this.#members.map((member) => this.#ask(member, name, [])));
  }

  #ask(member: Member, name: CommandName, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const n = this.#next++;
      member.waiting.set(n, { resolve, reject });
      member.worker.postMessage({ n, do: name, args });
    });
  }

  #member(options: GraphOptions): Member {
    const member: Member = { worker: this.#spawn(options), options, waiting: new Map(), nodes: new Map() };
    this.#listen(member);
    return member;
  }

  #spawn(options: GraphOptions): Worker {
    return startWorker('media-worker', options);
  }

  #listen(member: Member): void {
    member.worker.on('message', (message: Answer) => {
      if ('event' in message) return this.#onEvent(message.event);
      const waiting = member.waiting.get(message.n);
      member.waiting.delete(message.n);
      if ('value' in message) waiting?.resolve(message.value);
      else waiting?.reject(new EngineError(message.error.code, message.error.message));
    });
    member.worker.on('error', (error: unknown) => {
      process.stderr.write(`media worker crashed: ${error instanceof Error ? error.stack : String(error)}\n`);
      if (!this.#ending) this.#replace(member);
    });
  }

  #replace(member: Member): void {
    member.worker = this.#spawn(member.options);
    this.#listen(member);
    for (const [id, { owner }] of member.nodes) this.#onEvent({ on: 'lost', id, owner });
    member.nodes.clear();
    for (const { reject } of member.waiting.values()) reject(new EngineError('gone', 'a media worker crashed'));
    member.waiting.clear();
  }
}
