/** The real world's cryptography: Node's own primitives, X.509 beside it in `crypto-x509.ts`. */
import {
  createHash,
  createPrivateKey,
  generateKeyPairSync,
  hash as oneShot,
  randomBytes,
  scrypt,
  sign,
  timingSafeEqual,
  verify,
} from 'node:crypto';
import type { Crypto, KeyPair } from '../kernel/world.ts';
import { readChain } from './crypto-chain.ts';
import { certificateFacts, createRequest, issue, keyHashOf, readPublicKey, readRequest } from './crypto-x509.ts';
import { ed25519Key, isEd25519, signEd25519, verifyEd25519 } from './ed25519.ts';

/** Cost of a password's hash: 16 MiB and some 50 ms each. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 1 } as const;

/** Octets of a block of MD5, SHA-1 and SHA-256. */
const BLOCK = 64;

/** Cryptography of this process. scrypt runs in the thread pool, everything else (well under 1 ms each) in place. */
export function hostCrypto(): Crypto {
  return {
    hash: digestOf,
    hashText: (name, text) => oneShot(name, isAscii(text) ? text : Buffer.from(text, 'latin1'), 'hex'),
    hasher: (name) => {
      const hash = createHash(name);
      return { update: (data) => void hash.update(data), digest: () => Uint8Array.from(hash.digest()) };
    },
    hmac: (name, key, data) => hmacOf(name, key, data),
    equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
    passwordHash,
    createKey: async (kind) => (kind === 'Ed25519' ? ed25519Key(randomBytes(32)) : createKey()),
    sign: async (privateKey, data) => {
      const edwards = signEd25519(privateKey, data);
      if (edwards !== undefined) return edwards;
      return Uint8Array.from(sign('sha256', data, { key: createPrivateKey(privateKey), dsaEncoding: 'ieee-p1363' }));
    },
    verify: async (publicKey, data, signature) => {
      if (isEd25519(publicKey)) return verifyEd25519(publicKey, data, signature);
      const key = readPublicKey(publicKey);
      return key !== undefined && verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature);
    },
    createRequest: async (key, subject, numbers) => createRequest(key, subject, numbers),
    readRequest: async (request) => readRequest(request),
    issue: async (options) => issue(options),
    readCertificate: async (certificate) => certificateFacts(certificate),
    readChain: async (chain, authorities, wall) => readChain(chain, authorities, wall),
  };
}

/** Text that Node may turn into octets by itself: a fraction of the price of handing it octets. */
function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false;
  return true;
}

/** In one call: an object per digest costs several times as much as the digest of a nonce. */
function digestOf(name: 'sha256' | 'md5' | 'sha1', data: Uint8Array): Uint8Array<ArrayBuffer> {
  const digest = oneShot(name, data, 'buffer');
  return new Uint8Array(digest.buffer as ArrayBuffer, digest.byteOffset, digest.length);
}

/** RFC 2104, by two digests in one call each; all hashes of ours have blocks of 64 octets. */
function hmacOf(name: 'sha256' | 'sha1', key: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const short = key.length > BLOCK ? digestOf(name, key) : key;
  const inner = new Uint8Array(BLOCK + data.length).fill(0x36, 0, BLOCK);
  inner.set(data, BLOCK);
  const outer = new Uint8Array(BLOCK).fill(0x5c);
  for (let i = 0; i < short.length; i++) {
    const octet = short[i] ?? 0;
    inner[i] = octet ^ 0x36;
    outer[i] = octet ^ 0x5c;
  }
  return digestOf(name, Buffer.concat([outer, oneShot(name, inner, 'buffer')]));
}

function passwordHash(password: string, salt: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    scrypt(password.normalize('NFC'), salt, 32, SCRYPT, (error, key) => {
      if (error === null) resolve(Uint8Array.from(key));
      else reject(error);
    });
  });
}

function createKey(): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = Uint8Array.from(publicKey.export({ type: 'spki', format: 'der' }));
  return {
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: spki,
    keyHash: keyHashOf(spki),
  };
}
