/** The digest function that the pure SIP stack asks for, from the World's cryptography. */
import type { Crypto } from '#shared/kernel/world.ts';
import type { DigestHash } from '../sip/digest.ts';

export function sipHash(crypto: Crypto): DigestHash {
  return (algorithm, text) => crypto.hashText(algorithm === 'MD5' ? 'md5' : 'sha256', text);
}
