/** What the heap of a process holds, asked by Node's inspector: after a full collection, so that nothing counts but what is kept. */
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from './sipp.fixture.ts';

/** Milliseconds for one answer; a full collection of a large heap takes some. */
const ANSWER_WITHIN = 60_000;

interface Usage {
  readonly usedSize: number;
  readonly backingStorageSize?: number;
}

/** The flag that lets a process be asked, and its port. */
export async function inspected(): Promise<{ readonly flag: string; readonly port: number }> {
  const port = await freePort();
  return { flag: `--inspect=127.0.0.1:${port}`, port };
}

export class HeapProbe implements Disposable {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (result: unknown) => void>();
  #asked = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const { id, result } = JSON.parse(String(data)) as { id?: number; result?: unknown };
      this.#waiting.get(id ?? 0)?.(result);
      this.#waiting.delete(id ?? 0);
    });
  }

  static async of(port: number): Promise<HeapProbe> {
    const list = await fetch(`http://127.0.0.1:${port}/json/list`);
    const [target] = (await list.json()) as { webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(target?.webSocketDebuggerUrl ?? '');
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve);
      socket.addEventListener('error', reject);
    });
    return new HeapProbe(socket);
  }

  #ask<T>(method: string): Promise<T> {
    const id = ++this.#asked;
    const answer = new Promise<T>((resolve) => this.#waiting.set(id, (result) => resolve(result as T)));
    this.#socket.send(JSON.stringify({ id, method }));
    const late = pause(ANSWER_WITHIN, undefined, { ref: false }).then(() => {
      throw new Error(`the inspector did not answer ${method}`);
    });
    return Promise.race([answer, late]);
  }

  /** Octets in use, buffers outside of the heap included. */
  async used(): Promise<number> {
    for (let i = 0; i < 2; i++) await this.#ask('HeapProfiler.collectGarbage');
    const { usedSize, backingStorageSize = 0 } = await this.#ask<Usage>('Runtime.getHeapUsage');
    return usedSize + backingStorageSize;
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}
