/** Balances and reservations of the homes that pay. Reservations of one home are made one after the other. */
import type { Outcome } from '#cloud/bus/bus.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { Turns } from '#shared/kernel/turns.ts';
import type { Clock } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import { type Rate, reservation, talkFor } from './rating.ts';
import { rateFor, readRates } from './records.ts';

export interface Balance {
  readonly home: string;
  readonly mode: 'prepaid' | 'postpaid';
  readonly balance: number;
  readonly reserved: number;
}

/** Milliseconds beyond its talk for which a reservation is kept: ringing, and a session manager that restarts. */
const LEASE = 180_000;

/** Micro-units that a balance reaches by payments, up or down: a thousand million units, exact in a double. */
export const BALANCE_LIMIT = 1_000_000_000_000_000;

/** How a home stands; one that nobody has set pays afterwards. */
export async function readBalance(store: Store, home: string): Promise<Balance> {
  // In one look: a record between two would take its money from the one and its reservation from the other.
  const row = await store.one<{ mode: Balance['mode'] | null; balance: number | null; held: number | null }>(
    'SELECT b.mode, b.balance, (SELECT SUM(amount) FROM reservation WHERE home = ?) AS held FROM (SELECT 1 AS one) AS x LEFT JOIN balance AS b ON b.home = ?',
    [home, home],
  );
  return { home, mode: row?.mode ?? 'postpaid', balance: row?.balance ?? 0, reserved: row?.held ?? 0 };
}

/** Sets how a home pays and adds to its balance. */
export function setBalance(home: string, mode: Balance['mode'], add: number): Statement {
  return sql(
    'INSERT INTO balance (home, mode, balance) VALUES (?, ?, ?) ON CONFLICT (home) DO UPDATE SET mode = excluded.mode, balance = balance.balance + excluded.balance',
    home,
    mode,
    add,
  );
}

type Request = VerbRequest<'billing.reserve'>;
type Reply = Outcome<'billing.reserve'>;

export class Reservations {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #turns = new Turns();
  readonly #settle: () => Promise<void>;

  /** `settle`: takes from the balances what has been used by now. */
  constructor(store: Store, clock: Clock, settle: () => Promise<void>) {
    this.#store = store;
    this.#clock = clock;
    this.#settle = settle;
  }

  /** Work on the balance of a home that nothing comes between. */
  alone<T>(home: string, work: () => Promise<T>): Promise<T> {
    return this.#turns.run(home, work);
  }

  /** Rates a leg; for a prepaid home it holds money back, or answers `insufficient_credit`. */
  async reserve(request: Request): Promise<Reply> {
    const rate = await rateFor(this.#store, await readRates(this.#store), request.to, request.home);
    const { mode } = await readBalance(this.#store, request.home);
    if (!request.pays || mode === 'postpaid' || rate.perMinute === 0) {
      return ok({ perMinute: request.pays ? rate.perMinute : 0, reserved: 0, metered: false });
    }
    return this.alone(request.home, () => this.#hold(request, rate));
  }

  async #hold(request: Request, rate: Rate): Promise<Reply> {
    const { session, leg, home, talked } = request;
    const known = await this.#store.one<{ amount: number; per_minute: number }>(
      'SELECT amount, per_minute FROM reservation WHERE session = ? AND leg = ?',
      [session, leg],
    );
    const reply = (amount: number) =>
      ok({ perMinute: rate.perMinute, reserved: amount, metered: true, until: talkFor(amount, rate) });
    if (known !== undefined && talked === undefined) return reply(known.amount);
    // What a leg had is given back at its end, a moment before its record takes the money.
    await this.#settle();
    const { balance, reserved } = await readBalance(this.#store, home);
    const available = balance - reserved + (known?.amount ?? 0);
    const next = reservation(available, talked ?? 0, rate);
    if (next === undefined) {
      if (known !== undefined) return reply(known.amount);
      return err(fault('insufficient_credit', `The balance has ${Math.max(0, available)} micro-units free.`));
    }
    const amount = Math.max(next.amount, known?.amount ?? 0);
    await this.#store.commit([
      sql(
        'INSERT INTO reservation (session, leg, home, amount, per_minute, expires_at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (session, leg) DO UPDATE SET amount = excluded.amount, expires_at = excluded.expires_at',
        session,
        leg,
        home,
        amount,
        rate.perMinute,
        Math.round(this.#clock.wall() + talkFor(amount, rate) - (talked ?? 0) + LEASE),
      ),
    ]);
    return reply(amount);
  }

  async release(session: string, leg: string): Promise<void> {
    const known = await this.#store.one('SELECT leg FROM reservation WHERE session = ? AND leg = ?', [session, leg]);
    if (known === undefined) return;
    await this.#store.commit([sql('DELETE FROM reservation WHERE session = ? AND leg = ?', session, leg)]);
  }

  /** Gives back what nobody has extended or released in time. */
  async expire(): Promise<void> {
    const now = Math.round(this.#clock.wall());
    const old = await this.#store.one('SELECT leg FROM reservation WHERE expires_at < ? LIMIT 1', [now]);
    if (old !== undefined) await this.#store.commit([sql('DELETE FROM reservation WHERE expires_at < ?', now)]);
  }
}
