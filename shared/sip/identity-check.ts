/**
 * What a verification service makes of the Identity header fields of a call (RFC 8224 section 6.2, RFC 8588 section 7), as far as it can be
 * said without keys: which one counts, whether it fits the call, and whether it is fresh. Pure.
 */
import { readIdentity } from './identity.ts';
import { type Attestation, canonicalNumber, type ReadToken, readToken } from './passport.ts';

/** What a phone is told of the caller's number (3GPP TS 24.229 section 7.2A.20). */
export type Verstat = 'TN-Validation-Passed' | 'TN-Validation-Failed' | 'No-TN-Validation';

/** Statuses by which a call is refused (RFC 8224 section 6.2.2). */
export const REFUSED = {
  stale: { status: 403, reason: 'Stale Date' },
  missing: { status: 428, reason: 'Use Identity Header' },
  unreachable: { status: 436, reason: 'Bad Identity Info' },
  untrusted: { status: 437, reason: 'Unsupported Credential' },
  invalid: { status: 438, reason: 'Invalid Identity Header' },
} as const;

export interface Verdict {
  readonly verstat: Verstat;
  readonly attest?: Attestation;
  /** Why it did not pass: how such a call is refused, and a word for the log. */
  readonly fault?: keyof typeof REFUSED;
  readonly why?: string;
}

/** The call as it came in. */
export interface SignedCall {
  /** Values of Identity. */
  readonly values: readonly string[];
  /** The number in P-Asserted-Identity, else in From. */
  readonly caller: string;
  /** Numbers that To and Request-URI name. */
  readonly called: readonly string[];
  /** Wall clock, seconds. */
  readonly now: number;
}

/** Seconds that a signature may be old, or ahead of our clock. */
export const FRESH = 60;
/** Identity header fields of one call that are looked at. */
export const VALUES = 8;

/** The token whose signature decides, or the verdict. */
export type Claim = { readonly token: ReadToken } | { readonly verdict: Verdict };

export function claimOf({ values, caller, called, now }: SignedCall): Claim {
  if (values.length > VALUES) return failed('invalid', 'too many');
  const read = values.map(readIdentity);
  if (read.some((one) => one === undefined)) return failed('invalid', 'malformed header');
  // Kinds that we do not know are as if they were not there (RFC 8224 section 6.2, step 1).
  const [first, second] = read.flatMap((one) => (one?.ppt?.toLowerCase() === 'shaken' ? [one] : []));
  if (first === undefined) return { verdict: { verstat: 'No-TN-Validation', fault: 'missing', why: 'not signed' } };
  if (second !== undefined) return failed('invalid', 'more than one');
  if (first.alg !== undefined && first.alg !== 'ES256') return failed('invalid', 'another algorithm');
  const token = readToken(first.token);
  if (token === undefined) return failed('invalid', 'malformed token');
  const { x5u, iat, orig, dest } = token.passport;
  if (x5u !== first.info) return failed('invalid', 'info and x5u differ');
  if (Math.abs(now - iat) > FRESH) return failed('stale', iat < now ? 'too old' : 'from the future');
  if (canonicalNumber(caller) !== orig) return failed('invalid', 'signed for another caller');
  const numbers = called.map(canonicalNumber);
  if (dest.tn?.some((tn) => numbers.includes(tn)) !== true) return failed('invalid', 'signed for another callee');
  return { token };
}

export function failed(fault: keyof typeof REFUSED, why: string): { readonly verdict: Verdict } {
  return { verdict: { verstat: 'TN-Validation-Failed', fault, why } };
}
