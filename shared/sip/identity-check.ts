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
  readCompact,
  readFull,
  readPlain,
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
  /** Of the Date header field, seconds; absent where there is none. */
  readonly date?: number;
}

/** Seconds that a signature may be old, or ahead of our clock. */
export const FRESH = 60;
/** Identity header fields of one call that are looked at, and tokens of who sent it on. */
export const VALUES = 8;

/** Seconds that lie between the signatures of one who calls, or sends a call on, and of the next: it may have rung meanwhile. */
export const RANG_FOR = 180;

/** A token whose signature may decide, with those of whoever sent the call on, the first of them first; or why it cannot. */
export type Claim = { readonly token: ReadToken; readonly sentOn: readonly ReadSent[] } | { readonly verdict: Verdict };

/** All that is said of the caller: one that holds is enough (RFC 8224 section 6.2.1). At least one. */
export function claimsOf(call: SignedCall): readonly Claim[] {
  if (call.values.length > VALUES) return [failed('invalid', 'too many')];
  const read = call.values.flatMap((value) => readIdentity(value) ?? []);
  // Kinds that we do not know are as if they were not there (RFC 8224 section 6.2, step 1).
  const ofKind = (kind?: string) => read.filter((one) => one.ppt?.toLowerCase() === kind);
  const full = ofKind('div-o').flatMap(fullBy);
  const sent = [...ofKind('div').flatMap(sentBy), ...full.flatMap((one) => one.sentOn)];
  // Ways through many are many: what one header field can hold counts like header fields.
  if (sent.length > VALUES) return [failed('invalid', 'too many')];
  const tokens = [
    ...ofKind('shaken').flatMap((one) => signedBy(one, (token) => [readToken(token)])),
    ...ofKind().flatMap((one) => signedBy(one, (token) => [readPlain(token), ...compactOf(one, call)])),
    ...full.flatMap((one) => one.token ?? []),
  ];
  // Malformed alone says that somebody signed; nothing at all that nobody did.
  const broken = read.length < call.values.length ? failed('invalid', 'malformed header') : undefined;
  if (tokens.length === 0)
    return [broken ?? { verdict: { verstat: 'No-TN-Validation', fault: 'missing', why: 'not signed' } }];
  const known = new Map(tokens.map((one) => ['verdict' in one ? one.verdict : `${one.input} ${one.signature}`, one]));
  return [...known.values()].map((one) => ('verdict' in one ? one : fitting(one, call, sent)));
}

/** How a token over the caller fits the call. */
function fitting(token: ReadToken, { caller, called, now }: SignedCall, sent: readonly ReadSent[]): Claim {
  if (canonicalNumber(caller) !== token.passport.orig) return failed('invalid', 'signed for another caller');
  const sentOn = chainTo(numbersIn(called), token, sent);
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

const numbersIn = (called: readonly string[]): string[] => called.flatMap((one) => canonicalNumber(one) ?? []);

/** What a header field says of the caller; `read` gives what its token may be. */
function signedBy(
  { token, info, alg = 'ES256' }: Identity,
  read: (token: string) => readonly (ReadToken | undefined)[],
): (ReadToken | { readonly verdict: Verdict })[] {
  if (alg !== 'ES256') return [failed('invalid', 'another algorithm')];
  const found = read(token).flatMap((one) => one ?? []);
  if (found.length === 0) return [failed('invalid', 'malformed token')];
  return found.map((one) => (one.passport.x5u === info ? one : failed('invalid', 'info and x5u differ')));
}

/** A signature alone is over what the call itself says, at the time of its Date (RFC 8224 section 4.1): for each number that may be the callee. */
function compactOf({ token, info: x5u }: Identity, { caller, called, date }: SignedCall): (ReadToken | undefined)[] {
  const orig = canonicalNumber(caller);
  if (orig === undefined || date === undefined) return [];
  return numbersIn(called).map((tn) => readCompact(token, { x5u, orig, dest: { tn: [tn] }, iat: date }));
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
