/** The operator's keys of the e-center: made at the first start, kept in the store. */
import { type Store, sql } from '#cloud/store/store.ts';
import { fromBase64, toBase64 } from '#shared/kernel/base64.ts';
import { hex } from '#shared/kernel/bytes.ts';
import type { KeyPair, World } from '#shared/kernel/world.ts';

interface SecretRow {
  readonly value: string;
  readonly public: string | null;
}

const find = 'SELECT value, public FROM e_center_secret WHERE name = ?';
const keep = 'INSERT INTO e_center_secret (name, value, public) VALUES (?, ?, ?)';

export async function signingKey(store: Store, world: Pick<World, 'crypto'>): Promise<KeyPair> {
  const row = await store.one<SecretRow>(find, ['signing']);
  const publicKey = row?.public == null ? undefined : fromBase64(row.public);
  if (row !== undefined && publicKey !== undefined)
    return { privateKey: row.value, publicKey, keyHash: hex(world.crypto.hash('sha256', publicKey)) };
  const key = await world.crypto.createKey('Ed25519');
  await store.commit([sql(keep, 'signing', key.privateKey, toBase64(key.publicKey))]);
  return key;
}

export async function ticketKey(store: Store, world: Pick<World, 'random'>): Promise<Uint8Array> {
  const row = await store.one<SecretRow>(find, ['ticket']);
  const known = row === undefined ? undefined : fromBase64(row.value);
  if (known !== undefined) return known;
  const key = world.random.bytes(32);
  await store.commit([sql(keep, 'ticket', toBase64(key), null)]);
  return key;
}
