/** Privacy that a caller asks for (RFC 3323 section 4.2, RFC 3325 section 9.3, RFC 7044 section 10.1.2). */
import type { SipMessage } from './message.ts';
import { hostOf, userOf } from './uri.ts';

/** Priv-values that withhold who calls. */
const WITHHOLD: ReadonlySet<string> = new Set(['id', 'user', 'header']);
/** Priv-values that withhold who sent the call on (RFC 7044 section 10.1.2). */
export const OF_HISTORY: ReadonlySet<string> = new Set(['header', 'history']);
/** The others that are known. */
const KNOWN: ReadonlySet<string> = new Set([...WITHHOLD, 'session', 'history', 'none', 'critical']);

export interface Privacy {
  /** The callee is not to know who calls. */
  readonly hidden: boolean;
  /** Nor where its media come from. */
  readonly session: boolean;
  /** Rather no call than one without that. */
  readonly critical: boolean;
  /** Nor who sent the call on. */
  readonly history: boolean;
  /** Something was asked for that nobody here knows. */
  readonly unknown: boolean;
  /** Nobody on the way is to withhold anything. */
  readonly none: boolean;
}

const NOTHING: Privacy = {
  hidden: false,
  session: false,
  critical: false,
  history: false,
  unknown: false,
  none: false,
};

/** By the Privacy header, or by an anonymous From. `none` beats all others. */
export function privacyOf(message: SipMessage): Privacy {
  if (message.header('Privacy') === undefined) return { ...NOTHING, hidden: isAnonymous(message.from.uri) };
  const values = valuesOf(message);
  if (values.includes('none')) return { ...NOTHING, none: true };
  return {
    ...NOTHING,
    hidden: values.some((value) => WITHHOLD.has(value)) || isAnonymous(message.from.uri),
    session: values.includes('session'),
    critical: values.includes('critical'),
    history: values.some((value) => OF_HISTORY.has(value)),
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

/** Semicolons part them; with commas, as some write them, they ask for no less. */
function valuesOf(message: SipMessage): string[] {
  return message
    .headerAll('Privacy')
    .flatMap((value) => value.split(/[;,]/).map((one) => one.trim().toLowerCase()))
    .filter((value) => value !== '');
}

/** True where the callee is not to know who calls. */
export const wantsPrivacy = (message: SipMessage): boolean => privacyOf(message).hidden;

/**
 * The status with which a MESSAGE of whoever is not to be named is refused: messages are kept and answered under their sender's number
 * (RFC 5079 section 3, RFC 3323 section 5). Undefined: it may be named.
 */
export function refusalUnnamed(message: SipMessage): 433 | 500 | undefined {
  const { hidden, critical, unknown } = privacyOf(message);
  if (hidden) return 433;
  return critical && unknown ? 500 : undefined;
}

/** An address that names nobody (RFC 3323 sections 4.1.1.2 and 4.1.1.3). */
export function isAnonymous(text: string): boolean {
  return hostOf(text) === 'anonymous.invalid' || userOf(text)?.toLowerCase() === 'anonymous';
}
