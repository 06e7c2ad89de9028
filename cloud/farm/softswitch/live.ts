/** A call as the softswitch holds it: the pure state, and what ties it to SIP, session manager and store. */
import type { LineRow } from '#cloud/store/directory.ts';
import type { Party } from '#shared/call/call.ts';
import { CALLER } from '#shared/call/call.ts';
import type { Hops } from '#shared/call/hops.ts';
import type { DrivenCall } from '#shared/host/call-driver.ts';
import { latin1, utf8 } from '#shared/kernel/bytes.ts';
import type { Diverted } from '#shared/sip/diversion.ts';
import type { Verstat } from '#shared/sip/identity-check.ts';
import type { Privacy } from '#shared/sip/privacy.ts';
import type { Flow } from '#shared/sip/types.ts';
import { writeNameAddr, writeUri } from '#shared/sip/uri.ts';
import type { Help } from './emergency/help.ts';
import type { Contact } from './location.ts';
import type { TrunkWay } from './trunk/trunk.ts';

/** Whom to invite: a phone of a line, or the outside by a trunk. */
export interface Callee {
  readonly contact: Contact;
  /** Absent: `trunk` is there. */
  readonly line?: LineRow;
  readonly trunk?: TrunkWay;
  /** What the line's owner calls the caller; over the caller's own name. */
  readonly callerName?: string;
  /** Join and its kin. */
  readonly headers?: readonly (readonly [string, string])[];
}

/** What a phone shows of the other side. */
export interface Shown {
  readonly number: string;
  readonly name?: string;
}

export interface Live extends DrivenCall<Callee> {
  /** Named by the session manager, or derived from the Call-ID where it was away. */
  session: string;
  /** Switched without the session manager: its facts are told as a whole at the end. */
  autonomous: boolean;
  readonly caller: Shown;
  /** The line that called, and the home that it belongs to. */
  readonly line?: LineRow;
  /** The caller's number is withheld from the callee (CLIR). */
  hidden?: boolean;
  /** What else the caller wants withheld (RFC 3323); `critical`: or else no call. */
  readonly privacy?: Pick<Privacy, 'session' | 'critical'>;
  readonly direct: boolean;
  /** The caller is a direct phone that offers RTP at the very address from which it comes. */
  readonly open: boolean;
  /** The caller's gateway, which alone may send its RTP. */
  readonly gateway?: string;
  /** The caller's Contact. */
  readonly contact?: string;
  /** What was dialled. */
  readonly dialled: string;
  /** The leg whose place the caller wants (RFC 3891). */
  readonly replaces?: { readonly session: string; readonly leg: string };
  /** The call that rings here and that the caller takes; another process found it. */
  readonly taking?: { readonly session: string; readonly ringing: string; readonly leg: string };
  /** A call for help. */
  readonly help?: Help;
  /** The trunk by which the call came in. */
  readonly cameBy?: string;
  /** Those who help call back: no wish of the line stands in their way. */
  readonly callBack?: boolean;
  /** What the caller's number proved to be, where its trunk checks signatures. */
  readonly verstat?: Verstat;
  /** Values of Identity with which it came in, where they hold. */
  readonly proof?: readonly string[];
  /** Who sent the call on, the oldest first. */
  diverted?: readonly Diverted[];
  /** How many of these are ours: the last ones. */
  sentOn?: number;
  /** Max-Forwards and Max-Breadth of the caller's INVITE. */
  readonly hops?: Hops;
  /** Call-IDs of our INVITEs to trunks. */
  outIds?: string[];
  /** The trunk that was tried last, and the way by it; after a restart only the trunk is known. */
  way?: string;
  tried?: TrunkWay;
  /** Call-ID of the caller's dialog, or of the first branch of a channel. */
  callId: string;
  /** Lines that count this call among theirs. */
  readonly counted: string[];
  /** Wall clock, ms. */
  readonly startedAt: number;
  answeredAt?: number;
  /** The telling of its legs' ends, one after the other; true once the session is over. */
  told?: Promise<boolean>;
  /** Resolves the instruction that opened this channel, once its first INVITE is out. */
  opened?: (outcome: { readonly callId: string } | { readonly failed: string }) => void;
}

/** `"name" <sip:number@domain>`; names are UTF-8, one character per octet. */
export function addressOf(shown: Shown, domain: string): string {
  const uri = writeUri({ scheme: 'sip', user: shown.number, host: domain, params: new Map() });
  const display = shown.name === undefined ? '' : latin1(utf8(shown.name));
  return writeNameAddr({ display, uri, params: new Map() });
}

/** P-Asserted-Identity of a caller whose number was checked: the result stands behind the number (3GPP TS 24.229 section 7.2A.20). */
export function checkedAddress(shown: Shown, verstat: Verstat, domain: string): string {
  const user = `${shown.number};verstat=${verstat}`;
  const uri = writeUri({ scheme: 'sip', user, host: domain, params: new Map([['user', 'phone']]) });
  return writeNameAddr({ display: shown.name === undefined ? '' : latin1(utf8(shown.name)), uri, params: new Map() });
}

export function shownLine(line: LineRow): Shown {
  return { number: line.number, ...(line.name === null ? {} : { name: line.name }) };
}

/** The line, flow and gateway at the other end of a party. */
export function endOf(live: Live, party: Party): { flow?: Flow; gateway?: string; line?: LineRow } {
  if (party === CALLER) return live;
  const branch = live.state.branches.get(party);
  if (branch === undefined) return {};
  const { contact, line } = branch.to;
  return {
    flow: contact.flow,
    ...(line === undefined ? {} : { line }),
    ...(contact.gateway === undefined ? {} : { gateway: contact.gateway }),
  };
}
