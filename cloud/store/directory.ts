/**
 * The directory's shared reads: who and what exists. The oamp server alone writes these tables (tokens aside, which
 * sign-in makes); softswitch, session manager, edge and open API read them here, so that the SQL stands once.
 */
import type { Principal } from '#cloud/bus/bus.ts';
import { readDialled } from '#shared/call/numbers.ts';
import { hex, utf8 } from '#shared/kernel/bytes.ts';
import { base32 } from '#shared/kernel/ids.ts';
import type { Crypto, World } from '#shared/kernel/world.ts';
import type { Role } from '#shared/protocol/verb.ts';
import { parseUri } from '#shared/sip/uri.ts';
import { type Store, sql } from './store.ts';

export interface HomeRow {
  readonly id: string;
  readonly name: string;
  readonly created_at: number;
}

export interface LineRow {
  readonly id: string;
  readonly home: string;
  readonly number: string;
  readonly username: string;
  readonly name: string | null;
  readonly class: 'standard' | 'unmetered';
  readonly kind: 'phone' | 'appliance';
  /** H(username:realm:password) in lower-case hex; the realm is the domain of the configuration. */
  readonly ha1_md5: string;
  readonly ha1_sha256: string;
  readonly created_at: number;
}

export interface GatewayRow {
  readonly id: string;
  readonly home: string;
  /** SHA-256 of the permanent device key's SubjectPublicKeyInfo, lower-case hex. */
  readonly key_hash: string;
  readonly state: 'waiting' | 'pairing' | 'paired' | 'failed';
  readonly stage: 'claimed' | 'certificate' | 'reconnecting' | 'configuring' | 'done' | null;
  readonly cause: string | null;
  readonly profile: string | null;
  readonly version: string | null;
  /** Serials of the certificates that open the door: the newest, and the one before it until the newest has connected. */
  readonly certificate_serial: string | null;
  readonly previous_serial: string | null;
  readonly claimed_at: number;
  readonly paired_at: number | null;
  readonly epoch: number;
  /** 1 while a presence lease is held. */
  readonly online: number;
  /** Wall clock, ms, at which the last lease ended, and why; null while one is held. */
  readonly seen_at: number | null;
  readonly away_because: string | null;
}

export interface AccountRow {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Hex. */
  readonly salt: string;
  readonly password_hash: string;
  readonly created_at: number;
}

export interface TokenRow {
  readonly hash: string;
  /** An account's id, or `operator` for the token that the cloud prints at its first start. */
  readonly account: string;
  readonly role: Role;
  readonly created_at: number;
  readonly expires_at: number | null;
  /** A sign-in, an API key, or an application's access token. */
  readonly kind: 'session' | 'key' | 'oauth';
  /** JSON lists that bound what the account may; null: all of it. */
  readonly scopes: string | null;
  readonly homes: string | null;
  /** The consent by which an application got it. */
  readonly consent: string | null;
}

export function homeById(store: Store, id: string): Promise<HomeRow | undefined> {
  return store.one<HomeRow>('SELECT * FROM home WHERE id = ?', [id]);
}

export function lineById(store: Store, id: string): Promise<LineRow | undefined> {
  return store.one<LineRow>('SELECT * FROM line WHERE id = ?', [id]);
}

/** `number` in E.164 form with its plus sign. */
export function lineByNumber(store: Store, number: string): Promise<LineRow | undefined> {
  return store.one<LineRow>('SELECT * FROM line WHERE number = ?', [number]);
}

export function lineByUsername(store: Store, username: string): Promise<LineRow | undefined> {
  return store.one<LineRow>('SELECT * FROM line WHERE username = ?', [username]);
}

/** The line that the user part of a Request-URI names: a number or a username. */
export async function lineByUser(store: Store, user: string): Promise<LineRow | undefined> {
  return (await lineByNumber(store, user)) ?? (await lineByUsername(store, user));
}

/** The line that people mean by a line id, a number or a SIP URI; undefined for an address of another host. */
export async function lineByParty(
  store: Store,
  asked: string,
  hosts: { readonly domain: string; readonly publicHost: string },
): Promise<LineRow | undefined> {
  const dialled = readDialled(asked);
  if (dialled === undefined || !isOurs(asked, hosts)) return undefined;
  if (dialled.kind === 'name') return (await lineByUser(store, dialled.name)) ?? lineById(store, dialled.name);
  return dialled.kind === 'media' ? undefined : lineByUser(store, dialled.number);
}

/** False for a SIP URI of another host than the operator's; anything else is meant for us. */
export function isOurs(asked: string, hosts: { readonly domain: string; readonly publicHost: string }): boolean {
  const uri = asked.includes(':') ? parseUri(asked) : undefined;
  if (uri === undefined || (uri.scheme !== 'sip' && uri.scheme !== 'sips')) return true;
  return uri.host === hosts.domain || uri.host === hosts.publicHost;
}

/** Oldest first; at most the 64 lines that a home may have. */
export function linesOfHome(store: Store, home: string): Promise<LineRow[]> {
  return store.all<LineRow>('SELECT * FROM line WHERE home = ? ORDER BY id', [home]);
}

export function gatewayById(store: Store, id: string): Promise<GatewayRow | undefined> {
  return store.one<GatewayRow>('SELECT * FROM gateway WHERE id = ?', [id]);
}

export function gatewayByKeyHash(store: Store, keyHash: string): Promise<GatewayRow | undefined> {
  return store.one<GatewayRow>('SELECT * FROM gateway WHERE key_hash = ?', [keyHash]);
}

export function gatewaysOfHome(store: Store, home: string): Promise<GatewayRow[]> {
  return store.all<GatewayRow>('SELECT * FROM gateway WHERE home = ? ORDER BY claimed_at, id', [home]);
}

export async function homeOfGateway(store: Store, gateway: string): Promise<string | undefined> {
  return (await gatewayById(store, gateway))?.home;
}

/**
 * The gateway whose certificate has opened a connection: named by the certificate's subject, and its serial (lower-case
 * hex) not refused. Undefined means: close the connection.
 */
export async function gatewayByCertificate(
  store: Store,
  subject: string,
  serial: string,
): Promise<GatewayRow | undefined> {
  const row = await gatewayById(store, subject);
  if (row === undefined || row.state === 'failed') return undefined;
  return row.certificate_serial === serial || row.previous_serial === serial ? row : undefined;
}

export function accountById(store: Store, id: string): Promise<AccountRow | undefined> {
  return store.one<AccountRow>('SELECT * FROM account WHERE id = ?', [id]);
}

export function accountByName(store: Store, name: string): Promise<AccountRow | undefined> {
  return store.one<AccountRow>('SELECT * FROM account WHERE name = ?', [name]);
}

export async function homesOfAccount(store: Store, account: string): Promise<string[]> {
  const rows = await store.all<{ home: string }>('SELECT home FROM account_home WHERE account = ? ORDER BY home', [
    account,
  ]);
  return rows.map((row) => row.home);
}

/** A token is kept as this: SHA-256, lower-case hex. Its 160 random bits need no salt. */
export function tokenHash(crypto: Crypto, token: string): string {
  return hex(crypto.hash('sha256', utf8(token)));
}

/** The row of a token that has not expired at `wall` (ms). */
export async function tokenByHash(store: Store, hash: string, wall: number): Promise<TokenRow | undefined> {
  const row = await store.one<TokenRow>('SELECT * FROM token WHERE hash = ?', [hash]);
  return row === undefined || (row.expires_at !== null && row.expires_at <= wall) ? undefined : row;
}

/** Makes and keeps a token (`hlt_…`) for an account; without `lifetime` (ms) it lasts as long as the data. */
export async function createToken(
  store: Store,
  world: Pick<World, 'crypto' | 'random' | 'clock'>,
  owner: { readonly account: string; readonly role: Role; readonly lifetime?: number },
): Promise<string> {
  const token = `hlt_${base32(world.random.bytes(20))}`;
  const now = world.clock.wall();
  const until = owner.lifetime === undefined ? null : now + owner.lifetime;
  await store.commit([
    sql(
      'INSERT INTO token (hash, account, role, created_at, expires_at) VALUES (?, ?, ?, ?, ?)',
      tokenHash(world.crypto, token),
      owner.account,
      owner.role,
      now,
      until,
    ),
  ]);
  return token;
}

/** Refuses a token from now on; harmless when it is gone. */
export async function removeToken(store: Store, hash: string): Promise<void> {
  await store.commit([sql('DELETE FROM token WHERE hash = ?', hash)]);
}

/** Who a bearer token speaks for; undefined when it is unknown or has expired. */
export async function principalOfToken(
  store: Store,
  world: Pick<World, 'crypto' | 'clock'>,
  token: string,
): Promise<Extract<Principal, { kind: 'account' }> | undefined> {
  const row = await tokenByHash(store, tokenHash(world.crypto, token), world.clock.wall());
  if (row === undefined) return undefined;
  const homes = boundedHomes(await homesOfRole(store, row, world.clock.wall()), row.homes);
  return {
    kind: 'account',
    account: row.account,
    role: row.role,
    homes,
    scopes: row.scopes === null ? 'all' : (JSON.parse(row.scopes) as string[]),
    ...(row.consent === null ? {} : { consent: row.consent }),
  };
}

/** A technician gets at no home by account: only its owner's consent names one, and only until it runs out at `wall`. */
async function homesOfRole(store: Store, row: TokenRow, wall: number): Promise<readonly string[] | 'all'> {
  if (row.role === 'operator') return 'all';
  if (row.role !== 'technician') return homesOfAccount(store, row.account);
  const rows = await store.all<{ home: string }>(
    'SELECT DISTINCT home FROM technician_consent WHERE account = ? AND until > ? ORDER BY home',
    [row.account, wall],
  );
  return rows.map(({ home }) => home);
}

/** The homes of an account that a token is bound to: one that the account lost is lost to the token too. */
function boundedHomes(own: readonly string[] | 'all', bound: string | null): readonly string[] | 'all' {
  if (bound === null) return own;
  const named = JSON.parse(bound) as string[];
  return own === 'all' ? named : own.filter((home) => named.includes(home));
}

/** Whether a principal may see a home. A technician sees the homes whose owner has consented, which `homes` then names. */
export function sees(principal: Principal, home: string): boolean {
  switch (principal.kind) {
    case 'part':
      return true;
    case 'gateway':
      return principal.home === home;
    case 'applicant':
      return false;
    case 'account':
      return principal.homes === 'all' ? principal.role === 'operator' : principal.homes.includes(home);
  }
}

/** The homes that a principal may list: its own, or all. */
export function visibleHomes(principal: Principal): readonly string[] | 'all' {
  switch (principal.kind) {
    case 'part':
      return 'all';
    case 'gateway':
      return [principal.home];
    case 'applicant':
      return [];
    case 'account':
      return principal.homes === 'all' && principal.role !== 'operator' ? [] : principal.homes;
  }
}
