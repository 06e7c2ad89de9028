/** Messages that the stack makes by itself, and the small parts of others. */
import { type Field, type Header, steadyField } from './fields.ts';
import { newRequest, newResponse, type SipMessage } from './message.ts';
import { partOf, readMultipart } from './multipart.ts';
import { type Flow, isSecure } from './types.ts';
import { writeHost } from './uri.ts';
import { stampedVia, type Via } from './via.ts';

export type HeaderLine = readonly [name: string, value: string];

/** RFC 3261 section 8.1.1.6. */
export const MAX_FORWARDS = '70';
export const SEVENTY_HOPS = steadyField('Max-Forwards', MAX_FORWARDS);
/** Of a session description. */
export const SESSION_TYPE = steadyField('Content-Type', 'application/sdp');

const INCOMPATIBLE = steadyField('Warning', '305 hl "Incompatible media format"');

/** Who refuses a description says why (RFC 3261 sections 13.3.1.3, 14.2 and 20.43). */
export const warningOf = (status: number): readonly Header[] =>
  status === 488 || status === 606 ? [INCOMPATIBLE] : [];

/** The Via of a request that leaves over `flow`; asks for rport (RFC 3581) everywhere. */
export function viaValue(flow: Flow, branch: string): string {
  const { host, port } = flow.local;
  const alias = flow.alias === true ? ';alias' : '';
  return `SIP/2.0/${flow.protocol.toUpperCase()} ${writeHost(host)}:${port};branch=${branch};rport${alias}`;
}

/**
 * `<uri>` for Contact with the flow's transport (RFC 3261 section 19.1.1); UDP is the default and not named. `sips`: whoever hears it is
 * to be told a SIPS URI (sections 8.1.1.8 and 12.1.1), which only a flow over TLS can be.
 */
export function contactValue(uri: string, flow: Flow, sips = false): string {
  if (sips && isSecure(flow) && uri.startsWith('sip:')) {
    const secure = `sips:${uri.slice('sip:'.length)}`;
    return flow.protocol === 'wss' ? `<${secure};transport=ws>` : `<${secure}>`;
  }
  if (flow.protocol === 'udp' || uri.toLowerCase().includes(';transport=')) return `<${uri}>`;
  // A WebSocket is named `ws` over TLS too (RFC 7118 section 5.3).
  return `<${uri};transport=${flow.protocol === 'wss' ? 'ws' : flow.protocol}>`;
}

/** Contact in the messages of a call over `flow`. */
export const ownContact = (
  { contact, dialog }: { readonly contact: string; readonly dialog: { readonly secure: boolean } | undefined },
  flow: Flow,
): string => contactValue(contact, flow, dialog?.secure);

/** Where responses to a request with this Via go: RFC 3261 section 18.2.2 and RFC 3581 section 4. */
export function responseFlow(flow: Flow, via: Via | undefined): Flow {
  if (flow.protocol !== 'udp' || !via || via.asksPort) return flow;
  const port = via.port ?? 5060;
  if (port === flow.remote.port) return flow;
  return { ...flow, id: `${flow.id}>${port}`, remote: { host: flow.remote.host, port } };
}

/** Puts `received` and `rport` on the top Via of a request that came over `flow` (RFC 3261 section 18.2.1, RFC 3581 section 4). */
export function stampVia(request: SipMessage, flow: Flow): void {
  const via = request.topVia;
  if (!via || (!via.asksPort && via.host === flow.remote.host)) return;
  request.setTopVia(stampedVia(via, request.headerAll('Via')[0] ?? '', flow.remote));
}

/** The ACK for a response 300..699: same branch as the INVITE (RFC 3261 section 17.1.1.3). */
export function ackFailure(invite: SipMessage, response: SipMessage): SipMessage {
  return sameBranch(invite, 'ACK', response.header('To') ?? invite.header('To') ?? '');
}

/** The credentials of a request, which the ACK of its 2xx repeats (RFC 3261 section 13.2.2.4). */
export function proofOf(message: SipMessage | undefined): readonly Field[] {
  const fields = message?.fields.filter(({ name }) => name === 'Authorization' || name === 'Proxy-Authorization') ?? [];
  return fields.length === 0 ? NO_PROOF : fields;
}

const NO_PROOF: readonly Field[] = [];

/** The CANCEL of a pending INVITE (RFC 3261 section 9.1). */
export function cancelOf(invite: SipMessage, headers: readonly HeaderLine[]): SipMessage {
  const cancel = sameBranch(invite, 'CANCEL', invite.header('To') ?? '');
  for (const [name, value] of headers) cancel.add(name, value);
  return cancel;
}

function sameBranch(invite: SipMessage, method: string, to: string): SipMessage {
  const lines: [string, string][] = [
    ['Via', invite.headerAll('Via')[0] ?? ''],
    ['Max-Forwards', MAX_FORWARDS],
    ['From', invite.header('From') ?? ''],
    ['To', to],
    ['Call-ID', invite.callId],
    ['CSeq', `${invite.cseq.n} ${method}`],
  ];
  for (const route of invite.headerAll('Route')) lines.push(['Route', route]);
  return newRequest(method, invite.uri, lines);
}

/** The SDP of a message; undefined where it has no body of that type. */
export function sdpOf(message: SipMessage): string | undefined {
  if (message.body.length === 0) return undefined;
  const type = message.header('Content-Type') ?? '';
  if (type.trimStart().toLowerCase().startsWith('application/sdp')) return message.body;
  return partOf(readMultipart(type, message.body), 'application/sdp')?.body;
}

/** The value of a Reason header (RFC 3326): given whole (`Q.850;cause=16`) or as plain text. */
export function reasonHeader(reason: string): HeaderLine[] {
  let text = '';
  for (const char of reason) if (char >= ' ' && char <= '~') text += char;
  if (text === '') return [];
  const whole = text.includes(';') && !text.startsWith(';');
  return [['Reason', whole ? text : `SIP;text="${text.replaceAll('\\', '').replaceAll('"', '')}"`]];
}

/** A response to `request` with our tag on its To, unless the request brought one (RFC 3261 section 8.2.6.2). */
export function tagged(
  request: SipMessage,
  status: number,
  tag: string,
  headers?: readonly Header[],
  reason?: string,
): SipMessage {
  return newResponse(request, status, reason, headers, request.hasToTag ? undefined : tag);
}

/** A To tag for an answer without a transaction: the same for every copy of the request (RFC 3261 section 8.2.7). */
export function statelessTag(request: SipMessage): string {
  const text = `${request.topVia?.branch ?? ''} ${request.callId}`;
  let sum = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) sum = Math.imul(sum ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return sum.toString(16).padStart(8, '0');
}
