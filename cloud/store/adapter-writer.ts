/**
 * The writer: a worker thread that owns the only write connection. It gets groups of commits, writes each group with one
 * sync and answers only then. `crashAt` makes the whole process die (SIGKILL) at the n-th crash point, of which
 * there are two per group: before its commit and after it, before the answer. Tests of durability use it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type GroupResult, openWriter, StoreError } from './adapter-sqlite.ts';
import type { Statement } from './store.ts';

/** What the writer is started with. */
export interface WriterOptions {
  readonly path: string;
  readonly crashAt?: number;
}

/** From the store: a group of commits, or the wish to close. */
export type ToWriter = { readonly write: readonly (readonly Statement[])[] } | { readonly close: true };

/** From the writer: ready (or why not), the outcomes of the oldest open group (or why the disk refused it), closed. */
export type FromWriter =
  | { readonly ready: true }
  | { readonly refused: string }
  | { readonly written: readonly GroupResult[] }
  | { readonly failed: string }
  | { readonly closed: true };

function write(path: string, crashAt: number, port: NonNullable<typeof parentPort>): void {
  const answer = (message: FromWriter) => port.postMessage(message);
  let points = 0;
  const crashPoint = () => {
    if (++points === crashAt) process.kill(process.pid, 'SIGKILL');
  };
  const connection = openWriter(path);
  port.on('message', (message: ToWriter) => {
    if ('close' in message) {
      connection.close();
      answer({ closed: true });
      port.close();
      return;
    }
    try {
      crashPoint();
      const written = connection.group(message.write);
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
    write(options.path, options.crashAt ?? 0, parentPort);
  } catch (error) {
    const text = error instanceof StoreError ? error.message : `The store ${options.path} cannot be opened: ${error}`;
    parentPort.postMessage({ refused: text } satisfies FromWriter);
    parentPort.close();
  }
}
