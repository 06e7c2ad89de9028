/**
 * Whether a call's signature holds (RFC 8224 section 6.2), with those of whoever sent it on (RFC 8946): the certificates, whom they speak
 * for, the signatures, and that the last of them comes once.
 */
import { fromLatin1, hex } from '#shared/kernel/bytes.ts';
import type { Crypto } from '#shared/kernel/world.ts';
import { claimOf, FRESH, failed, type SignedCall, type Verdict } from '#shared/sip/identity-check.ts';
import type { ReadSent, ReadToken } from '#shared/sip/passport.ts';
import { speaksFor } from './settings.ts';

export interface VerifyTools {
  readonly crypto: Pick<Crypto, 'readChain' | 'verify'>;
  /** Certificates of those whose signers are believed, PEM. */
  readonly authorities: string;
  /** The certificates at an address. */
  readonly certificates: (x5u: string) => Promise<string | undefined>;
  readonly replays: Replays;
}

/** The verdict on a call; `callId` tells a second call apart from the first one asked again. */
export async function verifyCaller(call: SignedCall, callId: string, tools: VerifyTools): Promise<Verdict> {
  const claim = claimOf(call);
  if ('verdict' in claim) return claim.verdict;
  const { token, sentOn } = claim;
  const last = sentOn.at(-1) ?? token;
  for (const one of [token, ...sentOn]) {
    const refused = await holds(one, 'div' in one.passport ? one.passport.div : one.passport.orig, call.now, tools);
    if (refused !== undefined) return refused;
  }
  // With (r, s) also (r, n - s) holds, which anybody can write: r tells signatures apart.
  if (!tools.replays.first(hex(last.signature.subarray(0, last.signature.length / 2)), callId, call.now))
    return failed('invalid', 'used before').verdict;
  return { verstat: 'TN-Validation-Passed', attest: token.passport.attest };
}

/** Undefined where whoever speaks for that number signed it. */
async function holds(
  { passport, input, signature }: ReadToken | ReadSent,
  signer: string,
  now: number,
  { crypto, authorities, certificates }: VerifyTools,
): Promise<Verdict | undefined> {
  const chain = await certificates(passport.x5u);
  if (chain === undefined) return failed('unreachable', 'no certificate there').verdict;
  const facts = await crypto.readChain(chain, authorities, now * 1000);
  if (facts === undefined) return failed('untrusted', 'a certificate of nobody believed').verdict;
  if (!speaksFor(facts, signer)) return failed('untrusted', 'the certificate does not speak for this number').verdict;
  const good = await crypto.verify(facts.publicKey, fromLatin1(input), signature);
  return good ? undefined : failed('invalid', 'a wrong signature').verdict;
}

/** Signatures that are remembered; of more, the oldest is forgotten. */
export const REMEMBERED = 65_536;

/** Signatures that were good lately: each is for one call. */
export class Replays {
  readonly #seen = new Map<string, { readonly callId: string; readonly until: number }>();

  /** False where another call brought it. `now` in seconds. */
  first(signature: string, callId: string, now: number): boolean {
    const known = this.#seen.get(signature);
    if (known !== undefined) return known.callId === callId;
    for (const [oldest, { until }] of this.#seen) {
      if (until >= now && this.#seen.size < REMEMBERED) break;
      this.#seen.delete(oldest);
    }
    // It may be ahead of our clock by as much as it may be old.
    this.#seen.set(signature, { callId, until: now + 2 * FRESH });
    return true;
  }
}
