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
import { SELF } from '../media.ts';
import { OUTSIDE_LIMITS, type OutsideLimits, Spending } from './spending.ts';

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
  /** A home was barred, as other processes will read in the store. */
  readonly barred?: () => void;
}

export class OutsideGuard {
  readonly #o: OutsideGuardOptions;
  readonly #spending = new Spending();
  readonly #barred = new Map<string, string>();
  #limits: OutsideLimits = OUTSIDE_LIMITS;
  #rates: { readonly at: number; readonly rows: readonly RateRow[] } | undefined;
  #stopLooking: (() => void) | undefined;

  constructor(options: OutsideGuardOptions) {
    this.#o = options;
  }

  async load(): Promise<void> {
    const { store } = this.#o;
    const rows = await store.all<{ home: string; reason: string }>('SELECT home, reason FROM barring');
    this.#barred.clear();
    for (const { home, reason } of rows) this.#barred.set(home, reason);
    this.#limits = { ...OUTSIDE_LIMITS, ...(await outsideLimits(store)) };
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
    const now = this.#o.world.clock.mono();
    const verdict = this.#spending.begin({ id: call, home, kind, perMinute }, this.#limits, now);
    if (verdict.ok) this.#stopLooking ??= every(this.#o.world.clock, LOOK_EVERY, () => this.#look());
    else if (verdict.bars) this.#bar(home, verdict.why);
    return verdict.ok;
  }

  answered(call: string): void {
    this.#spending.answered(call, this.#o.world.clock.mono());
  }

  ended(call: string): void {
    this.#spending.ended(call, this.#o.world.clock.mono());
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
          eventRow(world, { type: 'home.barring.v1.lifted', home, subject: home, data: { home } }),
        ]);
        this.#barred.delete(home);
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
    for (const { home } of this.#spending.beyond(this.#limits, this.#o.world.clock.mono())) this.#bar(home, 'spend');
  }

  #bar(home: string, why: string): void {
    if (this.#barred.has(home)) return;
    this.#barred.set(home, why);
    for (const call of this.#spending.costly(home)) this.#o.end(call);
    const { store, bus, world } = this.#o;
    const tell = async () => {
      await store.commit(this.#barring(home, why));
      this.#o.barred?.();
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
