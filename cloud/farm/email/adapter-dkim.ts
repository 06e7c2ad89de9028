/** The key that signs our mails (DKIM, RFC 6376): RSA of 2048 bits, since not every verifier knows Ed25519 (RFC 8463). */
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { dkimSign } from 'mailauth/lib/dkim/sign.js';
import { fromLatin1, latin1 } from '#shared/kernel/bytes.ts';
import type { World } from '#shared/kernel/world.ts';

export const SELECTOR = 'hearthline';

export interface DkimKey {
  /** The TXT record's value that the operator publishes at `hearthline._domainkey.<domain>`. */
  readonly record: string;
  /** The header field that signs a mail, with its CRLF. `at`: wall clock, ms. */
  sign(raw: Uint8Array, at: number): Promise<string>;
}

/** The key under the data folder; made at its first use. */
export async function loadDkimKey(world: Pick<World, 'disk'>, data: string, domain: string): Promise<DkimKey> {
  const path = `${data}/mail/dkim.pem`;
  const kept = await world.disk.read(path);
  const privateKey = kept === undefined ? makeKey() : latin1(kept);
  if (kept === undefined) await world.disk.write(path, fromLatin1(privateKey));
  const publicKey = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  const signature = { signingDomain: domain, selector: SELECTOR, privateKey };
  return {
    record: `v=DKIM1; k=rsa; p=${publicKey.toString('base64')}`,
    async sign(raw, at) {
      const { signatures, errors } = await dkimSign(Buffer.from(raw.buffer, raw.byteOffset, raw.length), {
        ...signature,
        signatureData: [signature],
        signTime: new Date(at),
      });
      if (signatures === '') throw new Error(`DKIM: ${String(errors[0]?.err.message)}`);
      return signatures;
    },
  };
}

function makeKey(): string {
  return generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }).privateKey;
}
