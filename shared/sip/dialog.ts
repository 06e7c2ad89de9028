/** Dialogs (RFC 3261 section 12): what both ends remember, as plain data, and the requests built from it. */
import { SEVENTY_HOPS } from './build.ts';
import { asField, type Field, type Header, knownField, makeField, oneLine } from './fields.ts';
import { CALL_ID, CONTACT, CSEQ, FROM, TO } from './headers.ts';
import { SipMessage } from './message.ts';
import type { CallSnapshot } from './types.ts';
import { parseNameAddr, parseUri, writeNameAddr, writeUri } from './uri.ts';
import { NO_TAG, usualAddress } from './usual.ts';

export interface Dialog {
  readonly callId: string;
  readonly localTag: string;
  remoteTag: string;
  /** From or To value of this end, with its tag, as it stands in our requests' From. */
  readonly local: string;
  /** The same of the other end; without a tag until one is known. */
  remote: string;
  /** URI of the other end's Contact. */
  remoteTarget: string;
  /** Route values in the order in which our requests carry them. */
  routeSet: readonly string[];
  /** The last sequence number that we used. */
  localSeq: number;
  /** The highest that the other end used; -1 before its first. */
  remoteSeq: number;
  readonly secure: boolean;
  /** Of the last reliable provisional response that the other end sent (RFC 3262), and what such a one said of the session. */
  rseq?: number;
  said?: string | undefined;
}

/** What a caller's dialogs have in common, whatever fork answers. */
export interface DialogSeed {
  readonly callId: string;
  readonly localTag: string;
  /** From value with its tag. */
  readonly local: string;
  /** Request-URI of the INVITE. */
  readonly uri: string;
}

/** The dialog that a response to our INVITE makes (section 12.1.2). `localSeq` is the INVITE's. */
export function dialogOfResponse(seed: DialogSeed, response: SipMessage): Dialog {
  return {
    callId: seed.callId,
    localTag: seed.localTag,
    remoteTag: response.toTag ?? '',
    local: seed.local,
    remote: response.header('To') ?? '',
    remoteTarget: targetOf(response) ?? seed.uri,
    routeSet: response.headerAll('Record-Route').reverse(),
    localSeq: response.cseq.n,
    remoteSeq: -1,
    secure: isSips(seed.uri),
  };
}

/** The dialog that an INVITE makes at its receiver (section 12.1.1). */
export function dialogOfInvite(invite: SipMessage, localTag: string): Dialog {
  return {
    callId: invite.callId,
    localTag,
    remoteTag: invite.fromTag ?? '',
    local: `${invite.header('To') ?? ''};tag=${localTag}`,
    remote: invite.header('From') ?? '',
    remoteTarget: targetOf(invite) ?? callerUri(invite),
    routeSet: invite.headerAll('Record-Route'),
    localSeq: 0,
    remoteSeq: invite.cseq.n,
    secure: wantsSips(invite),
  };
}

/** True for a URI that is to be reached over TLS all along (RFC 3261 section 19.1). */
export const isSips = (uri: string): boolean => uri.slice(0, 5).toLowerCase() === 'sips:';

/** What an INVITE asks its answer's Contact to be (section 12.1.1): SIPS where it asks for one, or came by one. */
function wantsSips(invite: SipMessage): boolean {
  if (isSips(invite.uri)) return true;
  const named = invite.header('Record-Route') ?? invite.header('Contact') ?? '';
  if (!/sips:/i.test(named)) return false;
  const [top] = invite.headerAll('Record-Route');
  return isSips((top === undefined ? invite.contacts[0]?.uri : parseNameAddr(top)?.uri) ?? '');
}

/** The URI of the one Contact, if it has one that requests can be sent to. */
function targetOf(message: SipMessage): string | undefined {
  for (const { id, text, start, end } of message.fields) {
    if (id !== CONTACT) continue;
    // Of the usual form is only what requests can be sent to.
    if (usualAddress(text, start, end) !== NO_TAG) break;
    return text.slice(text.lastIndexOf('<', end) + 1, end - 1);
  }
  return asTarget(message.contacts[0]?.uri);
}

/** Where a caller is that gives no such Contact: by its From, or else by its Via. */
function callerUri(invite: SipMessage): string {
  const { host = 'invalid', port } = invite.topVia ?? {};
  return asTarget(invite.from.uri) ?? writeUri({ scheme: 'sip', host, port, params: new Map() });
}

/** A SIP or SIPS URI (section 8.1.1.8), without the headers that someone would have our requests carry (section 19.1.5). */
function asTarget(text: string | undefined): string | undefined {
  const uri = text === undefined ? undefined : parseUri(text);
  if (text === undefined || (uri?.scheme !== 'sip' && uri?.scheme !== 'sips')) return undefined;
  return asRequestUri(text);
}

/** A URI as a Request-URI: without the headers and the method that it would have a request carry (section 19.1.5). */
export function asRequestUri(text: string): string {
  if (!text.includes('?') && !/;method=/i.test(text)) return text;
  const uri = parseUri(text);
  if (uri === undefined || !(uri.headers !== undefined || uri.params.has('method'))) return text;
  uri.params.delete('method');
  return writeUri({ ...uri, headers: undefined });
}

/** Takes the new target of a target refresh (section 12.2.1.2 and 12.2.2). */
export function refreshTarget(dialog: Dialog, message: SipMessage): void {
  const target = targetOf(message);
  if (target !== undefined) dialog.remoteTarget = target;
}

/**
 * A request inside the dialog (section 12.2.1.1) without Via. An ACK takes `seq` of its INVITE; any other request gets the next
 * number. With a strict router first in the route set the Request-URI is that router's.
 */
export function dialogRequest(
  dialog: Dialog,
  method: string,
  headers: readonly Header[],
  body?: string,
  seq?: number,
): SipMessage {
  if (seq === undefined) dialog.localSeq++;
  const fields: Field[] = [
    SEVENTY_HOPS,
    knownField(FROM, dialog.local),
    knownField(TO, dialog.remote),
    knownField(CALL_ID, dialog.callId),
    knownField(CSEQ, `${seq ?? dialog.localSeq} ${method}`),
  ];
  const uri = addRoutes(fields, dialog.routeSet, dialog.remoteTarget);
  for (const header of headers) fields.push(asField(header));
  return new SipMessage('request', oneLine(method), uri, 0, '', fields, body ?? '');
}

/** A request of the dialog that is sent again takes the next number: others may have gone out since. */
export function renumber(dialog: Dialog, request: SipMessage): void {
  dialog.localSeq++;
  request.set('CSeq', `${dialog.localSeq} ${request.method}`);
}

/** Appends Route lines and gives the Request-URI (sections 8.1.1.1 and 12.2.1.1). */
export function addRoutes(fields: Field[], routes: readonly string[], target: string): string {
  const [first, ...rest] = routes;
  if (first === undefined) return target;
  const hop = parseNameAddr(first)?.uri ?? '';
  if (parseUri(hop)?.params.has('lr') !== false) {
    for (const route of routes) fields.push(makeField('Route', route));
    return target;
  }
  for (const route of rest) fields.push(makeField('Route', route));
  fields.push(makeField('Route', `<${target}>`));
  return hop;
}

export function dialogToSnapshot(dialog: Dialog, initiator: boolean, contact: string): CallSnapshot {
  return {
    callId: dialog.callId,
    localTag: dialog.localTag,
    remoteTag: dialog.remoteTag,
    localUri: withoutTag(dialog.local),
    remoteUri: withoutTag(dialog.remote),
    remoteTarget: dialog.remoteTarget,
    routeSet: [...dialog.routeSet],
    localSeq: dialog.localSeq,
    remoteSeq: dialog.remoteSeq,
    secure: dialog.secure,
    initiator,
    contact,
  };
}

export function dialogFromSnapshot(snapshot: CallSnapshot): Dialog {
  return {
    callId: snapshot.callId,
    localTag: snapshot.localTag,
    remoteTag: snapshot.remoteTag,
    local: withTag(snapshot.localUri, snapshot.localTag),
    remote: withTag(snapshot.remoteUri, snapshot.remoteTag),
    remoteTarget: snapshot.remoteTarget,
    routeSet: [...snapshot.routeSet],
    localSeq: snapshot.localSeq,
    remoteSeq: snapshot.remoteSeq,
    secure: snapshot.secure,
  };
}

/** An end that speaks RFC 2543 has no tag (section 12.1.1). */
const withTag = (address: string, tag: string): string => (tag === '' ? address : `${address};tag=${tag}`);

function withoutTag(value: string): string {
  const address = parseNameAddr(value);
  if (!address) return value;
  address.params.delete('tag');
  return writeNameAddr(address);
}
