/**
 * The store of a part in a process of its own: it reads by a connection of its own to the same file (what is committed before a read
 * begins is seen), and writes over the link to the one writer, in the same groups as everybody. Pure but for the reader handed in.
 *
 * Without a link commits wait for it, so many and so long; one that was under way when it broke is rejected, for nobody knows whether
 * it was written.
 */
import { fromHex, hex } from '#shared/kernel/bytes.ts';
import type { Clock } from '#shared/kernel/world.ts';
import type { CommitResult, Row, SqlValue, Statement, Store } from './store.ts';
import { Packer, Unpacker } from './wire.ts';

/** Commits that wait for a link, and milliseconds for which each does. */
export const LINK_COMMITS = 4096;
export const LINK_PATIENCE = 15_000;

/** Octets cross as hexadecimal digits. */
type Flat = string | number | null | { readonly octets: string };

export type StoreMessage =
  /** From the child: one commit, see `wire.ts`. */
  | { readonly on: 'write'; readonly n: number; readonly texts: readonly string[]; readonly flat: readonly Flat[] }
  /** To the child: what became of it; a text is an error. */
  | { readonly on: 'written'; readonly n: number; readonly result: CommitResult | string };

interface Commit {
  readonly statements: readonly Statement[];
  readonly since: number;
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

/** What a store reads by. */
export interface Reader {
  all(sql: string, params: readonly SqlValue[]): Promise<Row[]> | Row[] | Record<string, SqlValue>[];
  close(): void;
}

export class LinkedStore implements Store {
  readonly #reader: Reader;
  readonly #clock: Clock;
  readonly #underWay = new Map<number, Commit>();
  #queue: Commit[] = [];
  #packer = new Packer();
  #send: ((message: StoreMessage) => void) | undefined;
  #next = 1;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(reader: Reader, clock: Clock) {
    this.#reader = reader;
    this.#clock = clock;
  }

  attach(send: (message: StoreMessage) => void): void {
    this.#packer = new Packer();
    this.#send = send;
    const waiting = this.#queue;
    this.#queue = [];
    for (const commit of waiting) this.#write(commit);
  }

  detach(): void {
    this.#send = undefined;
    const lost = [...this.#underWay.values()];
    this.#underWay.clear();
    for (const { reject } of lost) reject(new Error('the link to the store broke while it wrote'));
    this.#settled();
  }

  take(message: StoreMessage): void {
    if (message.on !== 'written') return;
    const commit = this.#underWay.get(message.n);
    this.#underWay.delete(message.n);
    if (typeof message.result === 'string') commit?.reject(new Error(message.result));
    else commit?.resolve(message.result);
    this.#settled();
  }

  commit(statements: readonly Statement[]): Promise<CommitResult> {
    if (this.#closed) return Promise.reject(new Error('the store is closed'));
    return new Promise((resolve, reject) => this.#write({ statements, since: this.#clock.mono(), resolve, reject }));
  }

  async all<T extends object = Row>(sql: string, params: readonly SqlValue[] = []): Promise<T[]> {
    return (await this.#reader.all(sql, params)) as T[];
  }

  async one<T extends object = Row>(sql: string, params: readonly SqlValue[] = []): Promise<T | undefined> {
    return (await this.all<T>(sql, params))[0];
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#underWay.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
    for (const { reject } of this.#queue.splice(0)) reject(new Error('the store is closed'));
    this.#reader.close();
  }

  #write(commit: Commit): void {
    if (this.#send === undefined) {
      this.#wait(commit);
      return;
    }
    const { texts, flat } = this.#packer.pack([commit.statements]);
    const n = this.#next++;
    this.#underWay.set(n, commit);
    this.#send({ on: 'write', n, texts, flat: flat.map(flatten) });
  }

  #wait(commit: Commit): void {
    if (this.#queue.length >= LINK_COMMITS) {
      commit.reject(new Error('the link to the store is away'));
      return;
    }
    this.#queue.push(commit);
    this.#clock.at(commit.since + LINK_PATIENCE, () => {
      const at = this.#queue.indexOf(commit);
      if (at < 0) return;
      this.#queue.splice(at, 1);
      commit.reject(new Error('the link to the store stayed away'));
    });
  }

  #settled(): void {
    if (this.#underWay.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }
}

/** The writer's end for one child. */
export class StoreDoor {
  readonly #store: Store;
  readonly #send: (message: StoreMessage) => void;
  readonly #unpacker = new Unpacker();

  constructor(store: Store, send: (message: StoreMessage) => void) {
    this.#store = store;
    this.#send = send;
  }

  take(message: StoreMessage): void {
    if (message.on !== 'write') return;
    const { n, texts, flat } = message;
    const [statements = []] = this.#unpacker.commits({ texts, flat: flat.map(unflatten) });
    this.#store.commit(statements).then(
      (result) => this.#send({ on: 'written', n, result }),
      (error: unknown) => this.#send({ on: 'written', n, result: String(error) }),
    );
  }
}

const flatten = (value: SqlValue): Flat => (value instanceof Uint8Array ? { octets: hex(value) } : value);

const unflatten = (value: Flat): SqlValue =>
  typeof value === 'object' && value !== null ? (fromHex(value.octets) ?? new Uint8Array(0)) : value;
