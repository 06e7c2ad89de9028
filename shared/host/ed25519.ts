/** Ed25519 keys and signatures (RFC 8032; key forms of RFC 8410). They have no randomness of their own, so both worlds use these. */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { KeyPair } from '../kernel/world.ts';
import { keyHashOf } from './crypto-x509.ts';

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** The key pair of a seed of 32 octets. */
export function ed25519Key(seed: Uint8Array): KeyPair {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = Uint8Array.from(createPublicKey(key).export({ type: 'spki', format: 'der' }));
  return {
    privateKey: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey,
    keyHash: keyHashOf(publicKey),
  };
}

/** Whether a SubjectPublicKeyInfo (DER) is one of Ed25519. */
export function isEd25519(publicKey: Uint8Array): boolean {
  return publicKey.length === SPKI.length + 32 && SPKI.every((octet, i) => publicKey[i] === octet);
}

/** The signature; undefined where the key (PEM) is of another kind. */
export function signEd25519(privateKey: string, data: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  const key = readPrivate(privateKey);
  return key?.asymmetricKeyType === 'ed25519' ? Uint8Array.from(sign(null, data, key)) : undefined;
}

function readPrivate(privateKey: string): KeyObject | undefined {
  try {
    return createPrivateKey(privateKey);
  } catch {
    return undefined;
  }
}

export function verifyEd25519(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = createPublicKey({ key: Buffer.from(publicKey), format: 'der', type: 'spki' });
    return verify(null, data, key, signature);
  } catch {
    return false;
  }
}
