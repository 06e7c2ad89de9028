/** A call that comes in by a trunk, read: which number is called, and who calls. Pure. */
import { fromCarrier } from '#shared/call/trunk.ts';
import { fromLatin1 } from '#shared/kernel/bytes.ts';
import { assertedIdentities } from '#shared/sip/asserted.ts';
import { type Diverted, userPart } from '#shared/sip/diversion.ts';
import { diversionsOf } from '#shared/sip/history-info.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import { privacyOf } from '#shared/sip/privacy.ts';
import { readReferredBy } from '#shared/sip/refer.ts';
import { type NameAddr, parseUri } from '#shared/sip/uri.ts';
import type { Shown } from '../live.ts';
import type { Trunk } from './trunk.ts';

export interface Arrival {
  /** Numbers that may be the called one (E.164), the likeliest first. */
  readonly called: readonly string[];
  readonly caller: Shown;
  readonly hidden: boolean;
  /** Who sent the call on before it came here, the oldest first. */
  readonly diverted: readonly Diverted[];
  /** The number that transferred it. */
  readonly referredBy?: string;
}

/** Characters of a caller's number or name that are kept. */
const NUMBER_LIMIT = 64;
const NAME_LIMIT = 64;

/** A carrier is believed who calls (RFC 3325 section 5: the trunk is inside the trust domain). */
export function readArrival(trunk: Trunk, message: SipMessage): Arrival {
  const { inRules = [], calledIn = 'uri' } = trunk.settings;
  const users = [userOf(message.uri), userOf(message.to.uri)];
  if (calledIn === 'to') users.reverse();
  const called = users.flatMap((user) => (user === undefined ? [] : (fromCarrier(user, inRules) ?? [])));
  const asserted = assertedIdentities(message);
  // Of a name and a number, the number says who it is here.
  const numbered = asserted.find(({ uri }) => fromCarrier(userOf(uri) ?? '', inRules) !== undefined);
  const identity: NameAddr = numbered ?? asserted[0] ?? message.from;
  const user = userOf(identity.uri) ?? 'anonymous';
  const number = (fromCarrier(user, inRules) ?? user).slice(0, NUMBER_LIMIT);
  const display =
    identity.display === '' ? (asserted.find((one) => one.display !== '')?.display ?? '') : identity.display;
  const name = new TextDecoder().decode(fromLatin1(display)).slice(0, NAME_LIMIT);
  const hidden = privacyOf(message).hidden || user.toLowerCase() === 'anonymous';
  const referrer = fromCarrier(readReferredBy(message) ?? '', inRules);
  return {
    called: [...new Set(called)],
    caller: { number, ...(name === '' ? {} : { name }) },
    hidden,
    diverted: diversionsOf(message).map((one) => ({ ...one, number: fromCarrier(one.number, inRules) ?? one.number })),
    // A word that nothing signs counts only where the caller's does.
    ...(hidden || referrer === undefined || asksForProof(trunk) ? {} : { referredBy: referrer }),
  };
}

/** The trunk's word for who calls is not enough: it is to be signed. */
function asksForProof({ settings: { identity } }: Trunk): boolean {
  return identity?.in === 'verify' || identity?.in === 'require';
}

/** The user without parameters: what a carrier says of its number there (verstat, npdi) is not the number. */
function userOf(uri: string): string | undefined {
  const user = parseUri(uri)?.user;
  return user === undefined ? undefined : userPart(user);
}
