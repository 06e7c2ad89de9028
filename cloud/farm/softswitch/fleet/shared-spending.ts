/**
 * One account of what homes spend outside for all softswitch processes: every call to the outside has a row from before its INVITE until an
 * hour after its end. A process reads a home's rows before it judges, and its own row is written only where no other has come between.
 */
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import type { DestinationClass } from '#shared/call/plans.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { HOUR, type OutsideCall, type PastCall } from '../abuse/spending.ts';

/** Milliseconds after which a call that was never answered has ended without our hearing of it, and one that was. */
const UNANSWERED = 300_000;
const FORGOTTEN = 86_400_000;

interface Row {
  readonly id: string;
  readonly home: string;
  readonly kind: DestinationClass;
  readonly per_minute: number;
  readonly begun_at: number;
  readonly answered_at: number | null;
  readonly ended_at: number | null;
}

export interface Account {
  readonly calls: readonly PastCall[];
  /** Rows of the home, by which a later one is noticed. */
  readonly rows: number;
}

export class SharedSpending {
  readonly #store: Store;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** The calls of a home that count now; times are monotonic here. */
  async of(home: string): Promise<Account> {
    const wall = this.#clock.wall();
    const offset = this.#clock.mono() - wall;
    const rows = await this.#store.all<Row>('SELECT * FROM outside_call WHERE home = ? ORDER BY begun_at, id', [home]);
    const calls = rows.flatMap(({ id, kind, per_minute: perMinute, begun_at, answered_at, ended_at }): PastCall[] => {
      const lost = ended_at === null && wall - begun_at > (answered_at === null ? UNANSWERED : FORGOTTEN);
      if (lost || (ended_at !== null && wall - ended_at > HOUR)) return [];
      return [
        {
          ...{ id, home, kind, perMinute, begunAt: begun_at + offset },
          ...(answered_at === null ? {} : { answeredAt: answered_at + offset }),
          ...(ended_at === null ? {} : { endedAt: ended_at + offset }),
        },
      ];
    });
    return { calls, rows: rows.length };
  }

  /**
   * Writes a call that was let out; false where another process wrote one of the same home since it was judged. One that stands there
   * already and goes to another number too has the dearer price.
   */
  async begin({ id, home, kind, perMinute }: OutsideCall, { rows }: Account): Promise<boolean> {
    const insert =
      'INSERT INTO outside_call (id, home, kind, per_minute, begun_at) SELECT ?, ?, ?, ?, ? WHERE (SELECT COUNT(*) FROM outside_call WHERE home = ?) = ? ON CONFLICT (id) DO UPDATE SET kind = CASE WHEN excluded.per_minute > outside_call.per_minute THEN excluded.kind ELSE outside_call.kind END, per_minute = CASE WHEN excluded.per_minute > outside_call.per_minute THEN excluded.per_minute ELSE outside_call.per_minute END';
    const params = [id, home, kind, perMinute, this.#clock.wall(), home, rows];
    return (await this.#store.commit([{ sql: insert, params, changes: 1 }])).ok;
  }

  async answered(id: string): Promise<void> {
    const update = 'UPDATE outside_call SET answered_at = ? WHERE id = ? AND answered_at IS NULL';
    await this.#store.commit([sql(update, this.#clock.wall(), id)]);
  }

  /** The call is over; rows that count no more go. */
  async ended(id: string): Promise<void> {
    const wall = this.#clock.wall();
    await this.#store.commit([
      sql('UPDATE outside_call SET ended_at = ? WHERE id = ? AND ended_at IS NULL', wall, id),
      sql('DELETE FROM outside_call WHERE ended_at < ? OR begun_at < ?', wall - HOUR, wall - FORGOTTEN),
    ]);
  }

  /** Somebody lifted the bar of a home: its hour begins anew. */
  forgive(home: string): Statement[] {
    return [
      sql('DELETE FROM outside_call WHERE home = ? AND ended_at IS NOT NULL', home),
      // What runs still costs, and counts as begun before.
      sql(
        'UPDATE outside_call SET begun_at = ? WHERE home = ? AND answered_at IS NOT NULL',
        ...[this.#clock.wall() - HOUR, home],
      ),
    ];
  }
}
