/**
 * Calls over a restart that were being made: INVITEs without a final response, either way, and 2xx whose ACK nobody can say of. What is
 * kept of an INVITE is what answers, cancels and acknowledges it; its transaction goes on in another process as if it had never stopped.
 */
import { responseFlow } from './build.ts';
import { Call, type Core } from './call.ts';
import { sendBye } from './call-end.ts';
import { acked, sendOk } from './call-in.ts';
import { OutgoingInvite, RING_LIMIT } from './call-out.ts';
import { dialogOfInvite, dialogOfResponse, dialogRequest } from './dialog.ts';
import { CALL_ID, CONTACT, CSEQ, FROM, headerKind, MAX_FORWARDS, RECORD_ROUTE, ROUTE, TO, VIA } from './headers.ts';
import { SipMessage } from './message.ts';
import { parse } from './parse.ts';
import type { EndpointOutput, Flow, PendingInvite } from './types.ts';
import { write } from './write.ts';

/** Milliseconds for which a 2xx that may have been acknowledged before is repeated. */
export const AGAIN_FOR = 4_000;
/** Milliseconds after a restart for which a question to the other side is preceded by the ACK that may be missing. */
const ACK_FOR = 90_000;

/** What responses, CANCEL and ACK are made of, and the session timer (RFC 4028). */
const KEPT = new Set([
  ...[VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, ROUTE, RECORD_ROUTE, MAX_FORWARDS],
  ...['Supported', 'Session-Expires', 'Min-SE', 'Expires'].map((name) => headerKind(name)?.id ?? 0),
]);

/** The INVITE of a call that has no final response; undefined for any other call. */
export function pendingOf(call: Call): PendingInvite | undefined {
  const { outgoing, localTag: tag, contact, at } = call;
  const request = outgoing ? call.client?.request : call.server?.request;
  if ((at !== 'calling' && at !== 'ringing') || request === undefined) return undefined;
  const fields = request.fields.filter(({ id }) => KEPT.has(id));
  const invite = write(new SipMessage('request', 'INVITE', request.uri, 0, '', fields, ''));
  return { outgoing, tag, contact, invite, ...(call.asked ? { asked: true as const } : {}) };
}

/** Takes such a call up; undefined where the text is no INVITE. */
export function resumeCall(
  core: Core,
  { outgoing, tag: localTag, contact, invite: text, asked }: PendingInvite,
  flow: Flow,
  now: number,
): Call | undefined {
  const { message: invite } = parse(text);
  if (invite?.method !== 'INVITE') return undefined;
  const { callId } = invite;
  const handle = core.calls.newHandle();
  const call = new Call(core, { handle, outgoing, at: 'ringing', flow, contact, callId, localTag });
  call.ringBy = now + RING_LIMIT;
  if (outgoing) {
    const seed = { callId, localTag, local: invite.header('From') ?? '', uri: invite.uri };
    const user = new OutgoingInvite(call, seed, { offered: true, trying: false, held: true });
    call.client = core.transactions.resume(invite, flow, user, now);
  } else {
    call.asked = asked === true;
    call.dialog = dialogOfInvite(invite, localTag);
    const place = { flow, back: responseFlow(flow, invite.topVia), size: text.length };
    call.server = core.transactions.open(invite, true, place, now);
    call.server.user = call;
  }
  call.plan();
  return call;
}

/** The INVITE of a resumed call was answered before: the 2xx goes out again where `repeat` says so, for a while or until its ACK. */
export function answerAgain(
  call: Call,
  sdp: string,
  { contact, repeat }: { readonly contact: string; readonly repeat: boolean },
  now: number,
  out: EndpointOutput[],
): void {
  if (call.outgoing || call.at !== 'ringing') return;
  sendOk(call, sdp, { contact }, now, repeat ? out : []);
  if (!repeat) acked(call, undefined, now, []);
  else if (call.unacked !== undefined) call.unacked = { ...call.unacked, again: true, endAt: now + AGAIN_FOR };
  call.plan();
}

/** Sends the ACK of the 2xx that made this dialog; a second one does no harm (RFC 3261 section 13.2.2.4). */
export function acknowledgeAgain(call: Call, seq: number, out: EndpointOutput[]): void {
  if (call.dialog === undefined) return;
  call.core.transactions.sendAck(dialogRequest(call.dialog, 'ACK', [], undefined, seq), call.flow, out);
}

/** Notes on a restored call that the ACK of its 2xx may be missing. */
export function owesAck(call: Call, seq: number, now: number): void {
  call.mayOwe = { seq, until: now + ACK_FOR };
}

/**
 * A 2xx to an INVITE of ours whose transaction is gone. That of a call which is up gets its ACK again; true then. Where `forgotten`, one
 * of a call that nobody has is acknowledged and ended, so that its sender does not talk alone.
 */
export function lateSuccess(
  core: Core,
  message: SipMessage,
  flow: Flow,
  forgotten: boolean,
  now: number,
  out: EndpointOutput[],
): boolean {
  const { callId, fromTag: localTag = '', toTag } = message;
  const call = core.calls.ofTag(localTag);
  const known = call?.callId === callId && call.outgoing && call.dialog?.remoteTag === toTag;
  if (known && call.at === 'confirmed') acknowledgeAgain(call, message.cseq.n, out);
  if (call !== undefined || !forgotten) return known;
  const dialog = dialogOfResponse({ callId, localTag, local: message.header('From') ?? '', uri: '' }, message);
  if (dialog.remoteTarget === '') return false;
  core.transactions.sendAck(dialogRequest(dialog, 'ACK', [], undefined, message.cseq.n), flow, out);
  sendBye(core, dialog, { flow, headers: [], credentials: undefined }, now, out);
  return true;
}

/** True for a 2xx to an INVITE. */
export const isSuccess = ({ method, status, hasFurtherVia }: SipMessage): boolean =>
  method === 'INVITE' && status >= 200 && status < 300 && !hasFurtherVia;
