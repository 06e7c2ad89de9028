/**
 * The store of the real cloud: one writer thread, reads on a connection of this thread.
 *
 * Group commit: while a group is being synced, further commits gather and form the next one; so the cost of a sync
 * is shared by all that wait for it, and a lone commit waits for nobody.
 */
import { Worker } from 'node:worker_threads';
import { type GroupResult, lock, openReader, StoreError } from './adapter-sqlite.ts';
import type { FromWriter, ToWriter, WriterOptions } from './adapter-writer.ts';
import type { CommitResult, Row, SqlValue, Statement, Store } from './store.ts';
import { Packer } from './wire.ts';

/** Groups handed to the writer and not yet answered: while one is written, the next one gathers. */
const GROUPS_UNDER_WAY = 1;
/** Commits in one group at the most; bounds the delay of the first of them. */
const GROUP_SIZE = 4096;

export interface StoreOptions {
  /** Dies (SIGKILL) at the n-th crash point, see `adapter-writer.ts`; for tests of durability. */
  readonly crashAt?: number;
  /** Crash points count from when this resolves; default: from the start. */
  readonly crashFrom?: Promise<unknown>;
}

interface Waiting {
  readonly statements: readonly Statement[];
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: Error) => void;
}

/** Opens the database file, alone: a second process is refused. Rejects with a StoreError that says what to do. */
export async function openStore(path: string, options: StoreOptions = {}): Promise<Store> {
  const held = lock(`${path}.lock`);
  const { crashFrom, ...crash } = options;
  const workerData: WriterOptions = { path, ...crash, crashLater: crashFrom !== undefined };
  const worker = new Worker(new URL('./adapter-writer.ts', import.meta.url), { workerData });
  void crashFrom?.then(() => worker.postMessage({ count: true } satisfies ToWriter));
  try {
    await ready(worker);
  } catch (error) {
    held.close();
    throw error;
  }
  return store(worker, openReader(path), held);
}

function ready(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', (message: FromWriter) => {
      worker.off('error', reject);
      if ('ready' in message) resolve();
      else reject(new StoreError('refused' in message ? message.refused : 'The store’s writer did not start.'));
    });
  });
}

function store(worker: Worker, reader: ReturnType<typeof openReader>, held: { close(): void }): Store {
  const queue: Waiting[] = [];
  const underWay: Waiting[][] = [];
  const packer = new Packer();
  let closing: PromiseWithResolvers<void> | undefined;
  let broken: Error | undefined;

  function send(): void {
    while (queue.length > 0 && underWay.length < GROUPS_UNDER_WAY) {
      const group = queue.splice(0, GROUP_SIZE);
      underWay.push(group);
      worker.postMessage({ write: packer.pack(group.map((waiting) => waiting.statements)) } satisfies ToWriter);
    }
    if (closing !== undefined && underWay.length === 0) worker.postMessage({ close: true } satisfies ToWriter);
  }

  function fail(error: Error): void {
    broken = error;
    for (const waiting of [...underWay.splice(0).flat(), ...queue.splice(0)]) waiting.reject(error);
    closing?.resolve();
    // Nothing can be kept from now on: the process ends, and whoever looks after it starts it anew.
    if (closing === undefined) throw error;
  }

  worker.on('error', fail);
  worker.on('exit', () => {
    if (closing === undefined) fail(new Error('the store’s writer ended'));
  });
  worker.on('message', (message: FromWriter) => {
    if ('closed' in message) return closing?.resolve();
    const group = underWay.shift() ?? [];
    if ('written' in message) for (const [i, waiting] of group.entries()) settle(waiting, message.written[i]);
    if ('failed' in message) for (const waiting of group) waiting.reject(new Error(message.failed));
    send();
  });

  async function all<T extends object = Row>(sql: string, params: readonly SqlValue[] = []): Promise<T[]> {
    return reader.all(sql, params) as T[];
  }

  return {
    all,
    one: async <T extends object = Row>(sql: string, params: readonly SqlValue[] = []) =>
      (await all<T>(sql, params))[0],
    commit(statements) {
      if (broken !== undefined) return Promise.reject(broken);
      if (closing !== undefined) return Promise.reject(new Error('the store is closed'));
      return new Promise((resolve, reject) => {
        queue.push({ statements, resolve, reject });
        send();
      });
    },
    async close() {
      if (closing !== undefined) return closing.promise;
      closing = Promise.withResolvers<void>();
      if (broken === undefined) send();
      else closing.resolve();
      await closing.promise;
      reader.close();
      held.close();
    },
  };
}

function settle(waiting: Waiting, result: GroupResult | undefined): void {
  if (result === undefined) waiting.reject(new Error('the writer answered too few commits'));
  else if (!result.ok && result.why === 'error') waiting.reject(new Error(result.error));
  else waiting.resolve(result);
}
