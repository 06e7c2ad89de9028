/**
 * How far a gateway can no longer repeat itself. It numbers its reports and keeps each until it has our answer, cut off for however long; a
 * report that we took and whose answer it never got comes again, and is told from a new one by what we kept of the first. At each
 * hello it says the oldest and the newest that it holds: once the oldest is behind what was the newest at an earlier hello, all that
 * we had taken by then is gone from it. Two hellos have to say so, since a power cut may bring its last answers back.
 */
import { type Statement, type Store, sql } from '#cloud/store/store.ts';

/** What a gateway's hello says of its outbox: number of the oldest that it holds, and of the newest there ever was. */
export interface Held {
  readonly first: number;
  readonly last: number;
}

/** What is known of a gateway. */
export interface Told {
  /** Its newest report at the hello that is waited upon, and where we stood then: wall clock, ms, and the journal's last position. */
  readonly last: number;
  readonly at: number;
  readonly position: number;
  /** Hellos that have said that nothing up to there is held. */
  readonly passed: number;
  /** What we took from it before this moment, and up to this position, it never sends again. */
  readonly toldAt: number;
  readonly toldPosition: number;
}

/** Hellos that have to say it. */
const PASSES = 2;

/** What is known after a hello at `at` (wall clock, ms), with the journal at `position`. */
export function afterHello(before: Told | undefined, { first, last }: Held, at: number, position: number): Told {
  const mark = { last, at, position, passed: 0 };
  if (before === undefined) return { ...mark, toldAt: 0, toldPosition: 0 };
  const { toldAt, toldPosition } = before;
  // It counts anew: its disk was lost or brought back from a copy. What it then held may be sent once more.
  if (last < before.last) return { ...mark, toldAt, toldPosition };
  if (first <= before.last) return { ...before, passed: 0 };
  if (before.passed + 1 < PASSES) return { ...before, passed: before.passed + 1 };
  return { ...mark, toldAt: before.at, toldPosition: before.position };
}

/** The statement that writes down what a gateway's hello says. */
export async function tellMark(store: Store, gateway: string, held: Held, at: number): Promise<Statement> {
  const before = await store.one<Told>(
    'SELECT last, at, position, passed, told_at AS "toldAt", told_position AS "toldPosition" FROM gateway_told WHERE gateway = ?',
    [gateway],
  );
  const newest = await store.one<{ position: number | null }>('SELECT MAX(position) AS position FROM journal');
  const counted = { first: whole(held.first), last: whole(held.last) };
  const after = afterHello(before, counted, at, newest?.position ?? 0);
  return sql(
    `INSERT INTO gateway_told (gateway, last, at, position, passed, told_at, told_position) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (gateway) DO UPDATE SET last = excluded.last, at = excluded.at, position = excluded.position, passed = excluded.passed,
     told_at = excluded.told_at, told_position = excluded.told_position`,
    gateway,
    after.last,
    after.at,
    after.position,
    after.passed,
    after.toldAt,
    after.toldPosition,
  );
}

/** What a gateway says may be any number; one that the database cannot hold is no count of reports. */
const whole = (n: number): number => (Number.isSafeInteger(n) && n > 0 ? n : 0);
