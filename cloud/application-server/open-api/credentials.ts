/** Whose a request is: bearer tokens and sign-ins, kept and looked up by their SHA-256. */
import type { Principal } from '#cloud/bus/bus.ts';
import { principalOfToken, tokenHash } from '#cloud/store/directory.ts';
import { type Store, sql } from '#cloud/store/store.ts';
import type { World } from '#shared/kernel/world.ts';

/** Account of the operator's own token, which belongs to no person. */
export const OPERATOR = 'operator';

/** Milliseconds that a sign-in lasts. */
export const SESSION_LENGTH = 7 * 24 * 3600 * 1000;

/** A credential that is good now. */
export interface Credential {
  readonly principal: Extract<Principal, { readonly kind: 'account' }>;
  readonly tokenHash: string;
}

/** Registers the operator's token (role operator, every home, no end); harmless when it is registered. */
export async function ensureOperatorToken(store: Store, world: World, tokenText: string): Promise<void> {
  const hash = tokenHash(world.crypto, tokenText);
  if ((await store.one('SELECT hash FROM token WHERE hash = ?', [hash])) !== undefined) return;
  const insert = 'INSERT INTO token (hash, account, role, created_at, expires_at) VALUES (?, ?, ?, ?, NULL)';
  await store.commit([sql(insert, hash, OPERATOR, 'operator', world.clock.wall())]);
}

/** Who a token stands for; undefined for one that is unknown or over. A changed role or home counts at once. */
export async function identify(store: Store, world: World, token: string): Promise<Credential | undefined> {
  const principal = await principalOfToken(store, world, token);
  return principal === undefined ? undefined : { principal, tokenHash: tokenHash(world.crypto, token) };
}
