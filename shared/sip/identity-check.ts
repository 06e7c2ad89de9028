/**
 * What a verification service makes of the Identity header fields of a call (RFC 8224 section 6.2, RFC 8588 section 7), as far as it can be
 * said without keys: which one counts, whether it fits the call, and whether it is fresh. Pure.
 */
import { type Identity, readIdentity } from './identity.ts';
import {
  type Attestation,
  canonicalNumber,
  type ReadFull,
  type ReadSent,
  type ReadToken,
  readFull,
  readSent,
  readToken,
} from './passport.ts';

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

/** Seconds that lie between the signatures of one who calls, or sends a call on, and of the next: it may have rung meanwhile. */
export const RANG_FOR = 180;

/** The token whose signature decides, with those of whoever sent the call on, the first of them first; or the verdict. */
export type Claim = { readonly token: ReadToken; readonly sentOn: readonly ReadSent[] } | { readonly verdict: Verdict };

export function claimOf({ values, caller, called, now }: SignedCall): Claim {
  if (values.length > VALUES) return failed('invalid', 'too many');
  const read = values.map(readIdentity);
  if (read.some((one) => one === undefined)) return failed('invalid', 'malformed header');
  // Kinds that we do not know are as if they were not there (RFC 8224 section 6.2, step 1).
  const ofKind = (kind: string) => read.flatMap((one) => (one?.ppt?.toLowerCase() === kind ? [one] : []));
  const full = ofKind('div-o').flatMap(fullBy);
  const signed = signedOf(ofKind('shaken'), full);
  if ('verdict' in signed) return signed;
  const { token } = signed;
  if (canonicalNumber(caller) !== token.passport.orig) return failed('invalid', 'signed for another caller');
  const numbers = called.flatMap((one) => canonicalNumber(one) ?? []);
  const all = [...ofKind('div').flatMap(sentBy), ...full.flatMap((one) => one.sentOn)];
  // Ways through many are many: what one header field can hold counts like header fields.
  if (all.length > VALUES) return failed('invalid', 'too many');
  const sentOn = chainTo(numbers, token, all);
  if (sentOn === undefined) return failed('invalid', 'signed for another callee');
  const last = sentOn.at(-1)?.passport ?? token.passport;
  if (Math.abs(now - last.iat) > FRESH) return failed('stale', last.iat < now ? 'too old' : 'from the future');
  const times = [token, ...sentOn].map(({ passport }) => passport.iat);
  const inTurn = times.every((time, i) => {
    const before = times[i - 1] ?? time;
    return time - before <= RANG_FOR && before - time <= FRESH;
  });
  return inTurn ? { token, sentOn } : failed('stale', 'sent on at another time');
}

/** The one token over the caller: in a header field of its own, or within those who sent the call on, or in both. */
function signedOf(
  [first, second]: readonly Identity[],
  full: readonly ReadFull[],
): { readonly token: ReadToken } | { readonly verdict: Verdict } {
  if (second !== undefined) return failed('invalid', 'more than one');
  const token = first === undefined ? full.find((one) => one.token !== undefined)?.token : readToken(first.token);
  if (token === undefined && first === undefined)
    return { verdict: { verstat: 'No-TN-Validation', fault: 'missing', why: 'not signed' } };
  if (first?.alg !== undefined && first.alg !== 'ES256') return failed('invalid', 'another algorithm');
  if (token === undefined) return failed('invalid', 'malformed token');
  if (first !== undefined && token.passport.x5u !== first.info) return failed('invalid', 'info and x5u differ');
  const others = full.flatMap((one) => one.token ?? []);
  return others.every(({ input }) => input === token.input) ? { token } : failed('invalid', 'more than one');
}

/** What says that a call was sent on, with what it was before; one that is malformed says nothing. */
function fullBy({ token, info, alg = 'ES256' }: Identity): ReadFull[] {
  const read = alg === 'ES256' ? readFull(token) : undefined;
  return read === undefined || read.sentOn.at(-1)?.passport.x5u !== info ? [] : [read];
}

/** What says that a call was sent on; one that is malformed says nothing. */
function sentBy({ token, info, alg = 'ES256' }: Identity): ReadSent[] {
  const read = alg === 'ES256' ? readSent(token) : undefined;
  return read === undefined || read.passport.x5u !== info ? [] : [read];
}

/**
 * The way from whom the call was for to whom it comes (RFC 8946 section 4.2): each who sent it on is whom it came to, and says the same
 * caller. Empty where it was for one of `numbers` at once; undefined where there is no way.
 */
function chainTo(
  numbers: readonly string[],
  { passport }: ReadToken,
  all: readonly ReadSent[],
): ReadSent[] | undefined {
  const { dest, orig } = passport;
  if (dest.tn?.some((tn) => numbers.includes(tn)) === true) return [];
  const mine = all.filter((one) => one.passport.orig === orig);
  const onward = (to: readonly string[] = [], left: readonly ReadSent[]): ReadSent[] | undefined => {
    for (const one of left) {
      if (!to.includes(one.passport.div)) continue;
      const next = one.passport.dest.tn ?? [];
      if (next.some((tn) => numbers.includes(tn))) return [one];
      const rest = onward(
        next,
        left.filter((other) => other !== one),
      );
      if (rest !== undefined) return [one, ...rest];
    }
    return undefined;
  };
  return onward(dest.tn, mine);
}

export function failed(fault: keyof typeof REFUSED, why: string): { readonly verdict: Verdict } {
  return { verdict: { verstat: 'TN-Validation-Failed', fault, why } };
}
