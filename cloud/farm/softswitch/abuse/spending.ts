/**
 * What a home may spend on calls to the outside, as a pure thing: how many at once, how many to other countries and to premium numbers
 * in an hour, and how much money in an hour. Who goes beyond an hour's share is barred until somebody lifts that: a phone with a stolen
 * password calls all night otherwise.
 */
import type { DestinationClass } from '#shared/call/plans.ts';

export interface OutsideLimits {
  /** Calls of a home to the outside at once; of these to other countries and to premium numbers together. */
  readonly atOnce: number;
  readonly costlyAtOnce: number;
  /** New calls in an hour. */
  readonly internationalPerHour: number;
  readonly premiumPerHour: number;
  /** Micro-units in an hour, running calls included. */
  readonly spendPerHour: number;
}

export const OUTSIDE_LIMITS: OutsideLimits = {
  atOnce: 8,
  costlyAtOnce: 3,
  internationalPerHour: 30,
  premiumPerHour: 10,
  spendPerHour: 50_000_000,
};

export const HOUR = 3_600_000;
/** Homes that are remembered; the one that called longest ago is forgotten. */
export const HOMES = 50_000;

export type Verdict =
  | { readonly ok: true }
  /** `bars`: the home is barred from now on. */
  | { readonly ok: false; readonly why: 'at once' | 'international' | 'premium' | 'spend'; readonly bars: boolean };

export interface OutsideCall {
  readonly id: string;
  readonly home: string;
  readonly kind: DestinationClass;
  /** Micro-units for a minute. */
  readonly perMinute: number;
}

/** A call as it stands in an account that several keep together; all times monotonic, ms. */
export interface PastCall extends OutsideCall {
  readonly begunAt: number;
  readonly answeredAt?: number;
  readonly endedAt?: number;
}

interface Running extends OutsideCall {
  answeredAt?: number;
}

interface Ledger {
  readonly running: Map<string, Running>;
  /** Times of new calls within the last hour. */
  international: number[];
  premium: number[];
  /** What calls that have ended cost. */
  spent: { readonly at: number; readonly amount: number }[];
}

const isCostly = (kind: DestinationClass): boolean => kind === 'international' || kind === 'premium';

/** All times are monotonic, ms. */
export class Spending {
  readonly #ledgers = new Map<string, Ledger>();
  readonly #homes = new Map<string, string>();

  /** Whether this call may go out now; if so it counts from now on. One that goes out to another number too stays one call, at the dearer price. */
  begin(call: OutsideCall, limits: OutsideLimits, now: number): Verdict {
    const ledger = this.#of(call.home, now);
    const running = [...ledger.running.values()].filter(({ id }) => id !== call.id);
    const costly = running.filter(({ kind }) => isCostly(kind)).length;
    if (running.length >= limits.atOnce || (isCostly(call.kind) && costly >= limits.costlyAtOnce)) {
      return { ok: false, why: 'at once', bars: false };
    }
    if (call.kind === 'international' && ledger.international.length >= limits.internationalPerHour) {
      return { ok: false, why: 'international', bars: true };
    }
    if (call.kind === 'premium' && ledger.premium.length >= limits.premiumPerHour) {
      return { ok: false, why: 'premium', bars: true };
    }
    if (spentOf(ledger, now) >= limits.spendPerHour) return { ok: false, why: 'spend', bars: true };
    if (call.kind === 'international') ledger.international.push(now);
    if (call.kind === 'premium') ledger.premium.push(now);
    const before = ledger.running.get(call.id);
    const isDearer = before === undefined || call.perMinute > before.perMinute;
    ledger.running.set(call.id, isDearer ? { ...before, ...call } : before);
    this.#homes.set(call.id, call.home);
    return { ok: true };
  }

  /** What is known of a home is this and nothing else. */
  replace(home: string, calls: readonly PastCall[], now: number): void {
    const ledger = this.#of(home, now);
    for (const id of ledger.running.keys()) this.#homes.delete(id);
    ledger.running.clear();
    const begun = (kind: DestinationClass) =>
      calls.filter((one) => one.kind === kind && one.begunAt > now - HOUR).map(({ begunAt }) => begunAt);
    ledger.international = begun('international');
    ledger.premium = begun('premium');
    ledger.spent = [];
    for (const { begunAt: _, endedAt, ...call } of calls) {
      if (endedAt === undefined) {
        ledger.running.set(call.id, call);
        this.#homes.set(call.id, home);
      } else ledger.spent.push({ at: endedAt, amount: costOf(call, endedAt) });
    }
  }

  /** Homes with calls that run now. */
  get active(): string[] {
    return [...this.#ledgers].filter(([, { running }]) => running.size > 0).map(([home]) => home);
  }

  /** True for a call that runs now. */
  has(id: string): boolean {
    return this.#homes.has(id);
  }

  /** Calls that run now. */
  get running(): number {
    return this.#homes.size;
  }

  answered(id: string, now: number): void {
    const running = this.#ledgers.get(this.#homes.get(id) ?? '')?.running.get(id);
    if (running !== undefined) running.answeredAt ??= now;
  }

  ended(id: string, now: number): void {
    const ledger = this.#ledgers.get(this.#homes.get(id) ?? '');
    const running = ledger?.running.get(id);
    this.#homes.delete(id);
    if (ledger === undefined || running === undefined) return;
    ledger.running.delete(id);
    const amount = costOf(running, now);
    if (amount > 0) ledger.spent.push({ at: now, amount });
  }

  /** Homes that have spent more than an hour's share by now, and their calls that cost. */
  beyond(limits: OutsideLimits, now: number): { readonly home: string; readonly calls: readonly string[] }[] {
    const found: { home: string; calls: string[] }[] = [];
    for (const [home, ledger] of this.#ledgers) {
      if (ledger.running.size === 0 || spentOf(ledger, now) < limits.spendPerHour) continue;
      found.push({ home, calls: this.costly(home) });
    }
    return found;
  }

  /** The running calls of a home to other countries and premium numbers. */
  costly(home: string): string[] {
    const running = [...(this.#ledgers.get(home)?.running.values() ?? [])];
    return running.filter(({ kind }) => isCostly(kind)).map(({ id }) => id);
  }

  /** Somebody looked at it and lifted the bar: the hour begins anew. */
  forgive(home: string): void {
    const ledger = this.#ledgers.get(home);
    if (ledger === undefined) return;
    ledger.international = [];
    ledger.premium = [];
    ledger.spent = [];
  }

  #of(home: string, now: number): Ledger {
    const known = this.#ledgers.get(home);
    const ledger = known ?? { running: new Map(), international: [], premium: [], spent: [] };
    const since = now - HOUR;
    ledger.international = ledger.international.filter((at) => at > since);
    ledger.premium = ledger.premium.filter((at) => at > since);
    ledger.spent = ledger.spent.filter(({ at }) => at > since);
    this.#ledgers.delete(home);
    this.#ledgers.set(home, ledger);
    if (this.#ledgers.size > HOMES) this.#dropIdle();
    return ledger;
  }

  #dropIdle(): void {
    for (const [home, { running }] of this.#ledgers) {
      if (running.size > 0) continue;
      this.#ledgers.delete(home);
      return;
    }
  }
}

function spentOf(ledger: Ledger, now: number): number {
  let sum = 0;
  for (const { at, amount } of ledger.spent) if (at > now - HOUR) sum += amount;
  for (const running of ledger.running.values()) sum += costOf(running, now);
  return sum;
}

/** What the last hour of a call costs; the bill itself is made elsewhere. */
function costOf({ answeredAt, perMinute }: Pick<Running, 'answeredAt' | 'perMinute'>, now: number): number {
  if (answeredAt === undefined) return 0;
  return Math.ceil((Math.min(now - answeredAt, HOUR) * perMinute) / 60_000);
}
