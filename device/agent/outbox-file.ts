/**
 * The outbox's log on the disk. Lines that wait are written together (one sync); a log that has grown old is written anew
 * under the next number and the old one removed. After a failed write the tail cannot be trusted, so the next
 * write begins a new log as well.
 */
import type { AppendFile, Disk } from '#shared/kernel/world.ts';
import type { Outbox } from './outbox.ts';
import { type LogLine, logLine, type Replay, replay } from './outbox-log.ts';

/** Octets of log below which it is not worth writing anew. */
const COMPACT_ABOVE = 1024 * 1024;

interface Waiting {
  readonly line: Uint8Array;
  readonly done: (error: unknown) => void;
}

export class OutboxFile {
  readonly #disk: Disk;
  readonly #folder: string;
  readonly #decoder = new TextDecoder();
  #generation = 0;
  #file: AppendFile | undefined;
  #size = 0;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(disk: Disk, folder: string) {
    this.#disk = disk;
    this.#folder = folder;
  }

  /** What the newest log holds; its torn tail is left behind by the next `begin`. */
  async read(): Promise<Replay | undefined> {
    const numbers = (await this.#disk.list(this.#folder))
      .map((name) => /^outbox-([0-9]{1,9})$/.exec(name)?.[1])
      .filter((number) => number !== undefined)
      .map(Number)
      .sort((a, b) => b - a);
    this.#generation = numbers[0] ?? 0;
    for (const number of numbers) {
      const octets = await this.#disk.read(this.#path(number));
      const found = octets === undefined ? undefined : replay(octets, (part) => this.#decoder.decode(part));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** Writes a new log of what the outbox holds; all older ones go. */
  async begin(outbox: Outbox): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const { last, lost } = outbox.range;
    const lines = [logLine({ v: 1, last, lost }), ...outbox.entries().map((add) => logLine({ add }))];
    const size = lines.reduce((sum, line) => sum + line.length, 0);
    const log = new Uint8Array(size);
    let at = 0;
    for (const line of lines) {
      log.set(line, at);
      at += line.length;
    }
    const number = ++this.#generation;
    await this.#disk.write(this.#path(number), log);
    this.#file = await this.#disk.append(this.#path(number));
    this.#size = size;
    // Closed while it was being opened: nobody else would close it.
    if (this.#closed) {
      await this.#file.close();
      this.#file = undefined;
    }
    for (const name of await this.#disk.list(this.#folder)) {
      if (/^outbox-[0-9]+$/.test(name) && name !== `outbox-${number}`)
        await this.#disk.remove(`${this.#folder}/${name}`);
    }
  }

  /** Resolves once the line would survive a power cut; rejects when the disk fails. */
  append(line: LogLine, outbox: Outbox): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (error: unknown) => (error === undefined ? resolve() : reject(error));
      this.#waiting.push({ line: logLine(line), done });
      this.#writing ??= this.#write(outbox);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#writing;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #write(outbox: Outbox): Promise<void> {
    // Lines that are added in this turn go with the first.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      let error: unknown;
      try {
        await this.#writeBatch(batch, outbox);
      } catch (caught) {
        error = caught ?? new Error('the disk failed');
        // Its end is not known any more; closing it is only good manners.
        void this.#file?.close().catch(() => {});
        this.#file = undefined;
      }
      for (const { done } of batch) done(error);
    }
    // In the same turn as the last look at what waits, or a line that comes between would wait for ever.
    this.#writing = undefined;
  }

  async #writeBatch(batch: readonly Waiting[], outbox: Outbox): Promise<void> {
    // The outbox already holds what the batch says, so a new log contains it.
    if (this.#file === undefined || this.#size > Math.max(COMPACT_ABOVE, 2 * outbox.octets)) return this.begin(outbox);
    const octets = new Uint8Array(batch.reduce((sum, { line }) => sum + line.length, 0));
    let at = 0;
    for (const { line } of batch) {
      octets.set(line, at);
      at += line.length;
    }
    await this.#file.append(octets);
    this.#size += octets.length;
  }

  #path(number: number): string {
    return `${this.#folder}/outbox-${number}`;
  }
}
