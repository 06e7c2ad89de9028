/** Passwords of accounts: scrypt with 16 octets of salt each. */
import { fromHex, hex } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';
import { type AccountRow, accountByName } from './directory.ts';
import type { Store } from './store.ts';

/** Salt and hash of a new password, lower-case hex, as the table `account` keeps them. */
export async function newPassword(
  world: Pick<World, 'crypto' | 'random'>,
  password: string,
): Promise<{ readonly salt: string; readonly hash: string }> {
  const salt = world.random.bytes(16);
  return { salt: hex(salt), hash: hex(await world.crypto.passwordHash(password, salt)) };
}

const NOBODY = { salt: '0'.repeat(32), password_hash: '0'.repeat(64) };

/** The account that this name and password open. An unknown name costs the same work as a wrong password. */
export async function checkPassword(
  store: Store,
  world: Pick<World, 'crypto'>,
  name: string,
  password: string,
): Promise<AccountRow | undefined> {
  const account = await accountByName(store, name);
  const { salt, password_hash } = account ?? NOBODY;
  const hash = await world.crypto.passwordHash(password, fromHex(salt) ?? new Uint8Array());
  return world.crypto.equal(hash, fromHex(password_hash) ?? new Uint8Array()) ? account : undefined;
}
