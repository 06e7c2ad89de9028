/**
 * The gateway's own log: every line from level `info` on, bounded in memory and on the disk, kept across restarts. Lines go to the
 * disk together, seconds later, so that a card is not worn by them; a disk that fails costs the lines and nothing else.
 */
import { utf8 } from '#shared/kernel/bytes.ts';
import type { AppendFile, Log, LogFields, Timer, World } from '#shared/kernel/world.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';

export type LogEntry = VerbReply<'gateway.logs.local'>['items'][number];
type Level = LogEntry['level'];

/** Lines in memory, octets of a file (two are kept), characters of a field's value. */
export const LOG_LIMIT = { entries: 2_000, file: 512 * 1024, value: 512, fields: 24 } as const;
/** Milliseconds that a line waits for others before they are written. */
const FLUSH_AFTER = 5_000;

const LEVELS: readonly Level[] = ['debug', 'info', 'warn', 'error'];
export const rankOf = (level: Level): number => LEVELS.indexOf(level);

export class LogBook {
  readonly #world: World;
  readonly #folder: string;
  #entries: LogEntry[] = [];
  #unwritten: LogEntry[] = [];
  #next = 1;
  #file: AppendFile | undefined;
  #number = 0;
  #flushing: Promise<void> = Promise.resolve();
  #started = false;
  #timer: Timer | undefined;

  constructor(world: World, folder: string) {
    this.#world = world;
    this.#folder = folder;
  }

  /** Lines in memory, oldest first. */
  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  /** The world's log, whose lines are kept here as well. */
  tee(log: Log, bound: LogFields = {}): Log {
    const to = (level: Level) => (event: string, fields?: LogFields) => {
      log[level](event, fields);
      if (level !== 'debug') this.#keep(level, event, { ...bound, ...fields });
    };
    return {
      debug: to('debug'),
      info: to('info'),
      warn: to('warn'),
      error: to('error'),
      child: (fields) => this.tee(log.child(fields), { ...bound, ...fields }),
    };
  }

  /** Reads what earlier runs left; lines that came meanwhile follow it. */
  async start(): Promise<void> {
    const numbers = await this.#numbers();
    this.#number = numbers.at(-1) ?? 0;
    const old: LogEntry[] = [];
    for (const number of numbers.slice(-2)) old.push(...(await this.#read(number)));
    const last = Math.max(0, ...old.map(({ n }) => n));
    const fresh = this.#entries.map((entry, i) => ({ ...entry, n: last + 1 + i }));
    this.#entries = [...old, ...fresh].slice(-LOG_LIMIT.entries);
    this.#unwritten = fresh;
    this.#next = last + 1 + fresh.length;
    this.#started = true;
    this.#arm();
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#timer?.cancel();
    await this.flush();
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
  }

  /** Writes what is not on the disk yet; never rejects. */
  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write());
    return this.#flushing;
  }

  /** One timer, and only while a line waits. */
  #arm(): void {
    if (!this.#started || this.#timer !== undefined || this.#unwritten.length === 0) return;
    const { clock } = this.#world;
    this.#timer = clock.at(clock.mono() + FLUSH_AFTER, () => {
      this.#timer = undefined;
      void this.flush();
    });
  }

  #keep(level: Level, event: string, fields: LogFields): void {
    const kept: Record<string, string | number | boolean> = {};
    for (const [name, value] of Object.entries(fields).slice(0, LOG_LIMIT.fields))
      if (value !== undefined)
        kept[name.slice(0, 64)] = typeof value === 'string' ? value.slice(0, LOG_LIMIT.value) : value;
    const at = Math.max(0, Math.floor(this.#world.clock.wall()));
    const entry: LogEntry = { n: this.#next++, at, level, event: event.slice(0, 64), fields: kept };
    this.#entries.push(entry);
    this.#unwritten.push(entry);
    if (this.#entries.length > LOG_LIMIT.entries * 1.25)
      this.#entries.splice(0, this.#entries.length - LOG_LIMIT.entries);
    if (this.#unwritten.length > LOG_LIMIT.entries) this.#unwritten.shift();
    this.#arm();
  }

  async #write(): Promise<void> {
    if (this.#unwritten.length === 0) return;
    const lines = utf8(this.#unwritten.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    this.#unwritten = [];
    try {
      if (this.#file === undefined || this.#file.size + lines.length > LOG_LIMIT.file) await this.#turn();
      await this.#file?.append(lines);
    } catch {
      // To say so in the log would only add to what cannot be written.
      await this.#file?.close().catch(() => {});
      this.#file = undefined;
    }
  }

  /** Begins the next file; of the older ones the newest stays. */
  async #turn(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    const { disk } = this.#world;
    const newest = (await this.#numbers()).at(-1) ?? 0;
    this.#number = Math.max(this.#number, newest) + 1;
    this.#file = await disk.append(this.#path(this.#number));
    for (const number of await this.#numbers()) if (number < this.#number - 1) await disk.remove(this.#path(number));
  }

  async #numbers(): Promise<number[]> {
    const names = await this.#world.disk.list(this.#folder).catch(() => []);
    return names
      .map((name) => Number(/^log-([0-9]{1,9})$/.exec(name)?.[1]))
      .filter((number) => Number.isInteger(number))
      .sort((a, b) => a - b);
  }

  async #read(number: number): Promise<LogEntry[]> {
    const octets = await this.#world.disk.read(this.#path(number)).catch(() => undefined);
    if (octets === undefined) return [];
    return new TextDecoder().decode(octets).split('\n').flatMap(readLine);
  }

  #path(number: number): string {
    return `${this.#folder}/log-${number}`;
  }
}

/** A line of the file; a torn or foreign one is left out. */
function readLine(line: string): LogEntry[] {
  if (line === '') return [];
  try {
    const { n, at, level, event, fields } = JSON.parse(line) as Partial<LogEntry>;
    const whole =
      Number.isInteger(n) &&
      Number.isInteger(at) &&
      typeof event === 'string' &&
      LEVELS.includes(level as Level) &&
      typeof fields === 'object' &&
      fields !== null;
    return whole ? [{ n, at, level, event, fields } as LogEntry] : [];
  } catch {
    return [];
  }
}
