/**
 * Whether a call's signature holds (RFC 8224 section 6.2), with those of whoever sent it on (RFC 8946): the certificates, whom they speak
 * for, the signatures, and that the last of them comes once.
 */
import { fromLatin1, hex } from '#shared/kernel/bytes.ts';
import type { Crypto } from '#shared/kernel/world.ts';
import { type Claim, claimsOf, FRESH, failed, type SignedCall, type Verdict } from '#shared/sip/identity-check.ts';
import { claimsIn, type ReadSent, type ReadToken } from '#shared/sip/passport.ts';
import { permits, speaksFor } from './settings.ts';

export interface VerifyTools {
  readonly crypto: Pick<Crypto, 'readChain' | 'verify'>;
  /** Certificates of those whose signers are believed, PEM. */
  readonly authorities: string;
  /** The certificates at an address. */
  readonly certificates: (x5u: string) => Promise<string | undefined>;
  readonly replays: Replays;
}

/**
 * The verdict on a call; `callId` tells a second call apart from the first one asked again. Of several signatures one that holds is enough
 * (RFC 8224 section 6.2.1).
 */
export async function verifyCaller(call: SignedCall, callId: string, tools: VerifyTools): Promise<Verdict> {
  const claims = claimsOf(call);
  const own = { ...tools, certificates: once(tools.certificates) };
  // What has to be fetched is fetched at the same time.
  const judged = await Promise.all(claims.map((claim) => judge(claim, call.now, own)));
  const verdicts = claims.map((claim, i) => judged[i] ?? passed(claim, callId, call.now, tools.replays));
  return verdicts.find(({ fault }) => fault === undefined) ?? worst(verdicts);
}

/** What says most of signatures none of which holds (RFC 8224 section 6.2.2): 436 only where no certificate at all could be had. */
function worst(verdicts: readonly Verdict[]): Verdict {
  const first = (fits: (fault: Verdict['fault']) => boolean) => verdicts.find(({ fault }) => fits(fault));
  const found = first((fault) => fault === 'untrusted') ?? first((fault) => fault !== 'unreachable') ?? verdicts[0];
  return found ?? failed('invalid', 'not signed').verdict;
}

/** Undefined where all signatures of a claim hold. */
async function judge(claim: Claim, now: number, tools: VerifyTools): Promise<Verdict | undefined> {
  if ('verdict' in claim) return claim.verdict;
  const { token, sentOn } = claim;
  const asked = [token, ...sentOn].map((one) => {
    const signer = 'div' in one.passport ? one.passport.div : one.passport.orig;
    return holds(one, signer, now, tools);
  });
  return (await Promise.all(asked)).find((refused) => refused !== undefined);
}

function passed(claim: Claim, callId: string, now: number, replays: Replays): Verdict {
  if ('verdict' in claim) return claim.verdict;
  const { token, sentOn } = claim;
  const { signature } = sentOn.at(-1) ?? token;
  // With (r, s) also (r, n - s) holds, which anybody can write: r tells signatures apart.
  if (!replays.first(hex(signature.subarray(0, signature.length / 2)), callId, now))
    return failed('invalid', 'used before').verdict;
  const { attest } = token.passport;
  return { verstat: 'TN-Validation-Passed', ...(attest === undefined ? {} : { attest }) };
}

/** One address is asked once, however many signatures name it. */
function once(fetch: VerifyTools['certificates']): VerifyTools['certificates'] {
  const asked = new Map<string, Promise<string | undefined>>();
  return (x5u) => {
    const known = asked.get(x5u) ?? fetch(x5u);
    asked.set(x5u, known);
    return known;
  };
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
  if (!good) return failed('invalid', 'a wrong signature').verdict;
  return permits(facts.claims, claimsIn(input))
    ? undefined
    : failed('invalid', 'the certificate does not permit this').verdict;
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
