/** Shared reads of what leads outside: trunks, where homes are, which way emergency calls go. */
import type { HomeLocation } from '#shared/call/location.ts';
import type { EnumSettings } from '#shared/protocol/verbs/enum.ts';
import type { VerbReply, VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { TrunkSettings } from '#shared/protocol/verbs/trunk.ts';
import type { Store } from './store.ts';

export interface TrunkRow {
  readonly id: string;
  readonly settings: TrunkSettings;
  /** The password, sealed. */
  readonly secret: string | null;
  readonly createdAt: number;
}

export type EmergencyPolicy = VerbReply<'emergency.policy.get'>;

/** All trunks, oldest first. */
export async function allTrunks(store: Store): Promise<TrunkRow[]> {
  const rows = await store.all<{ id: string; body: string; secret: string | null; created_at: number }>(
    'SELECT * FROM trunk ORDER BY id',
  );
  return rows.map(({ id, body, secret, created_at: createdAt }) => ({
    ...{ id, secret, createdAt },
    settings: JSON.parse(body) as TrunkSettings,
  }));
}

/** True where some trunk that is in use takes this number (E.164). */
export function leadsOutside(number: string, trunks: readonly TrunkRow[]): boolean {
  return trunks.some(({ settings: { enabled, prefixes = [] } }) => {
    if (enabled === false) return false;
    return prefixes.length === 0 || prefixes.some((prefix) => number.startsWith(prefix));
  });
}

/** Whom DNS is asked about (ENUM), as the operator has set it. */
export async function enumSettings(store: Store): Promise<EnumSettings> {
  const row = await store.one<{ body: string }>("SELECT body FROM outside_setting WHERE name = 'enum'");
  return row === undefined ? {} : (JSON.parse(row.body) as EnumSettings);
}

/** True where DNS is asked for the SIP addresses of that number (E.164). */
export function asksEnum(number: string, { suffixes = [], prefixes = [''], except = [] }: EnumSettings): boolean {
  const begins = (prefix: string) => number.startsWith(prefix);
  return suffixes.length > 0 && (prefixes.length === 0 || prefixes.some(begins)) && !except.some(begins);
}

/** Where a home is; undefined where nobody has said. */
export async function locationOfHome(
  store: Store,
  home: string,
): Promise<{ readonly location: HomeLocation; readonly at: number } | undefined> {
  const row = await store.one<{ body: string; changed_at: number }>('SELECT * FROM home_location WHERE home = ?', [
    home,
  ]);
  return row === undefined ? undefined : { location: JSON.parse(row.body) as HomeLocation, at: row.changed_at };
}

export async function emergencyPolicy(store: Store): Promise<EmergencyPolicy> {
  const row = await store.one<{ body: string }>("SELECT body FROM outside_setting WHERE name = 'policy'");
  return row === undefined ? { routes: [] } : (JSON.parse(row.body) as EmergencyPolicy);
}

export interface RateRow {
  readonly prefix: string;
  /** Micro-units. */
  readonly per_minute: number;
}

export function rateRows(store: Store): Promise<RateRow[]> {
  return store.all<RateRow>('SELECT prefix, per_minute FROM rate');
}

/** What a minute to that number costs: the longest prefix decides. */
export function perMinuteOf(rates: readonly RateRow[], number: string): number {
  let best: RateRow = { prefix: '', per_minute: 0 };
  for (const rate of rates) {
    if (number.startsWith(rate.prefix) && rate.prefix.length > best.prefix.length) best = rate;
  }
  return best.per_minute;
}

/** What homes may do outside, as the operator has set it. */
export async function outsideLimits(store: Store): Promise<VerbRequest<'outside.limits.set'>> {
  const row = await store.one<{ body: string }>("SELECT body FROM outside_setting WHERE name = 'outside'");
  return row === undefined ? {} : (JSON.parse(row.body) as VerbRequest<'outside.limits.set'>);
}
