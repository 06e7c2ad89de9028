/** A call as the softswitch holds it: the pure state, and what ties it to SIP, session manager and store. */
import type { LineRow } from '#cloud/store/directory.ts';
import type { Party } from '#shared/call/call.ts';
import { CALLER, newCall } from '#shared/call/call.ts';
import type { Hops } from '#shared/call/hops.ts';
import type { DrivenCall } from '#shared/host/call-driver.ts';
import { latin1, utf8 } from '#shared/kernel/bytes.ts';
import { NEVER } from '#shared/kernel/machine.ts';
import type { VerbRequest } from '#shared/protocol/verbs/index.ts';
import type { Diverted } from '#shared/sip/diversion.ts';
import type { Verstat } from '#shared/sip/identity-check.ts';
import type { Privacy } from '#shared/sip/privacy.ts';
import type { Flow } from '#shared/sip/types.ts';
import { writeNameAddr, writeUri } from '#shared/sip/uri.ts';
import type { Help } from './emergency/help.ts';
import type { Contact } from './location.ts';
import type { TrunkWay, WayFailure } from './trunk/trunk.ts';

/** Whom to invite: a phone of a line, or the outside by a trunk. */
export interface Callee {
  readonly contact: Contact;
  /** Absent: `trunk` is there. */
  readonly line?: LineRow | undefined;
  readonly trunk?: TrunkWay | undefined;
  /** Calls that the line or trunk may have at once; absent: this one is let through whatever it has. */
  readonly most?: number | undefined;
  /** What the line's owner calls the caller; over the caller's own name. */
  readonly callerName?: string | undefined;
  /** Join and its kin. */
  readonly headers?: readonly (readonly [string, string])[] | undefined;
}

/** What a phone shows of the other side. */
export interface Shown {
  readonly number: string;
  readonly name?: string;
}

type LegReport = VerbRequest<'leg.report'>;

export interface Live extends DrivenCall<Callee> {
  /** Named by the session manager, or derived from the Call-ID where it was away. */
  session: string;
  /** Switched without the session manager: its facts are told as a whole at the end. */
  autonomous: boolean;
  readonly caller: Shown;
  /** The line that called, and the home that it belongs to. */
  readonly line?: LineRow | undefined;
  /** The caller's number is withheld from the callee (CLIR). */
  hidden?: boolean | undefined;
  /** The number of the line that transferred the call here, where it may be known (RFC 3892). */
  readonly referredBy?: string | undefined;
  /** What else the caller wants withheld (RFC 3323); `critical`: or else no call. */
  readonly privacy?: Pick<Privacy, 'session' | 'critical' | 'history' | 'none'> | undefined;
  readonly direct: boolean;
  /** The caller is a direct phone that offers RTP at the very address from which it comes. */
  readonly open: boolean;
  /** The caller's gateway, which alone may send its RTP. */
  readonly gateway?: string | undefined;
  /** The caller's Contact. */
  readonly contact?: string | undefined;
  /** What was dialled. */
  readonly dialled: string;
  /** The leg whose place the caller wants (RFC 3891). */
  readonly replaces?: { readonly session: string; readonly leg: string } | undefined;
  /** The call that rings here and that the caller takes; another process found it. */
  readonly taking?: { readonly session: string; readonly ringing: string; readonly leg: string } | undefined;
  /** A call for help. */
  readonly help?: Help | undefined;
  /** The trunk by which the call came in. */
  readonly cameBy?: string | undefined;
  /** Those who help call back: no wish of the line stands in their way. */
  readonly callBack?: boolean | undefined;
  /** What the caller's number proved to be, where its trunk checks signatures. */
  readonly verstat?: Verstat | undefined;
  /** Values of Identity with which it came in, where they hold. */
  readonly proof?: readonly string[] | undefined;
  /** Who sent the call on, the oldest first. */
  diverted?: readonly Diverted[] | undefined;
  /** How many of these are ours: the last ones. */
  sentOn?: number | undefined;
  /** Max-Forwards and Max-Breadth of the caller's INVITE. */
  readonly hops?: Hops | undefined;
  /** Call-IDs of our INVITEs to trunks. */
  outIds?: string[] | undefined;
  /** The trunk that was tried last, and the way by it; after a restart only the trunk is known. */
  way?: string | undefined;
  tried?: TrunkWay | undefined;
  /** How that failed. */
  failure?: WayFailure | undefined;
  /** Call-ID of the caller's dialog, or of the first branch of a channel. */
  callId: string;
  /** Lines that count this call among theirs. */
  readonly counted: string[];
  /** Wall clock, ms. */
  readonly startedAt: number;
  answeredAt?: number | undefined;
  /** Ends of legs that are told one after the other, while one is; and whether its session is known to be over. */
  ends?: LegReport[] | undefined;
  over?: boolean | undefined;
  /** Its rows on their way to the store. */
  saving?: Promise<void> | undefined;
  /** Fingerprints of its dialogs, two numbers each. */
  marks?: readonly number[] | undefined;
  /** Resolves the instruction that opened this channel, once its first INVITE is out. */
  opened?: ((outcome: { readonly callId: string } | { readonly failed: string }) => void) | undefined;
}

/** What is known of a call when it begins. */
export type Begun = Pick<Live, 'id' | 'caller' | 'direct' | 'open' | 'dialled' | 'callId' | 'startedAt'> &
  Partial<Live>;

/** What an INVITE tells of its call. */
export type Facts = Pick<Live, 'caller' | 'direct' | 'open' | 'dialled'> &
  Partial<
    Pick<
      Live,
      | 'line'
      | 'replaces'
      | 'taking'
      | 'hidden'
      | 'gateway'
      | 'help'
      | 'cameBy'
      | 'callBack'
      | 'verstat'
      | 'proof'
      | 'diverted'
      | 'referredBy'
    >
  >;

/** A call that begins. Every field is there from the beginning, so that all calls have one shape. */
export function newLive(from: Begun): Live {
  return {
    id: from.id,
    state: newCall(),
    session: from.session ?? '',
    autonomous: false,
    caller: from.caller,
    line: from.line,
    hidden: from.hidden,
    referredBy: from.referredBy,
    privacy: from.privacy,
    direct: from.direct,
    open: from.open,
    gateway: from.gateway,
    contact: from.contact,
    dialled: from.dialled,
    replaces: from.replaces,
    taking: from.taking,
    help: from.help,
    cameBy: from.cameBy,
    callBack: from.callBack,
    verstat: from.verstat,
    proof: from.proof,
    diverted: from.diverted,
    sentOn: undefined,
    hops: from.hops,
    outIds: undefined,
    way: undefined,
    tried: undefined,
    failure: undefined,
    callId: from.callId,
    counted: [],
    startedAt: from.startedAt,
    answeredAt: undefined,
    ends: undefined,
    over: undefined,
    saving: undefined,
    marks: undefined,
    opened: undefined,
    flow: from.flow,
    takerFlow: undefined,
    handles: new Map(),
    versions: new Map(),
    origins: undefined,
    streams: undefined,
    ahead: undefined,
    said: undefined,
    timer: undefined,
    due: NEVER,
  };
}

/** Addresses as they were written last, of those who call and are called again and again. */
const written = new WeakMap<Shown, { readonly domain: string; readonly text: string }>();

/** `"name" <sip:number@domain>`; names are UTF-8, one character per octet. */
export function addressOf(shown: Shown, domain: string): string {
  const known = written.get(shown);
  if (known?.domain === domain) return known.text;
  const text = writeAddress(shown, domain);
  written.set(shown, { domain, text });
  return text;
}

function writeAddress(shown: Shown, domain: string): string {
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

const callers = new WeakMap<LineRow, Shown>();
const callees = new WeakMap<LineRow, Shown>();

/** A line as those see it whom it calls. */
export function shownLine(line: LineRow): Shown {
  const known = callers.get(line);
  if (known !== undefined) return known;
  const { number, name } = line;
  const shown = name === null ? { number } : { number, name };
  callers.set(line, shown);
  return shown;
}

/** A line as whoever calls it knows it: by its number alone. */
export function calledLine(line: LineRow): Shown {
  const known = callees.get(line);
  if (known !== undefined) return known;
  const shown = { number: line.number };
  callees.set(line, shown);
  return shown;
}

/** The line, flow and gateway at the other end of a party. */
export function endOf(live: Live, party: Party): End {
  if (party === CALLER) return live;
  const branch = live.state.branches.get(party);
  if (branch === undefined) return {};
  const { contact, line } = branch.to;
  return { flow: contact.flow, gateway: contact.gateway, line };
}

interface End {
  readonly flow?: Flow | undefined;
  readonly gateway?: string | undefined;
  readonly line?: LineRow | undefined;
}
