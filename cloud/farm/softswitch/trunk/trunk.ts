/** A trunk as the softswitch holds it, and the INVITE that leaves by it. */
import { identityOf, onlyCodecs, type TrunkChoice, translate } from '#shared/call/trunk.ts';
import { latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { TrunkSettings } from '#shared/protocol/verbs/trunk.ts';
import type { BodyPart } from '#shared/sip/multipart.ts';
import type { Credentials, Flow, InviteOptions } from '#shared/sip/types.ts';
import { writeNameAddr, writeUri } from '#shared/sip/uri.ts';

/** Calls of a trunk at once, unless its settings say otherwise. */
export const TRUNK_CALLS = 1_000;

/** One trunk's settings with what follows from them. */
export interface Trunk {
  readonly id: string;
  readonly settings: TrunkSettings;
  readonly domain: string;
  readonly port: number;
  readonly credentials?: Credentials;
}

/** One way of a call to the outside: a trunk, the flow to it, and what is called there. */
export interface TrunkWay {
  readonly trunk: Trunk;
  readonly flow: Flow;
  /** The called number as the carrier wants it, or a URN. */
  readonly called: string;
  /** The number that vouches where the call was sent on. */
  readonly owner?: string;
  readonly parts?: readonly BodyPart[];
  readonly headers?: readonly (readonly [string, string])[];
}

export function domainOf({ domain, host }: TrunkSettings): string {
  return domain ?? host;
}

export function choiceOf(trunk: Trunk, calls: number, down: boolean): TrunkChoice & { readonly trunk: Trunk } {
  const { priority = 100, weight = 1, prefixes = [], maxCalls = TRUNK_CALLS } = trunk.settings;
  return { id: trunk.id, trunk, priority, weight, prefixes, maxCalls, calls, down };
}

/** What the carrier is to call for an E.164 number. */
export function calledAt(trunk: Trunk, number: string): string {
  return translate(number, trunk.settings.outRules ?? []);
}

interface Outgoing {
  readonly caller: { readonly number: string; readonly name?: string };
  readonly hidden: boolean;
  /** Max-Forwards that the call came with. */
  readonly hops: number;
  readonly contact: string;
  readonly sdp: string;
}

/** The INVITE. Nothing of the caller's own addresses goes into it. */
export function trunkInvite(way: TrunkWay, { caller, hidden, hops, contact, sdp }: Outgoing): InviteOptions {
  const { trunk, flow, called, owner, parts, headers = [] } = way;
  const { domain, settings, credentials } = trunk;
  const display = caller.name === undefined ? '' : latin1(utf8(caller.name));
  const known = { number: caller.number, display, hidden, ...(owner === undefined ? {} : { owner }) };
  const identity = identityOf(known, settings.identity ?? {}, settings.username);
  const address = (user: string, name = '') =>
    writeNameAddr({ display: name, uri: sipUri(user, domain), params: new Map() });
  const { from, asserted } = identity;
  const uri = called.startsWith('urn:') ? called : sipUri(called, domain);
  return {
    uri,
    from: from === undefined ? ANONYMOUS : address(from.user, from.display),
    to: `<${uri}>`,
    flow,
    contact,
    trying: true,
    headers: [
      ['Max-Forwards', String(Math.max(0, hops - 1))],
      ...(asserted === undefined ? [] : [['P-Asserted-Identity', address(asserted)] as const]),
      ...(identity.private ? [['Privacy', 'id'] as const] : []),
      ...(owner === undefined || owner === caller.number
        ? []
        : [['Diversion', `${address(owner)};reason=unconditional`] as const]),
      ...headers,
    ],
    sdp: onlyCodecs(sdp, settings.codecs ?? []) ?? sdp,
    ...(parts === undefined ? {} : { parts }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** From of a caller that withholds its number (RFC 3323 section 4.1.1.3). */
const ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>';

export function sipUri(user: string, host: string): string {
  return writeUri({ scheme: 'sip', user, host, params: new Map() });
}
