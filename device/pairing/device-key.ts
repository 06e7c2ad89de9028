/** The permanent key of a gateway: made at the first boot, never changed, never leaves the disk (mode 0600). */
import { fromHex, hex, utf8 } from '#shared/kernel/bytes.ts';
import type { KeyPair, World } from '#shared/kernel/world.ts';
import { checkWords, gatewayId } from '#shared/protocol/pairing.ts';

export interface DeviceKey extends KeyPair {
  /** Signed by the key itself: how an unpaired gateway shows it. PEM. */
  readonly certificate: string;
  /** `gw_…`, follows from the key. */
  readonly gateway: string;
  /** Four words by which a person tells this key from others. */
  readonly words: string;
}

interface Kept {
  readonly privateKey: string;
  /** Hex. */
  readonly publicKey: string;
  readonly certificate: string;
}

/** A self-signed certificate proves a key, not a time: good from long ago until RFC 5280's "no end" (section 4.1.2.5). */
const LONG_AGO = 0;
const NO_END = 253_402_300_799_000;

/** Reads the key of this gateway, or makes it. Rejects where the file is there and damaged: a new key would be another gateway. */
export async function deviceKey(world: Pick<World, 'crypto' | 'disk'>, path: string): Promise<DeviceKey> {
  const file = await world.disk.read(path);
  const kept = file === undefined ? await make(world, path) : read(file, path);
  const publicKey = fromHex(kept.publicKey);
  if (publicKey === undefined) throw new Error(damaged(path));
  const hash = world.crypto.hash('sha256', publicKey);
  return {
    privateKey: kept.privateKey,
    publicKey,
    keyHash: hex(hash),
    certificate: kept.certificate,
    gateway: gatewayId(hash),
    words: checkWords(hash),
  };
}

async function make({ crypto, disk }: Pick<World, 'crypto' | 'disk'>, path: string): Promise<Kept> {
  const key = await crypto.createKey();
  const certificate = await crypto.issue({
    subject: gatewayId(crypto.hash('sha256', key.publicKey)),
    publicKey: key.publicKey,
    signer: key.privateKey,
    notBefore: LONG_AGO,
    notAfter: NO_END,
    use: 'client',
  });
  const kept: Kept = { privateKey: key.privateKey, publicKey: hex(key.publicKey), certificate };
  await disk.write(path, utf8(JSON.stringify(kept)));
  return kept;
}

function read(file: Uint8Array, path: string): Kept {
  try {
    const kept = JSON.parse(new TextDecoder().decode(file)) as Partial<Kept>;
    const { privateKey, publicKey, certificate } = kept;
    if (typeof privateKey === 'string' && typeof publicKey === 'string' && typeof certificate === 'string') {
      return { privateKey, publicKey, certificate };
    }
  } catch {
    // falls through: the same answer as for a wrong shape
  }
  throw new Error(damaged(path));
}

function damaged(path: string): string {
  return `The device key ${path} is damaged. Restore it, or remove it to make this a new gateway.`;
}
