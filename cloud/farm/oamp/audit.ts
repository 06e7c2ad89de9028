/**
 * The audit trail: who asked for what, and how it ended. Lines are only ever added, each with a hash over itself and the line before
 * it, and dropped from the old end.
 */
import type { Handlers } from '#cloud/bus/bus.ts';
import { REST, ROWS_AT_ONCE } from '#cloud/store/old-rows.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { sleep } from '#shared/kernel/time.ts';
import type { Crypto } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbReply } from '#shared/protocol/verbs/index.ts';
import { makeId, type Oamp, page } from './parts.ts';

const DAY = 24 * 3_600_000;
/** How long lines of the audit trail and cleared alarms are kept, ms. */
export const AUDIT_KEPT = 365 * DAY;
export const ALARMS_KEPT = 90 * DAY;
/** How long a gateway's ids stay unique at least, ms. */
export const GATEWAY_IDS_KEPT = 30 * DAY;
/** How long all other idempotency keys are kept at the most, ms: longer than any message waits. */
export const KEYS_KEPT = 90 * DAY;

interface AuditRow {
  readonly id: string;
  readonly seq: number;
  readonly at: number;
  readonly account: string;
  readonly verb: string;
  readonly target: string | null;
  readonly outcome: string;
  readonly hash: string;
}

type Line = Omit<AuditRow, 'hash'>;

/** Tries of a line whose place another one took (a server that has just been stopped still wrote). */
const TRIES = 5;

/** The end of the chain. Commits are written in the order in which they were asked for, so no line waits for the one before it. */
class Chain {
  readonly #store: Store;
  readonly #crypto: Crypto;
  #last: { readonly seq: number; readonly hash: string } | undefined;

  constructor(store: Store, crypto: Crypto) {
    this.#store = store;
    this.#crypto = crypto;
  }

  async add(facts: Omit<Line, 'seq'>): Promise<void> {
    for (let n = 0; n < TRIES; n++) {
      const known = this.#last === undefined ? await this.#newest() : undefined;
      const last = this.#last ?? known ?? { seq: 0, hash: '' };
      const line: Line = { ...facts, seq: last.seq + 1 };
      const hash = chained(this.#crypto, last.hash, line);
      this.#last = { seq: line.seq, hash };
      if ((await this.#store.commit([insert(line, hash)])).ok) return;
      this.#last = undefined;
    }
    throw new Error('the audit trail has no place for a line');
  }

  #newest(): Promise<AuditRow | undefined> {
    return this.#store.one<AuditRow>('SELECT * FROM audit ORDER BY seq DESC LIMIT 1');
  }
}

/** Lines that are checked at once. */
const LINES_AT_ONCE = 500;

export function auditHandlers({
  store,
  world,
}: Oamp): Pick<Handlers<'oamp'>, 'audit.record' | 'audit.list' | 'audit.check'> {
  const chain = new Chain(store, world.crypto);
  return {
    'audit.record': async ({ account, verb, target, outcome }, { principal }) => {
      if (principal.kind !== 'part') return err(fault('forbidden'));
      const id = makeId(world, 'aud');
      await chain.add({ id, at: world.clock.wall(), account, verb, target: target ?? null, outcome });
      return ok({});
    },
    async 'audit.list'(request) {
      const found = await page<AuditRow>(store, 'SELECT * FROM audit WHERE 1 = 1', [], request, 'DESC');
      return ok({
        items: found.rows.map(({ id, at, account, verb, target, outcome }) => ({
          id,
          at,
          account,
          verb,
          ...(target === null ? {} : { target }),
          outcome,
        })),
        ...(found.next === undefined ? {} : { next: found.next }),
      });
    },
    'audit.check': async () => ok(await check(store, world.crypto)),
  };
}

function insert({ id, seq, at, account, verb, target, outcome }: Line, hash: string): Statement {
  return sql(
    'INSERT INTO audit (id, seq, at, account, verb, target, outcome, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    id,
    seq,
    at,
    account,
    verb,
    target,
    outcome,
    hash,
  );
}

/** SHA-256 over the hash of the line before and this line's fields. */
function chained(crypto: Crypto, before: string, line: Line): string {
  const { id, seq, at, account, verb, target, outcome } = line;
  return hex(crypto.hash('sha256', utf8(`${before} ${JSON.stringify([seq, id, at, account, verb, target, outcome])}`)));
}

/** Goes along the chain from the oldest line kept; the newest hash, written down elsewhere, also shows a trail cut at its end. */
async function check(store: Store, crypto: Crypto): Promise<VerbReply<'audit.check'>> {
  let before: AuditRow | undefined;
  for (let lines = 0; ; ) {
    const rows = await store.all<AuditRow>('SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?', [
      before?.seq ?? 0,
      LINES_AT_ONCE,
    ]);
    for (const row of rows) {
      const first = before === undefined && row.seq > 1;
      const whole =
        first || (row.seq === (before?.seq ?? 0) + 1 && row.hash === chained(crypto, before?.hash ?? '', row));
      if (!whole) return { intact: false, lines, brokenAt: row.id };
      before = row;
      lines++;
    }
    if (rows.length < LINES_AT_ONCE)
      return { intact: true, lines, ...(before === undefined ? {} : { newest: before.id, hash: before.hash }) };
  }
}

/** Drops lines from the old end of the trail, never one from the middle: what was written while the clock stood wrong waits for its neighbours. */
export async function dropLines(
  { store, world }: Pick<Oamp, 'store' | 'world'>,
  before: number,
  goesOn: () => boolean,
) {
  while (goesOn()) {
    const page = await store.all<Pick<AuditRow, 'seq' | 'at'>>(
      `SELECT seq, at FROM audit WHERE seq > 0 ORDER BY seq LIMIT ${ROWS_AT_ONCE}`,
    );
    const young = page.findIndex(({ at }) => at >= before);
    const last = young < 0 ? page.at(-1) : page[young - 1];
    if (last !== undefined) await store.commit([sql('DELETE FROM audit WHERE seq <= ?', last.seq)]);
    if (young >= 0 || page.length < ROWS_AT_ONCE) return;
    await sleep(world.clock, REST);
  }
}
