/** Watches what homes do outside: lets calls out or refuses them, bars a home that goes beyond, tells it and the operator, ends its costly calls. */
import type { Bus, Handlers } from '#cloud/bus/bus.ts';
import { homeById, type LineRow, sees } from '#cloud/store/directory.ts';
import { eventRow } from '#cloud/store/event-log.ts';
import { remember, repeated } from '#cloud/store/idempotency.ts';
import { outsideLimits, perMinuteOf, type RateRow, rateRows } from '#cloud/store/outside.ts';
import { type Statement, type Store, sql } from '#cloud/store/store.ts';
import { destinationClass } from '#shared/call/plans.ts';
import { err, ok } from '#shared/kernel/result.ts';
import { every } from '#shared/kernel/time.ts';
import type { World } from '#shared/kernel/world.ts';
import { fault } from '#shared/protocol/fault.ts';
import type { SharedSpending } from '../fleet/shared-spending.ts';
import { SELF } from '../media.ts';
import { OUTSIDE_LIMITS, type OutsideCall, type OutsideLimits, Spending, type Verdict } from './spending.ts';

/** Milliseconds between two looks at what running calls cost, and for which rates are taken as read. */
const LOOK_EVERY = 10_000;
const RATES_FRESH = 60_000;

type Verbs = 'barring.list' | 'barring.set' | 'barring.lift' | 'outside.limits.get' | 'outside.limits.set';

export interface OutsideGuardOptions {
  readonly world: World;
  readonly store: Store;
  readonly bus: Bus;
  /** Ends a call. */
  readonly end: (call: string) => void;
  /** Where several processes keep the account together. */
  readonly shared?: {
    readonly spending: SharedSpending;
    /** A home was barred, as the others will read in the store. */
    readonly barred: () => void;
  };
}

/** Tries to write a call into an account in which others write too. */
const TRIES = 8;
/** Why a home is barred by itself: what it has running at a cost then ends. */
const BY_ITSELF = ['international', 'premium', 'spend'];

export class OutsideGuard {
  readonly #o: OutsideGuardOptions;
  readonly #spending = new Spending();
  #barred = new Map<string, string>();
  /** Those of them that are not in the store yet. */
  readonly #unwritten = new Map<string, string>();
  #limits: OutsideLimits = OUTSIDE_LIMITS;
  #rates: { readonly at: number; readonly rows: readonly RateRow[] } | undefined;
  #stopLooking: (() => void) | undefined;

  constructor(options: OutsideGuardOptions) {
    this.#o = options;
  }

  /** Reads bars and limits anew. What stood before holds until all of it is read, and where it cannot be. */
  async load(): Promise<void> {
    const { store, world } = this.#o;
    const [rows, limits] = await Promise.all([
      store.all<{ home: string; reason: string }>('SELECT home, reason FROM barring'),
      outsideLimits(store),
    ]);
    const before = this.#barred;
    this.#barred = new Map([...rows.map(({ home, reason }) => [home, reason] as const), ...this.#unwritten]);
    this.#limits = { ...OUTSIDE_LIMITS, ...limits };
    for (const { home, reason } of rows) {
      if (before.has(home) || !BY_ITSELF.includes(reason)) continue;
      // A home whose calls cannot be ended keeps nobody else's going.
      await this.#endCostly(home).catch((error: unknown) =>
        world.log.error('softswitch.costly-calls-not-ended', { home, error: String(error) }),
      );
    }
  }

  /** What runs at a cost, as the account says that is kept together: another process has barred the home. */
  async #endCostly(home: string): Promise<void> {
    const { shared, end } = this.#o;
    if (shared === undefined) return;
    await this.#read(shared.spending, home);
    for (const call of this.#spending.costly(home)) end(call);
  }

  async #read(spending: SharedSpending, home: string): Promise<void> {
    this.#spending.replace(home, (await spending.of(home)).calls, this.#o.world.clock.mono());
  }

  /** A call of this home to the outside, which another process began, is ours now: what it costs is looked at. */
  adopted(home: string): void {
    const { shared, world } = this.#o;
    if (shared === undefined) return;
    this.#quietly(this.#read(shared.spending, home));
    this.#stopLooking ??= every(world.clock, LOOK_EVERY, () => this.#look());
  }

  stop(): void {
    this.#stopLooking?.();
    this.#stopLooking = undefined;
  }

  /** Whether a call of this line may go to that number; `owner` is absent for nobody’s calls, which go nowhere. */
  async mayCall(call: string, owner: LineRow | undefined, number: string): Promise<boolean> {
    if (owner === undefined) return false;
    if (owner.class === 'unmetered') return true;
    const { home } = owner;
    if (this.#barred.has(home)) return false;
    const kind = destinationClass(number, owner.number);
    const perMinute = perMinuteOf(await this.#ratesNow(), number);
    const verdict = await this.#begin({ id: call, home, kind, perMinute });
    if (verdict.ok) this.#stopLooking ??= every(this.#o.world.clock, LOOK_EVERY, () => this.#look());
    else if (verdict.bars) this.#bar(home, verdict.why);
    return verdict.ok;
  }

  async #begin(call: OutsideCall): Promise<Verdict> {
    const { shared, world } = this.#o;
    const judge = () => this.#spending.begin(call, this.#limits, world.clock.mono());
    if (shared === undefined) return judge();
    for (let left = TRIES; left > 0; left--) {
      const account = await shared.spending.of(call.home);
      this.#spending.replace(call.home, account.calls, world.clock.mono());
      const verdict = judge();
      if (!verdict.ok || (await shared.spending.begin(call, account))) return verdict;
      this.#spending.ended(call.id, world.clock.mono());
    }
    return { ok: false, why: 'at once', bars: false };
  }

  answered(call: string): void {
    const { shared, world } = this.#o;
    const known = this.#spending.has(call);
    this.#spending.answered(call, world.clock.mono());
    if (shared !== undefined && known) this.#quietly(shared.spending.answered(call));
  }

  /** `outside`: it went out, as far as that is known of a call that another process began. */
  ended(call: string, outside = false): void {
    const { shared, world } = this.#o;
    const known = this.#spending.has(call);
    this.#spending.ended(call, world.clock.mono());
    if (shared !== undefined && (known || outside)) this.#quietly(shared.spending.ended(call));
    if (this.#spending.running === 0) this.stop();
  }

  handlers(): Pick<Handlers<'softswitch'>, Verbs> {
    const { store, world } = this.#o;
    const wall = () => world.clock.wall();
    return {
      'barring.list': async () => {
        const rows = await store.all<{ home: string; reason: string; at: number }>(
          'SELECT * FROM barring ORDER BY home',
        );
        return ok({ items: rows });
      },
      'barring.set': async ({ home, reason = 'operator' }, asked) => {
        const before = await repeated<'barring.set'>(store, asked);
        if (before !== undefined) return before;
        if (!sees(asked.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
        const outcome = ok({ home, reason, at: wall() });
        await store.commit([...this.#barring(home, reason), ...remember<'barring.set'>(asked, outcome, wall())]);
        this.#barred.set(home, reason);
        return outcome;
      },
      'barring.lift': async ({ home }, asked) => {
        if (!sees(asked.principal, home) || (await homeById(store, home)) === undefined) return err(fault('not_found'));
        await store.commit([
          sql('DELETE FROM barring WHERE home = ?', home),
          ...(this.#o.shared?.spending.forgive(home) ?? []),
          eventRow(world, { type: 'home.barring.v1.lifted', home, subject: home, data: { home } }),
        ]);
        this.#barred.delete(home);
        this.#unwritten.delete(home);
        this.#spending.forgive(home);
        await this.#o.bus.request('alarm.clear', { cause: 'home-barred', home }, SELF);
        this.#o.bus.publish('event.appended', { home });
        return ok({});
      },
      'outside.limits.get': async () => ok(this.#limits),
      'outside.limits.set': async (limits) => {
        const insert =
          "INSERT INTO outside_setting (name, body, changed_at) VALUES ('outside', ?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body, changed_at = excluded.changed_at";
        await store.commit([sql(insert, JSON.stringify(limits), wall())]);
        this.#limits = { ...OUTSIDE_LIMITS, ...limits };
        return ok(this.#limits);
      },
    };
  }

  /** Running calls have become too dear. */
  #look(): void {
    const { shared } = this.#o;
    if (shared === undefined) {
      this.#judge();
      return;
    }
    const read = async () => {
      for (const home of this.#spending.active) await this.#read(shared.spending, home);
      this.#judge();
      if (this.#spending.running === 0) this.stop();
    };
    this.#quietly(read());
  }

  #quietly(work: Promise<void>): void {
    work.catch((error: unknown) => this.#o.world.log.error('softswitch.spending-not-kept', { error: String(error) }));
  }

  #judge(): void {
    for (const { home } of this.#spending.beyond(this.#limits, this.#o.world.clock.mono())) this.#bar(home, 'spend');
  }

  #bar(home: string, why: string): void {
    if (this.#barred.has(home)) return;
    this.#barred.set(home, why);
    this.#unwritten.set(home, why);
    for (const call of this.#spending.costly(home)) this.#o.end(call);
    const { store, bus, world } = this.#o;
    const tell = async () => {
      await store.commit(this.#barring(home, why));
      this.#unwritten.delete(home);
      this.#o.shared?.barred();
      bus.publish('event.appended', { home });
      const text = `Calls to the outside are barred: ${WORDS.get(why) ?? why}. Emergency calls and calls between our numbers go on.`;
      await bus.request('alarm.raise', { severity: 'major', cause: 'home-barred', home, text }, SELF);
      const line = await store.one<{ id: string }>(
        "SELECT id FROM line WHERE home = ? AND kind = 'phone' ORDER BY id",
        [home],
      );
      if (line !== undefined) await bus.request('message.send', { from: line.id, to: line.id, text }, SELF);
    };
    tell().catch((error: unknown) => world.log.error('softswitch.barring-not-told', { home, error: String(error) }));
  }

  #barring(home: string, reason: string): Statement[] {
    const { world } = this.#o;
    const insert =
      'INSERT INTO barring (home, reason, at) VALUES (?, ?, ?) ON CONFLICT (home) DO UPDATE SET reason = excluded.reason, at = excluded.at';
    return [
      sql(insert, home, reason, world.clock.wall()),
      eventRow(world, { type: 'home.barring.v1.started', home, subject: home, data: { home, reason } }),
    ];
  }

  async #ratesNow(): Promise<readonly RateRow[]> {
    const { store, world } = this.#o;
    const now = world.clock.mono();
    if (this.#rates === undefined || now - this.#rates.at > RATES_FRESH) {
      this.#rates = { at: now, rows: await rateRows(store) };
    }
    return this.#rates.rows;
  }
}

const WORDS: ReadonlyMap<string, string> = new Map([
  ['international', 'too many calls to other countries within an hour'],
  ['premium', 'too many calls to premium numbers within an hour'],
  ['spend', 'too much money spent within an hour'],
]);
