/** Runs the outbox on the world: keeps it on the disk, sends what goes next while the link is ready, takes the answers in. */
import { newId } from '#shared/kernel/ids.ts';
import { err, ok, type Result } from '#shared/kernel/result.ts';
import type { Timer, World } from '#shared/kernel/world.ts';
import { type Fault, fault } from '#shared/protocol/fault.ts';
import { type Entry, Outbox, type Priority } from './outbox.ts';
import { OutboxFile } from './outbox-file.ts';
import { logLine } from './outbox-log.ts';
import { redated } from './redate.ts';

export interface ReportOptions {
  /** Default `usage`. */
  readonly priority?: Priority;
  /** Milliseconds after which nobody wants it any more; default 7 days. */
  readonly expiresIn?: number;
  /** Reports of one order are told one at a time, first come first. */
  readonly order?: string;
  /** Unsent reports of the same order are taken back: only the latest counts. */
  readonly latest?: boolean;
}

/** How long the cloud may take to answer a report before it is sent again, ms. */
const ANSWER_TIMEOUT = 30_000;
const DAY = 86_400_000;
/** Milliseconds after which a disk that did not take what is held is tried again. */
export const DISK_AGAIN = 30_000;
/** Octets of one report. */
export const REPORT_LIMIT = 60 * 1024;

export interface OutboxLoad {
  readonly waiting: number;
  readonly octets: number;
  /** Given up since the gateway's first day. */
  readonly lost: number;
  /** Milliseconds that the oldest has waited since it was made, or since the gateway started; no clock's jump counts. */
  readonly oldest?: number;
}

export interface ReporterOptions {
  readonly world: World;
  readonly folder: string;
  ready(): boolean;
  /** The cloud's wall clock, ms; undefined before it has told. */
  cloudTime(): number | undefined;
  send(entry: Entry, timeout: number): Promise<Result<unknown, Fault>>;
}

export class Reporter {
  readonly #options: ReporterOptions;
  readonly #file: OutboxFile;
  #outbox = new Outbox();
  /** When entries were made before the cloud told its time, by both clocks of ours, ms: only then it is known how wrong the one was. */
  readonly #made = new Map<string, { readonly wall: number; readonly mono: number }>();
  #timer: Timer | undefined;
  /** Set while something is held in memory alone. */
  #diskAgain: Timer | undefined;
  #stopped = false;
  /** Settles once what the disk holds is read (or the reporter stopped before): nothing may be added to it earlier. */
  readonly #begun = Promise.withResolvers<void>();

  constructor(options: ReporterOptions) {
    this.#options = options;
    this.#file = new OutboxFile(options.world.disk, options.folder);
  }

  get range() {
    return this.#outbox.range;
  }

  /** What waits, and how many were given up. */
  get load(): OutboxLoad {
    const oldest = this.#outbox.waited(this.#options.world.clock.mono());
    const { lost } = this.#outbox.range;
    const { size: waiting, octets } = this.#outbox;
    return { waiting, octets, lost, ...(oldest === undefined ? {} : { oldest }) };
  }

  async start(): Promise<void> {
    const kept = await this.#file.read();
    if (kept !== undefined) {
      this.#outbox = new Outbox(kept.last, kept.lost);
      const now = this.#options.world.clock.mono();
      for (const { entry, octets } of kept.entries) this.#outbox.add(entry, octets, now);
    }
    try {
      await this.#file.begin(this.#outbox);
    } catch (error) {
      // A full disk keeps no gateway from its cloud.
      this.#diskFailed(error);
    }
    this.#begun.resolve();
  }

  /** What is in the outbox stays on the disk; nothing more is taken. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#begun.resolve();
    this.#timer?.cancel();
    this.#diskAgain?.cancel();
    if (this.#diskAgain !== undefined) await this.#rewrite().catch(() => undefined);
    await this.#file.close();
  }

  /** Resolves once the report would survive a power cut; `internal` means that the disk fails and it is held in memory only. */
  async add(verb: string, body: unknown, options: ReportOptions): Promise<Result<void, Fault>> {
    await this.#begun.promise;
    if (this.#stopped) return err(fault('timeout', 'The gateway is stopping.'));
    const { clock, random } = this.#options.world;
    const { priority = 'usage', expiresIn = 7 * DAY, order, latest = false } = options;
    const cloudTime = this.#options.cloudTime();
    const wall = clock.wall();
    const entry: Entry = {
      n: this.#outbox.next,
      id: newId('msg', cloudTime ?? wall, random.bytes(10)),
      verb,
      body: redated(verb, body, (cloudTime ?? wall) - wall),
      priority,
      keeps: expiresIn,
      ...(cloudTime === undefined ? {} : { expires: Math.floor(cloudTime + expiresIn) }),
      ...(order === undefined ? {} : { order }),
    };
    const octets = logLine({ add: entry }).length;
    if (octets > REPORT_LIMIT) return err(fault('too_large', 'The report is larger than one packet may be.'));
    const gone = latest && order !== undefined ? this.#outbox.supersede(order) : [];
    if (cloudTime === undefined) this.#made.set(entry.id, { wall, mono: clock.mono() });
    const dropped = this.#outbox.add(entry, octets, clock.mono());
    if (dropped.length > 0) this.#options.world.log.warn('outbox.full', { lost: dropped.length });
    const written = this.#file.append({ add: entry }, this.#outbox);
    this.#ended([...gone, ...dropped]);
    this.pump();
    try {
      await written;
      return ok(undefined);
    } catch (error) {
      this.#diskFailed(error);
      return err(fault('internal', 'The disk does not take the report.'));
    }
  }

  /** The link is ready again: all that waited may go. */
  hurry(): void {
    this.#outbox.hurry();
    this.pump();
  }

  /** Sends what may go now. */
  pump(): void {
    this.#timer?.cancel();
    const cloudTime = this.#options.cloudTime();
    if (this.#stopped || !this.#options.ready()) return;
    const { clock } = this.#options.world;
    if (cloudTime !== undefined) this.#ended(this.#outbox.expire(cloudTime, clock.mono()));
    for (let entry = this.#outbox.take(clock.mono()); entry !== undefined; entry = this.#outbox.take(clock.mono())) {
      void this.#tell(entry);
    }
    const due = this.#outbox.due(clock.mono());
    if (due !== undefined) this.#timer = clock.at(due, () => this.pump());
  }

  async #tell(entry: Entry): Promise<void> {
    const body = redated(entry.verb, entry.body, this.#wrongBy(entry));
    const outcome = await this.#options.send({ ...entry, body }, ANSWER_TIMEOUT);
    const verdict = this.#outbox.settle(entry.id, outcome, this.#options.world.clock.mono());
    if (verdict === 'refused' && !outcome.ok) {
      const { code, detail } = outcome.fault;
      this.#options.world.log.warn('outbox.refused', { verb: entry.verb, code, detail });
    }
    if (verdict === 'told' || verdict === 'refused') this.#ended([entry]);
    this.pump();
  }

  /** Milliseconds by which our wall clock was behind the cloud's when an entry was made, where only now that can be told. */
  #wrongBy({ id }: Entry): number {
    const [made, cloudTime] = [this.#made.get(id), this.#options.cloudTime()];
    if (made === undefined || cloudTime === undefined) return 0;
    return cloudTime - (this.#options.world.clock.mono() - made.mono) - made.wall;
  }

  /** Writes that entries are over. A lost line only means that they are told again, which their id makes harmless. */
  #ended(entries: readonly Entry[]): void {
    for (const { id } of entries) this.#made.delete(id);
    if (entries.length === 0 || this.#stopped) return;
    const line = { end: entries.map(({ id }) => id), lost: this.#outbox.range.lost };
    void this.#file.append(line, this.#outbox).catch((error: unknown) => this.#diskFailed(error));
  }

  /** All that is held is written anew as soon as the disk takes it. */
  #diskFailed(error: unknown): void {
    const { clock, log } = this.#options.world;
    log.error('outbox.disk-failed', { error: String(error) });
    if (this.#stopped) return;
    this.#diskAgain ??= clock.at(clock.mono() + DISK_AGAIN, () => {
      this.#diskAgain = undefined;
      this.#rewrite().catch((again: unknown) => this.#diskFailed(again));
    });
  }

  /** After a failed write the next one begins a new log, with all that is held. */
  #rewrite(): Promise<void> {
    return this.#file.append({ end: [], lost: this.#outbox.range.lost }, this.#outbox);
  }
}
