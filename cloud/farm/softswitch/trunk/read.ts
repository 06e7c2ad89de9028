/** A trunk read from the store: where it leads, and what it is signed in with. */
import type { TrunkRow } from '#cloud/store/outside.ts';
import { unseal } from '#cloud/store/sealed.ts';
import type { World } from '#shared/kernel/world.ts';
import { type DigestHash, digestHa1 } from '#shared/sip/digest.ts';
import { domainOf, type Trunk } from './trunk.ts';

interface ReadTools {
  readonly world: Pick<World, 'crypto'>;
  readonly hash: DigestHash;
  /** Opens passwords. */
  readonly key: Uint8Array;
}

/** A password that does not open is none. */
export function readTrunk({ id, settings, secret }: TrunkRow, { hash, key, world }: ReadTools): Trunk {
  const { username, transport } = settings;
  const domain = domainOf(settings);
  const realm = settings.realm ?? domain;
  const port = settings.port ?? (transport === 'tls' ? 5061 : 5060);
  const password = secret === null ? undefined : unseal(world.crypto, key, id, secret);
  if (username === undefined || password === undefined) return { id, settings, domain, port };
  const ha1 = (name: 'MD5' | 'SHA-256') => digestHa1(name, username, realm, password, hash);
  const credentials = { username, realm, ha1: { md5: ha1('MD5'), sha256: ha1('SHA-256') } };
  return { id, settings, domain, port, credentials };
}
