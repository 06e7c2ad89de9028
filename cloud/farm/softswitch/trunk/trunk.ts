/** A trunk as the softswitch holds it, and the INVITE that leaves by it. */
import { identityOf, onlyCodecs, type TrunkChoice, translate } from '#shared/call/trunk.ts';
import { plainAddress } from '#shared/kernel/address.ts';
import { latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { Address } from '#shared/kernel/world.ts';
import type { TrunkSettings } from '#shared/protocol/verbs/trunk.ts';
import { type Diverted, writeDiversion } from '#shared/sip/diversion.ts';
import { writeHistory } from '#shared/sip/history-info.ts';
import type { Hop } from '#shared/sip/locate.ts';
import type { SipMessage } from '#shared/sip/message.ts';
import type { BodyPart } from '#shared/sip/multipart.ts';
import { referredBy } from '#shared/sip/refer.ts';
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
  /** Outside of the trust domain (RFC 3325 section 5): what is withheld is not told there either. */
  readonly untrusted?: true;
}

/** True for a flow from the trunk's address and port, or an address that its settings name. */
export function isAddressOf({ settings, port }: Trunk, { remote, protocol, peer }: Flow): boolean {
  if (peer.kind !== 'none') return false;
  if (protocol === 'udp' && port === remote.port && plainAddress(settings.host) === remote.host) return true;
  return settings.addresses?.some((one) => names(one, remote)) === true;
}

/** True for an address and port, or an address, that the trunk's settings name: one to which a connection may be opened. */
export function isNamed({ settings }: Trunk, at: Address): boolean {
  return [settings.host, ...(settings.addresses ?? [])].some((one) => names(one, at));
}

/** `one`: an address, with or without port. */
function names(one: string, { host, port }: Address): boolean {
  return plainAddress(one) === host || one === `${host}:${port}`;
}

/** Calls that a trunk may have at once. */
export const callsOf = ({ settings }: Trunk): number => settings.maxCalls ?? TRUNK_CALLS;

/** One way of a call to the outside: a trunk, the flow to it, and what is called there. */
export interface TrunkWay {
  readonly trunk: Trunk;
  readonly flow: Flow;
  /** The server, where the trunk is a name that may have several. */
  readonly hop?: Hop;
  /** The called number as the carrier wants it, or a URN. */
  readonly called: string;
  /** The whole Request-URI, where it is not the trunk's to make. */
  readonly uri?: string;
  /** The number that vouches where the call was sent on, and whether it is withheld. */
  readonly owner?: string;
  readonly ownerHidden?: boolean;
  readonly parts?: readonly BodyPart[];
  readonly headers?: readonly (readonly [string, string])[];
  /** Values of Identity: the signature over the number that stands for the caller, and those of who sent the call on. */
  readonly signed?: readonly string[];
}

/** How a call by a way failed. */
export interface WayFailure {
  /** 408 and 503 where there was no answer at all: silence, and no connection. */
  readonly status: number;
  readonly silent: boolean;
  /** Milliseconds for which the server wants no more (RFC 3261 section 21.5.4). */
  readonly rest: number;
}

export const SILENCE: WayFailure = { status: 408, silent: true, rest: 0 };

/** From the final answer; without one from what the endpoint says in its place. */
export function failureOf(status: number, answer: SipMessage | undefined): WayFailure {
  const asked = status === 503 ? /^\d{1,9}/.exec(answer?.header('Retry-After')?.trim() ?? '')?.[0] : undefined;
  return { status, silent: answer === undefined, rest: Number(asked ?? 0) * 1000 };
}

/** True where the carrier or the way to it failed. That it has no such number, or takes no call to it, is about that number alone. */
export function isTrunkFault({ status, silent }: WayFailure): boolean {
  return silent || status === 401 || status === 407 || (status >= 500 && status < 600);
}

export function domainOf({ domain, host }: TrunkSettings): string {
  return domain ?? host;
}

export function choiceOf(trunk: Trunk, calls: number, down: boolean): TrunkChoice & { readonly trunk: Trunk } {
  const { priority = 100, weight = 1, prefixes = [] } = trunk.settings;
  return { id: trunk.id, trunk, priority, weight, prefixes, maxCalls: callsOf(trunk), calls, down };
}

/** What the carrier is to call for an E.164 number. */
export function calledAt(trunk: Trunk, number: string): string {
  return translate(number, trunk.settings.outRules ?? []);
}

/** What a call says of its caller. */
interface Calling {
  readonly caller: { readonly number: string; readonly name?: string };
  readonly hidden?: boolean | undefined;
  readonly referredBy?: string | undefined;
  /** `critical`: rather no call than one that shows the number. `none`: nobody on the way is to withhold it. */
  readonly privacy?: { readonly critical: boolean; readonly none: boolean } | undefined;
  /** Who sent the call on, the oldest first. */
  readonly diverted?: readonly Diverted[] | undefined;
}

interface Outgoing {
  /** Max-Forwards and Max-Breadth. */
  readonly hops: readonly (readonly [string, string])[];
  readonly contact: string;
  readonly sdp: string;
}

/** The INVITE. Nothing of the caller's own addresses goes into it. */
export function trunkInvite(
  way: TrunkWay,
  { caller, hidden = false, referredBy: referrer, privacy, diverted = [] }: Calling,
  { hops, contact, sdp }: Outgoing,
): InviteOptions {
  const { trunk, flow, called, owner, ownerHidden = false, parts, headers = [], signed = [] } = way;
  const { domain, settings, credentials } = trunk;
  const display = caller.name === undefined ? '' : latin1(utf8(caller.name));
  const known = { number: caller.number, display, hidden, ...(owner === undefined ? {} : { owner, ownerHidden }) };
  const identity = identityOf(known, settings.identity ?? {}, settings.username);
  const address = (user: string, name = '') =>
    writeNameAddr({ display: name, uri: sipUri(user, domain), params: new Map() });
  const { from } = identity;
  const asserted = identity.private && trunk.untrusted === true ? undefined : identity.asserted;
  const isKept = trunk.untrusted === true && (identity.private || diverted.some((one) => one.hidden === true));
  const isSecret = isKept || (from === undefined && asserted === undefined);
  const uri = way.uri ?? (called.startsWith('urn:') ? called : sipUri(called, domain));
  return {
    uri,
    from: from === undefined ? ANONYMOUS : address(from.user, from.display),
    to: `<${uri}>`,
    flow,
    contact,
    trying: true,
    headers: [
      ...hops,
      ...(asserted === undefined ? [] : [['P-Asserted-Identity', address(asserted)] as const]),
      ...privacyHeader(identity, privacy),
      // Whoever may not know the number does not get it signed either.
      ...(isSecret ? [] : signed.map((value) => ['Identity', value] as const)),
      // One number stands for everybody there.
      ...referredBy(referrer && (settings.identity?.number ?? referrer), domain),
      ...forwardedBy(diverted, trunk, called),
      ...headers,
    ],
    sdp: onlyCodecs(sdp, settings.codecs ?? []) ?? sdp,
    ...(parts === undefined ? {} : { parts }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}

/** `none` is told on where nothing is withheld for a reason of our own (RFC 3323 section 4.2). */
function privacyHeader(
  { private: isPrivate }: { readonly private: boolean },
  privacy: Calling['privacy'],
): (readonly [string, string])[] {
  if (isPrivate) return [['Privacy', privacy?.critical === true ? 'id;critical' : 'id']];
  return privacy?.none === true ? [['Privacy', 'none']] : [];
}

/** Who sent the call on, in the header field that the carrier wants. One of the trust domain keeps what is withheld, as with the caller's number. */
function forwardedBy(
  diverted: readonly Diverted[],
  { settings: { forwarded = 'diversion' }, domain, untrusted }: Trunk,
  called: string,
): (readonly [string, string])[] {
  const trusted = untrusted !== true;
  const diversion =
    forwarded === 'diversion' || forwarded === 'both' ? writeDiversion(diverted, { domain, trusted }) : [];
  const history =
    forwarded === 'history-info' || forwarded === 'both' ? writeHistory(diverted, { called, domain, trusted }) : [];
  return [
    ...diversion.map((value) => ['Diversion', value] as const),
    ...history.map((value) => ['History-Info', value] as const),
  ];
}

/** From of a caller that withholds its number (RFC 3323 section 4.1.1.3). */
const ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>';

export function sipUri(user: string, host: string): string {
  return writeUri({ scheme: 'sip', user, host, params: new Map() });
}
