/** Privacy that a caller asks for (RFC 3323 section 4.2, RFC 3325 section 9.3, RFC 7044 section 10.1.2). */
import type { SipMessage } from './message.ts';
import { parseUri } from './uri.ts';

/** Priv-values that withhold who calls. */
const WITHHOLD: ReadonlySet<string> = new Set(['id', 'user', 'header']);
/** The others that are known; `history` is kept where the history is told. */
const KNOWN: ReadonlySet<string> = new Set([...WITHHOLD, 'session', 'history', 'none', 'critical']);

export interface Privacy {
  /** The callee is not to know who calls. */
  readonly hidden: boolean;
  /** Nor where its media come from. */
  readonly session: boolean;
  /** Rather no call than one without that. */
  readonly critical: boolean;
  /** Something was asked for that nobody here knows. */
  readonly unknown: boolean;
}

/** By the Privacy header, or by an anonymous From. `none` beats all others. */
export function privacyOf(message: SipMessage): Privacy {
  if (message.header('Privacy') === undefined)
    return { hidden: isAnonymous(message.from.uri), session: false, critical: false, unknown: false };
  const values = valuesOf(message);
  if (values.includes('none')) return { hidden: false, session: false, critical: false, unknown: false };
  return {
    hidden: values.some((value) => WITHHOLD.has(value)) || isAnonymous(message.from.uri),
    session: values.includes('session'),
    critical: values.includes('critical'),
    unknown: values.some((value) => !KNOWN.has(value)),
  };
}

/**
 * The priv-values that the next element of the trust domain is to hear of, where this one is but on the way: those that are known, and `id`
 * where the callee is not to know who calls. `none` stands alone.
 */
export function privacyToPass(message: SipMessage): string[] {
  const values = valuesOf(message);
  if (values.includes('none')) return ['none'];
  const id = wantsPrivacy(message) ? ['id'] : [];
  return [...new Set([...id, ...values.filter((value) => KNOWN.has(value))])];
}

function valuesOf(message: SipMessage): string[] {
  return message
    .headerAll('Privacy')
    .flatMap((value) => value.split(';').map((one) => one.trim().toLowerCase()))
    .filter((value) => value !== '');
}

/** True where the callee is not to know who calls. */
export const wantsPrivacy = (message: SipMessage): boolean => privacyOf(message).hidden;

/** An address that names nobody (RFC 3323 section 4.1.1.3). */
export function isAnonymous(text: string): boolean {
  return parseUri(text)?.host === 'anonymous.invalid';
}
