/** The digest function that the pure SIP stack asks for, from the World's cryptography. */
import { fromLatin1, hex } from '#shared/kernel/bytes.ts';
import type { Crypto } from '#shared/kernel/world.ts';
import type { DigestHash } from '../sip/digest.ts';

export function sipHash(crypto: Crypto): DigestHash {
  return (algorithm, text) => hex(crypto.hash(algorithm === 'MD5' ? 'md5' : 'sha256', fromLatin1(text)));
}
