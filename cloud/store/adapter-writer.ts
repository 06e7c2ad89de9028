/**
 * The writer: a worker thread that owns the only write connection. It gets groups of commits, writes each group with one
 * sync and answers only then. `crashAt` makes the whole process die (SIGKILL) at the n-th crash point, of which
 * there are two per group: before its commit and after it, before the answer. With `crashLater` the count begins when it
 * is told to. Tests of durability use it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type GroupResult, openWriter, StoreError } from './adapter-sqlite.ts';
import { type Packed, Unpacker } from './wire.ts';

/** What the writer is started with. */
export interface WriterOptions {
  readonly path: string;
  readonly crashAt?: number;
  readonly crashLater?: boolean;
}

/** From the store: a group of commits (see `wire.ts`), the wish to close, or the beginning of the count of crash points. */
export type ToWriter = { readonly write: Packed } | { readonly close: true } | { readonly count: true };

/** From the writer: ready (or why not), the outcomes of the oldest open group (or why the disk refused it), closed. */
export type FromWriter =
  | { readonly ready: true }
  | { readonly refused: string }
  | { readonly written: readonly GroupResult[] }
  | { readonly failed: string }
  | { readonly closed: true };

/** Milliseconds between two groups while commits come side by side: each sync costs the same however many it serves. */
const PACE = 8;
/** The same while very many come, and commits in a group from which it holds. */
const BUSY_PACE = 20;
const BUSY_GROUP = 24;

/** Lets commits gather under load: after a group of several the next one rests. Those that come one after the other wait for nobody. */
class Pace {
  readonly #cell = new Int32Array(new SharedArrayBuffer(4));
  #pause = 0;

  rest(commits: number): void {
    if (this.#pause > 0) Atomics.wait(this.#cell, 0, 0, this.#pause);
    this.#pause = commits > BUSY_GROUP ? BUSY_PACE : commits > 1 ? PACE : 0;
  }
}

function write(options: WriterOptions, port: NonNullable<typeof parentPort>): void {
  const { path, crashAt = 0, crashLater = false } = options;
  const answer = (message: FromWriter) => port.postMessage(message);
  let counting = !crashLater;
  let points = 0;
  const crashPoint = () => {
    if (counting && ++points === crashAt) process.kill(process.pid, 'SIGKILL');
  };
  const connection = openWriter(path);
  const unpacker = new Unpacker();
  const pace = new Pace();
  port.on('message', (message: ToWriter) => {
    if ('count' in message) {
      counting = true;
      return;
    }
    if ('close' in message) {
      connection.close();
      answer({ closed: true });
      port.close();
      return;
    }
    try {
      const commits = unpacker.commits(message.write);
      pace.rest(commits.length);
      crashPoint();
      const written = connection.group(commits);
      crashPoint();
      answer({ written });
    } catch (error) {
      answer({ failed: String(error) });
    }
  });
  answer({ ready: true });
}

if (parentPort !== null) {
  const options = workerData as WriterOptions;
  try {
    write(options, parentPort);
  } catch (error) {
    const text = error instanceof StoreError ? error.message : `The store ${options.path} cannot be opened: ${error}`;
    parentPort.postMessage({ refused: text } satisfies FromWriter);
    parentPort.close();
  }
}
