/** A signer of calls as carriers have them: an authority of its own, a certificate for telephone numbers, and tokens that fit or do not. */
import { sign, X509Certificate } from 'node:crypto';
import { bitString, context, contextTag, DerReader, element, oid } from '#shared/host/der.ts';
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import type { IssueOptions, KeyPair, TnEntry, World } from '#shared/kernel/world.ts';
import { writeIdentity } from '#shared/sip/identity.ts';
import { type Passport, signingInput, tokenOf } from '#shared/sip/passport.ts';

const DAY = 86_400_000;

export interface Authority {
  readonly certificate: string;
  readonly key: KeyPair;
}

type Tools = Pick<World, 'crypto' | 'clock'>;

function lastsFrom({ clock }: Tools, days = 30) {
  return { notBefore: clock.wall() - DAY, notAfter: clock.wall() + days * DAY };
}

/** `numbers`: it issues certificates for these alone. */
export async function authority(
  tools: Tools,
  subject = 'STI-CA',
  issuer?: Authority,
  numbers?: readonly TnEntry[],
): Promise<Authority> {
  const key = await tools.crypto.createKey();
  const certificate = await tools.crypto.issue({
    ...{ subject, publicKey: key.publicKey, use: 'authority', ...lastsFrom(tools) },
    ...(numbers === undefined ? {} : { numbers }),
    ...(issuer === undefined
      ? { signer: key.privateKey }
      : { issuer: issuer.certificate, signer: issuer.key.privateKey }),
  });
  return { certificate, key };
}

/** A certificate for these numbers (none: it says nothing of numbers), issued by that authority. */
export async function certified(
  tools: Tools,
  { certificate, key: { privateKey } }: Authority,
  publicKey: Uint8Array,
  numbers: readonly TnEntry[],
  more: Partial<IssueOptions> = {},
): Promise<string> {
  return tools.crypto.issue({
    ...{ subject: 'SHAKEN 1234', publicKey, issuer: certificate, signer: privateKey, use: 'client' },
    ...lastsFrom(tools),
    ...(numbers.length === 0 ? {} : { numbers }),
    ...more,
  });
}

/** The certificate with one more extension, signed anew by its issuer's key. */
export function extended(certificate: string, issuer: string, id: string, value: Uint8Array): string {
  const fields = new DerReader(new X509Certificate(certificate).raw).inside('sequence');
  const body = fields.inside('sequence');
  const algorithm = fields.next('sequence').whole;
  const parts: Uint8Array[] = [];
  for (let tag = body.peek(); tag !== undefined; tag = body.peek()) {
    const part = body.next(tag);
    if (tag !== contextTag(3)) parts.push(part.whole);
    else {
      const known = new DerReader(part.content).next('sequence').content;
      const more = element('sequence', oid(id), element('octetString', value));
      parts.push(context(3, false, element('sequence', known, more)));
    }
  }
  const info = element('sequence', ...parts);
  const octets = element('sequence', info, algorithm, bitString(sign('sha256', info, issuer)));
  const text =
    Buffer.from(octets)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...text, '-----END CERTIFICATE-----', ''].join('\n');
}

export interface Signer {
  readonly chain: string;
  readonly key: KeyPair;
  /** An Identity value. */
  sign(passport: Partial<Passport> & Pick<Passport, 'orig' | 'dest'>): Promise<string>;
}

/** Somebody who signs, with its certificate at `x5u`. */
export async function signer(
  tools: Tools,
  by: Authority,
  x5u: string,
  numbers: readonly TnEntry[] = [{ spc: '1234' }],
  more: Partial<IssueOptions> = {},
): Promise<Signer> {
  const key = await tools.crypto.createKey();
  const chain = await certified(tools, by, key.publicKey, numbers, more);
  return {
    ...{ chain, key },
    async sign(said) {
      const iat = Math.floor(tools.clock.wall() / 1000);
      const input = signingInput({ x5u, attest: 'A', iat, origid: '123e4567-e89b-12d3-a456-426655440000', ...said });
      const token = tokenOf(input, await tools.crypto.sign(key.privateKey, fromLatin1(input)));
      return writeIdentity({ token, info: said.x5u ?? x5u, alg: 'ES256', ppt: 'shaken' });
    },
  };
}
