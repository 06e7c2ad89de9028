/**
 * What the softswitch has to tell the session manager. What cannot be told now is kept in the store and told, in order, once
 * the session manager is back: losing it never ends a call and never loses a fact.
 */
import type { Bus } from '#cloud/bus/bus.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import { inFull } from '#shared/call/numbers.ts';
import { type Soon, soon } from '#shared/kernel/soon.ts';
import type { Clock, Log, Timer } from '#shared/kernel/world.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { withoutPin } from '#shared/sip/trace.ts';
import type { Live } from './live.ts';
import { BUS_LIMIT, SELF } from './media.ts';

type LegReport = VerbRequest<'leg.report'>;
type VoiceReport = VerbRequest<'voice.report'>;

/** Milliseconds between tries while something waits to be told. */
export const RETRY_AFTER = 5_000;
/** Facts told in one go. */
const BATCH = 100;

export interface ReporterOptions {
  readonly bus: Bus;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  /** A new, time-ordered name for a spooled fact. */
  readonly newId: () => string;
}

export class Reporter {
  readonly #o: ReporterOptions;
  /** Sessions with spooled facts: what follows has to queue behind them. */
  readonly #behind = new Set<string>();
  #timer: Timer | undefined;
  #telling = false;
  /** Facts on their way into the spool. */
  #writing = 0;
  #stopped = false;

  constructor(options: ReporterOptions) {
    this.#o = options;
  }

  /** Tells what became of a leg; resolves once it is durable with the session manager, or spooled. True: its session is over. */
  leg(report: LegReport): Soon<boolean> {
    if (this.#behind.has(report.session)) return this.#keep(report);
    return soon(this.#o.bus.ask('leg.report', report, SELF, BUS_LIMIT), (told) =>
      told.ok || !isAway(told.fault.code) ? told.ok && told.value.over === true : this.#keep(report),
    );
  }

  async #keep(report: LegReport): Promise<boolean> {
    // A phone that rings is news only while it rings.
    if (report.event === 'ringing') return false;
    this.#behind.add(report.session);
    await this.#spool('leg.report', report);
    return false;
  }

  /** Tells that a leg ended. The end of one is mostly the end of them all: then the others need not be told. */
  ended(live: Live, report: LegReport): Soon<void> {
    if (live.over === true) return;
    if (live.ends === undefined) return this.#tellEnds(live, report);
    live.ends.push(report);
  }

  async #tellEnds(live: Live, first: LegReport): Promise<void> {
    const ends = [first];
    live.ends = ends;
    for (let report = ends[0]; report !== undefined && live.over !== true; report = ends[0]) {
      live.over = await this.leg(report);
      ends.shift();
    }
    live.ends = undefined;
  }

  /** Tells of a call that the session manager never saw, as one fact. */
  async whole(live: Live, reason: string): Promise<void> {
    const { answeredAt, callId, line, hidden } = live;
    await this.call({
      callId,
      ...(line === undefined ? {} : { home: line.home }),
      from: live.caller.number,
      // As the line's own country writes numbers: what it costs goes by that.
      to: inFull(withoutPin(live.dialled), line?.number),
      startedAt: live.startedAt,
      ...(answeredAt === undefined ? {} : { answeredAt }),
      ...(hidden === true ? { hidden } : {}),
      endedAt: this.#o.clock.wall(),
      reason,
    });
  }

  /** Tells of a call that the session manager has not seen. */
  async call(report: VoiceReport): Promise<void> {
    const told = await this.#o.bus.request('voice.report', report, SELF, BUS_LIMIT);
    if (!told.ok && isAway(told.fault.code)) await this.#spool('voice.report', report);
  }

  /** Begins with what an earlier process left. */
  start(): void {
    this.#wake(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  async #spool(verb: 'leg.report' | 'voice.report', report: LegReport | VoiceReport): Promise<void> {
    const { store, newId, clock } = this.#o;
    const [id, body] = [newId(), JSON.stringify(report)];
    this.#writing++;
    try {
      await store.commit([
        sql('INSERT INTO spool (id, verb, body, at) VALUES (?, ?, ?, ?)', id, verb, body, clock.wall()),
      ]);
    } finally {
      this.#writing--;
      this.#wake(RETRY_AFTER);
    }
  }

  #wake(after: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    const { clock, log } = this.#o;
    this.#timer = clock.at(clock.mono() + after, () => {
      this.#timer = undefined;
      this.#tell().catch((error: unknown) => log.error('softswitch.spool-failed', { error: String(error) }));
    });
  }

  async #tell(): Promise<void> {
    if (this.#telling || this.#stopped) return;
    this.#telling = true;
    try {
      if (!(await this.#tellBatch())) this.#wake(RETRY_AFTER);
    } finally {
      this.#telling = false;
    }
  }

  /** True once nothing waits any more. */
  async #tellBatch(): Promise<boolean> {
    const { bus, store, log } = this.#o;
    for (;;) {
      const rows = await store.all<{ id: string; verb: 'leg.report' | 'voice.report'; body: string }>(
        `SELECT id, verb, body FROM spool ORDER BY id LIMIT ${BATCH}`,
      );
      if (rows.length === 0) {
        if (this.#writing === 0) this.#behind.clear();
        return true;
      }
      for (const { id, verb, body } of rows) {
        const told = await bus.request(verb, JSON.parse(body), SELF, BUS_LIMIT);
        if (!told.ok && told.fault.code === 'internal') log.error('softswitch.fact-refused', { verb, body });
        else if (!told.ok && isAway(told.fault.code)) return false;
        await store.commit([sql('DELETE FROM spool WHERE id = ?', id)]);
      }
    }
  }
}

/** `internal` once may be the store's trouble; a fact that is refused so twice would block all others and goes to the log. */
function isAway(code: string): boolean {
  return code === 'server_unavailable' || code === 'timeout' || code === 'internal';
}
